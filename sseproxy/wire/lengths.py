"""A stage that watches how a body ends."""

from collections.abc import Callable, Sequence

from sseproxy.errors import MetadataLost
from sseproxy.stage import Buffer

_TAIL = 16


class TailGuard:
    """Holds back the last 16 bytes of a body and refuses those that `is_tail` knows.

    For bodies without an envelope: one that ends like a sealed object has lost its metadata (docs/format.md,
    "Reading"), and its ciphertext must not be taken for a complete object.
    """

    def __init__(self, is_tail: Callable[[bytes], bool]) -> None:
        self._is_tail = is_tail
        self._held = b""

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Pass what cannot be among the last bytes any more."""
        view = memoryview(data)
        if len(view) >= _TAIL:
            held, self._held = self._held, bytes(view[-_TAIL:])
            return [part for part in (held, view[:-_TAIL]) if part]
        joined = self._held + bytes(view)
        self._held = joined[-_TAIL:]
        return [joined[:-_TAIL]] if len(joined) > _TAIL else []

    def finish(self) -> Sequence[Buffer]:
        """Release the last bytes. Raises `MetadataLost`."""
        if self._is_tail(self._held):
            raise MetadataLost
        return [self._held] if self._held else []
