"""Working on many objects: bounded concurrency, results in order, retries, and an end when nothing works any more."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from random import uniform
from typing import Protocol

from sseproxy.bulk.finding import Listed, version_of
from sseproxy.bulk.outcome import Outcome
from sseproxy.errors import IntegrityError, KeyServiceError, KeyServiceUnavailable, SseProxyError, UpstreamUnavailable

Work = Callable[[Listed], Awaitable[Outcome]]
Sleep = Callable[[float], Awaitable[None]]

MOST_WAITING = 10_000  # outcomes behind one that takes long
_MOST_TRIES = 4
_FIRST_PAUSE_S = 0.25


class Sink(Protocol):
    """Who is told of the run."""

    def add(self, outcome: Outcome) -> None:
        """Take an outcome; they come in the order of the items."""
        ...

    def listed(self, count: int, *, all_of_them: bool) -> None:
        """Learn how many items are known by now."""
        ...


class RunStopped(UpstreamUnavailable):
    """Nothing could be done for many objects in a row: store or key service are away."""


async def run_bulk(
    items: AsyncGenerator[Listed], work: Work, sink: Sink, *, concurrency: int, sleep: Sleep = asyncio.sleep
) -> None:
    """Do `work` on every item, `concurrency` of them at once, and tell `sink` of the outcomes in the items' order.

    What is unavailable or changes meanwhile is tried again; what fails is an outcome. Raises what listing raises, and
    `RunStopped` where nothing works any more; both within an `ExceptionGroup`. Closes `items`.
    """
    run = _Run(work, sink, concurrency, sleep)
    async with asyncio.TaskGroup() as group:
        group.create_task(run.produce(items))
        for _ in range(concurrency):
            group.create_task(run.consume())


class _Run:
    """One run: a queue of numbered items, and the outcomes that wait for earlier ones."""

    def __init__(self, work: Work, sink: Sink, concurrency: int, sleep: Sleep) -> None:
        self._work = work
        self._sink = sink
        self._concurrency = concurrency
        self._sleep = sleep
        self._queue: asyncio.Queue[tuple[int, Listed] | None] = asyncio.Queue(concurrency)
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._waiting: dict[int, Outcome] = {}
        self._next = 0  # the number of the outcome to tell next
        self._failed_in_a_row = 0

    async def produce(self, items: AsyncGenerator[Listed]) -> None:
        """Put the items into the queue, and then an end for each worker."""
        number = 0
        async with aclosing(items):
            async for item in items:
                await self._room.acquire()
                await self._queue.put((number, item))
                number += 1
                self._sink.listed(number, all_of_them=False)
        self._sink.listed(number, all_of_them=True)
        for _ in range(self._concurrency):
            await self._queue.put(None)

    async def consume(self) -> None:
        """Work on items until there are no more."""
        while (numbered := await self._queue.get()) is not None:
            number, item = numbered
            self._waiting[number] = await self._outcome(item)
            while self._next in self._waiting:
                self._sink.add(self._waiting.pop(self._next))
                self._next += 1
                self._room.release()

    async def _outcome(self, item: Listed) -> Outcome:
        try:
            outcome = await self._tried(item)
        except (UpstreamUnavailable, KeyServiceUnavailable) as error:
            self._failed_in_a_row += 1
            if self._failed_in_a_row > 2 * self._concurrency:
                raise RunStopped(
                    f"{error.message} Nothing works any more, so the run was stopped at {item.key}; run it again later."
                ) from error
            return replace(_failed(item, error), unavailable=True)
        except SseProxyError as error:
            outcome = _failed(item, error)
        self._failed_in_a_row = 0
        return outcome

    async def _tried(self, item: Listed) -> Outcome:
        for tried in range(_MOST_TRIES - 1):
            try:
                return await self._work(item)
            except (UpstreamUnavailable, KeyServiceUnavailable):
                pause = _FIRST_PAUSE_S * 2**tried
                await self._sleep(uniform(pause / 2, pause))  # noqa: S311  # spreads retries, protects nothing
        return await self._work(item)


def _failed(item: Listed, error: SseProxyError) -> Outcome:
    return replace(failed(item.key, error), details=version_of(item))


def failed(key: str, error: SseProxyError) -> Outcome:
    """Return the outcome of an object that an error came for: bytes are wrong, a key is away, or something else."""
    match error:
        case IntegrityError():
            word = "tampered"
        case KeyServiceError():
            word = "unreadable"
        case _:
            word = "failed"
    return Outcome(key=key, outcome=word, reason=type(error).__name__, problem=error.message)
