"""Entries on a Valkey or Redis server, which a fleet of proxies shares."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sseproxy.ports import CacheUnavailable

_PREFIX = b"sseproxy:e1:"
_TIMEOUT_S = 0.5  # a listing waits no longer: it looks up instead


class ServerCache:
    """Entries live for `lifetime_s` seconds after they were last written."""

    def __init__(self, client: redis.Redis, lifetime_s: int) -> None:
        self._client = client
        self._lifetime_s = lifetime_s

    async def get_many(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """Return what is kept under the names, None for those that are unknown. Raises `CacheUnavailable`."""
        if not names:
            return []
        try:
            found = await self._client.mget([_PREFIX + name for name in names])
        except (RedisError, OSError) as cause:
            raise CacheUnavailable from cause
        return [value if isinstance(value, bytes) else None for value in found]

    async def put_many(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep entries. Raises `CacheUnavailable`."""
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                for name, value in entries.items():
                    _ = pipe.set(_PREFIX + name, value, ex=self._lifetime_s)
                await pipe.execute()
        except (RedisError, OSError) as cause:
            raise CacheUnavailable from cause


@asynccontextmanager
async def open_server_cache(url: str, lifetime_s: int) -> AsyncIterator[ServerCache]:
    """Connect when it is first used: a server that is away at start costs look-ups, not the start."""
    client = redis.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),  # once, for a connection that was idle too long
    )
    try:
        yield ServerCache(client, lifetime_s)
    finally:
        await client.aclose()
