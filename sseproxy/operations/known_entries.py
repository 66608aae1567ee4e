"""What listings are known to show, so that an object is looked up once and not for every listing.

The answer never depends on the cache: an entry stands for exactly the stored bytes that a listing names, and what is
missing is looked up. A cache that fails is left alone for a while, and so is one whose secret cannot be opened.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sseproxy.errors import SseProxyError
from sseproxy.format.cached_entry import EntryIdentity, EntrySealer, ShownEntry
from sseproxy.ports import CacheUnavailable, Clock, EntryCache, Observer

_PAUSE = timedelta(seconds=5)  # how long a cache that failed is not asked


class KnownEntries:
    """Entries in a cache, sealed under a secret that all replicas share; `secret` is asked for once, when needed."""

    def __init__(
        self, cache: EntryCache, secret: Callable[[], Awaitable[bytes]], *, clock: Clock, observer: Observer
    ) -> None:
        self._cache = cache
        self._secret = secret
        self._clock = clock
        self._observer = observer
        self._sealer: EntrySealer | None = None
        self._paused_until: datetime | None = None

    async def get(self, identities: Sequence[EntryIdentity]) -> list[ShownEntry | None]:
        """Return what is known of each identity, None where nothing is."""
        if not identities or self._is_paused():
            return [None] * len(identities)
        try:
            sealer = await self._open()
            names = [sealer.name(identity) for identity in identities]
            values = await self._cache.get_many(names)
        except (CacheUnavailable, SseProxyError):
            self._pause()
            return [None] * len(identities)
        found = [None if value is None else sealer.open(name, value) for name, value in zip(names, values, strict=True)]
        hits = sum(entry is not None for entry in found)
        self._observer.count("listing_entries_total", hits, known="yes")
        self._observer.count("listing_entries_total", len(found) - hits, known="no")
        return found

    async def put(self, entries: Mapping[EntryIdentity, ShownEntry]) -> None:
        """Remember entries."""
        if not entries or self._is_paused():
            return
        try:
            sealer = await self._open()
            named = ((sealer.name(identity), shown) for identity, shown in entries.items())
            await self._cache.put_many({name: sealer.seal(name, shown) for name, shown in named})
        except (CacheUnavailable, SseProxyError):
            self._pause()

    async def _open(self) -> EntrySealer:
        if self._sealer is None:
            self._sealer = EntrySealer(await self._secret())
        return self._sealer

    def _is_paused(self) -> bool:
        return self._paused_until is not None and self._clock.now() < self._paused_until

    def _pause(self) -> None:
        self._paused_until = self._clock.now() + _PAUSE
        self._observer.count("entry_cache_failures_total")
