"""Small tools for bodies: collect one within a bound, start one before it is handed on, cut one into parts."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from types import TracebackType

from sseproxy.errors import BodyTooLarge
from sseproxy.exchange import Body
from sseproxy.stage import Buffer


async def collect(body: Body, limit: int) -> bytes:
    """Return the whole body and close it. Raises `BodyTooLarge` where it is longer than `limit` bytes."""
    buffers: list[Buffer] = []
    size = 0
    async with aclosing(body):
        async for data in body:
            size += len(data)
            if size > limit:
                raise BodyTooLarge
            buffers.append(data)
    return b"".join(buffers)


async def collect_head(body: Body, limit: int) -> tuple[list[Buffer], bool]:
    """Read until more than `limit` bytes are there, or the end; return the buffers, and whether it was the end.

    The body stays open. At most `limit` bytes and one buffer are held.
    """
    buffers: list[Buffer] = []
    size = 0
    async for data in body:
        buffers.append(data)
        size += len(data)
        if size > limit:
            return buffers, False
    return buffers, True


async def preceded(buffers: list[Buffer], body: Body) -> Body:
    """Return a body of the buffers, which it takes out of the list, and then the rest of `body`, which it closes."""
    async with aclosing(body):
        while buffers:
            yield buffers.pop(0)
        async for data in body:
            yield data


class StartedBody(AsyncGenerator[Buffer, None]):
    """A body whose first buffer has been produced.

    A generator that nobody ever asked for a buffer runs no `finally` when it is closed; this one has begun, so
    whatever it holds open is closed with it. And what fails before the first buffer, fails before an answer begins.
    """

    def __init__(self, first: Sequence[Buffer], rest: Body) -> None:
        self._first = list(first)
        self._rest = rest

    async def asend(self, value: None) -> Buffer:
        """Return the next buffer."""
        if self._first:
            return self._first.pop(0)
        return await self._rest.asend(value)

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Buffer:
        """Raise inside the body."""
        self._first.clear()
        error = typ if isinstance(typ, BaseException) else typ()
        return await self._rest.athrow(error)

    async def aclose(self) -> None:
        """Close the body underneath."""
        self._first.clear()
        await self._rest.aclose()


async def start(body: Body) -> Body:
    """Produce the first buffer of `body` now and return the whole of it; closes `body` if that fails."""
    try:
        first = await anext(body, None)
    except BaseException:
        await body.aclose()
        raise
    return StartedBody([] if first is None else [first], body)


class PartCutter:
    """Cuts a body into parts of `size` bytes; after each part `ended` tells whether it was the last.

    Only the last part is shorter, and it is empty only where the whole body is.
    """

    def __init__(self, body: Body, size: int) -> None:
        self._body = body
        self._size = size
        self._next: Buffer | None = None
        self.ended = False

    async def part(self) -> Body:
        """Yield the next part. It must be read to its end before the next one is asked for."""
        left = self._size
        while left:
            data = await self._pull()
            if data is None:
                return
            view = memoryview(data)
            yield view[:left]
            self._next = view[left:] if len(view) > left else None
            left -= min(left, len(view))
        self._next = await self._pull()  # only the byte after a part tells that it was not the last

    async def _pull(self) -> Buffer | None:
        data, self._next = self._next, None
        while not data and not self.ended:
            data = await anext(self._body, None)
            self.ended = data is None
        return data
