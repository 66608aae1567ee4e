"""The async loop of the data path, and digests that run beside it.

Bodies are pulled: nothing is read until somebody asks for the next buffer, so a slow reader slows the source.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import aclosing
from functools import partial
from typing import ParamSpec, TypeVar

from sseproxy.exchange import Body
from sseproxy.stage import Buffer, Stage
from sseproxy.wire.digests import Digests

DIGEST_BATCH = 512 * 1024  # bytes handed to a thread at once: a hop costs about as much as 90 KiB of MD5
INLINE_DIGEST = 64 * 1024  # bytes that are digested where they are, because the hop would cost more


T = TypeVar("T")
P = ParamSpec("P")


async def in_thread(pool: Executor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that computes for long in a thread of `pool`."""
    return await asyncio.get_running_loop().run_in_executor(pool, partial(function, *args, **kwargs))


async def pump(source: Body, stage: Stage) -> Body:
    """Pull `source` through `stage`. Closes `source` whatever happens, also when the reader goes away."""
    async with aclosing(source):
        async for data in source:
            outs = stage.feed(data)
            del data  # not held while a slow reader takes its time
            for out in outs:
                yield out
        for out in stage.finish():
            yield out


class BackgroundDigests:
    """Digests of a body, computed in threads while the loop goes on.

    Where they are quick (CRCs alone run at several GB/s) they are computed in place: a hop to a thread would cost
    more than it saves. Else at most one batch is with a thread and one is being collected, so what waits here stays
    below twice `DIGEST_BATCH` plus one buffer; who feeds faster than digests are made waits in `update`. The buffers
    handed in must not change any more.
    """

    def __init__(self, digests: Digests, pool: Executor, *, quick: bool = False) -> None:
        self._digests = digests
        self._pool = pool
        self._quick = quick
        self._waiting: list[Buffer] = []
        self._waiting_bytes = 0
        self._running: asyncio.Future[None] | None = None

    async def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        if self._quick:
            self._digests.update(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= DIGEST_BATCH:
            await self._settle()
            self._running = self._submit()

    async def finish(self) -> Digests:
        """Return the digests of everything taken."""
        await self._settle()
        if self._waiting_bytes > INLINE_DIGEST:
            await self._submit()
        else:
            _update_all(self._digests, self._waiting)
            self._waiting_bytes = 0
        return self._digests

    def _submit(self) -> asyncio.Future[None]:
        batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return asyncio.get_running_loop().run_in_executor(self._pool, _update_all, self._digests, batch)

    async def _settle(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running


def _update_all(digests: Digests, batch: list[Buffer]) -> None:
    # In one piece, because every update of a digest hands the interpreter lock to and fro.
    joined = b"".join(batch)
    batch.clear()
    digests.update(joined)
