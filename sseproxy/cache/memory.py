"""Entries in this process's memory, the least recently used going first."""

from collections.abc import Mapping, Sequence


class MemoryCache:
    """At most `most` entries; one takes about 300 bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[bytes, bytes] = {}

    async def get_many(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """Return what is kept under the names, None for those that are unknown."""
        found = [self._entries.get(name) for name in names]
        for name, value in zip(names, found, strict=True):
            if value is not None:
                del self._entries[name]
                self._entries[name] = value
        return found

    async def put_many(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep entries."""
        for name, value in entries.items():
            self._entries.pop(name, None)
            self._entries[name] = value
        while len(self._entries) > self._most:
            del self._entries[next(iter(self._entries))]
