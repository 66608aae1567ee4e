"""What the core needs from outside. Protocols and the values that cross them, nothing else."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.exchange import Body
from sseproxy.model import KeyDescription, KeyUse, WrapContext, WrappedKey


class Clock(Protocol):
    """The time, so that tests can set it."""

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        ...


class Kms(Protocol):
    """A key management service.

    `context` is authenticated: opening with another one raises `WrappedKeyRejected`. `key_id` may be an id or
    an alias where a key is created (`generate`, `describe`); what comes back names the canonical id. Every
    method may raise a `KeyServiceError`, and nothing else on purpose.
    """

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Draw a fresh data key of `length` bytes and return it with its wrapped form."""
        ...

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key that exists."""
        ...

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key."""
        ...

    async def describe(self, key_id: str) -> KeyDescription:
        """Resolve an id or alias; raises `KeyNotFound`."""
        ...

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return the CMK's version as the wrapped key itself tells it, without asking; None where it does not.

        Not authenticated: for reports, audit and the question whether a re-wrap would change anything.
        """
        ...

    async def healthy(self) -> None:
        """Return if the service can be used now, else raise."""
        ...


class ClientKeyService(Protocol):
    """Alibaba Cloud KMS, for keys that clients had wrapped there."""

    async def decrypt(self, blob: str, context: WrapContext) -> tuple[str, str]:
        """Return the id of the CMK that a text was encrypted under, and the text as KMS had been given it.

        Raises `WrappedKeyRejected` where it does not open with this context, and other `KeyServiceError`s.
        """
        ...


class Grants(Protocol):
    """Who may use which CMK."""

    def allows(self, principal: str, key_id: str, use: KeyUse) -> bool:
        """Whether a principal may use the CMK with this canonical id. May raise a `KeyServiceError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """One request to the storage, before it is signed.

    `raw_key` and `raw_query` go out byte for byte as given. `headers` hold neither authentication, Host nor
    Content-Length. A `body` of None or bytes may be sent again after a lost connection; a stream never is.
    A stream needs `content_length`, or goes out chunked where `content_length` is None.
    """

    method: str
    bucket: str | None = None
    raw_key: str = ""
    raw_query: str = ""
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes | Body | None = None
    content_length: int | None = None


class UpstreamResponse(Protocol):
    """The storage's answer: status and headers are there, the body comes when asked for."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers as received."""
        ...

    def stream(self) -> Body:
        """Yield the body, once. Raises `UpstreamUnavailable` when it breaks off before its announced end."""
        ...

    async def read(self, limit: int = 8 * 1024 * 1024) -> bytes:
        """Return the whole body; raises `UpstreamUnavailable` where it is longer than `limit` bytes."""
        ...


class Upstream(Protocol):
    """The storage, in one dialect. Any HTTP status is an answer, not an exception.

    `send` raises `UpstreamUnavailable` where there is no answer; an exception that the body itself raises
    is raised unchanged, after the connection was broken off so that the storage discards what it got.
    Leaving the context before the body was read closes the connection.
    """

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Sign and send `request`."""
        ...


class CacheUnavailable(Exception):
    """A cache did not answer in time, or with nonsense. No client ever sees it: objects are looked up instead."""


class EntryCache(Protocol):
    """What listings show of objects, by opaque names. It may forget anything at any time."""

    async def get_many(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """Return what is kept under the names, None for those that are unknown. Raises `CacheUnavailable`."""
        ...

    async def put_many(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep entries. Raises `CacheUnavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAccess:
    """One use of a CMK on an object's key, for the audit.

    `use` is `encrypt`, `decrypt` or `rewrap`; `result` is `ok` or the error's name; `cmk_version` is what the wrap
    names, None where it does not, or is not known.
    """

    use: str
    bucket: str
    key: str
    cmk: str
    cmk_version: str | None
    result: str


class Auditor(Protocol):
    """Writes down who used which key; never blocks on more than a write, never raises."""

    def key_used(self, access: KeyAccess) -> None:
        """Write down one use; on whose behalf is known from the context."""
        ...


class Observer(Protocol):
    """Counts and times; never blocks, never raises."""

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add to a distribution."""
        ...

    def event(self, name: str, /, **fields: str | float | bool | None) -> None:
        """Write a log event: a fixed name and fields without secrets."""
        ...
