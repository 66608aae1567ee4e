"""One piece of work for all that wait for it: no storm of equal questions, no storm of logins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Does work under a name once for all that ask for it at the same time; keeps neither results nor errors."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Future[V]] = {}

    async def run(self, name: K, work: Callable[[], Awaitable[V]]) -> V:
        """Return or raise what `work` does, or what the work does that runs under this name already.

        Where whoever runs it is cancelled, somebody who waits takes the work over.
        """
        while (running := self._running.get(name)) is not None:
            try:
                return await asyncio.shield(running)
            except _Abandoned:
                continue
        return await self._lead(name, work)

    async def _lead(self, name: K, work: Callable[[], Awaitable[V]]) -> V:
        outcome: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._running[name] = outcome
        try:
            value = await work()
        except BaseException as error:
            outcome.set_exception(error if isinstance(error, Exception) else _Abandoned())
            outcome.exception()  # seen: it is raised here, whether or not anybody waits
            raise
        else:
            outcome.set_result(value)
            return value
        finally:
            del self._running[name]


class _Abandoned(Exception):
    """Whoever did the work for others as well was cancelled."""
