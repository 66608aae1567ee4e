"""What every bulk tool is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sseproxy.format import Envelope
from sseproxy.model import KeyDescription, WrappedKey
from sseproxy.operations.context import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The services of the store's own dialect. `key_version` tells the CMK version that an envelope was wrapped under.

    `wrap_version` tells the same of a wrapped key. Both are None where the key service does not show it. `describe_key`
    resolves a CMK's id or alias; raises `KeyServiceError`s.
    """

    services: Services
    key_version: Callable[[Envelope], str | None]
    wrap_version: Callable[[WrappedKey], str | None]
    describe_key: Callable[[str], Awaitable[KeyDescription]]
