"""One piece of work for all that wait for it: no storm of equal questions, no storm of logins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Runs work by name; whoever asks for a name that is being worked on gets that work's result or error."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Future[V]] = {}

    async def run(self, name: K, work: Callable[[], Awaitable[V]]) -> V:
        """Return what `work` returns, or what another caller's work under the same name does.

        Where that caller is cancelled, somebody who waits takes the work over.
        """
        while (running := self._running.get(name)) is not None:
            try:
                return await asyncio.shield(running)
            except _Abandoned:
                continue
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
