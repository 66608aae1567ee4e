"""How many requests are in progress, and when that is enough."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sseproxy.errors import Overloaded
from sseproxy.ports import Observer


class Admission:
    """Lets at most `limit` requests in at once; the others are turned away immediately, not queued."""

    def __init__(self, limit: int, observer: Observer) -> None:
        self._limit = limit
        self._observer = observer
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place. Raises `Overloaded` where none is left."""
        if self._inside >= self._limit:
            self._observer.count("requests_refused_total", reason="overloaded")
            raise Overloaded
        self._inside += 1
        self._empty.clear()
        self._observer.count("in_flight", 1)
        try:
            yield
        finally:
            self._inside -= 1
            self._observer.count("in_flight", -1)
            if not self._inside:
                self._empty.set()

    async def wait_until_empty(self) -> None:
        """Return once no request is in progress."""
        await self._empty.wait()
