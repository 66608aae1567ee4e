"""Request bodies towards the storage, in the shape that aiohttp sends.

aiohttp sends a body in a task of its own and wraps whatever fails in it. These payloads keep the failure as it was,
and can be waited for, so that a body is closed before `Upstream.send` returns or raises.
"""

import asyncio
from contextlib import aclosing

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from sseproxy.errors import UpstreamError, UpstreamUnavailable
from sseproxy.exchange import Body

_STALLED = "The storage stopped reading."
_WRONG_LENGTH = "A body towards the storage had another length than announced."


class HeldPayload(Payload):
    """Bytes that are all there, and may be sent again."""

    _autoclose = True

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        self._size = len(value)
        self._bytes = value

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send everything."""
        await writer.write(self._bytes)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send everything; the announced length is that of the bytes."""
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return nothing of it: this is for debug output."""
        return ""


class StreamPayload(Payload):
    """A body that is pulled while it is sent, once.

    `length` None: unknown. `stall_s` is how long the storage may refuse to take more. `failure` is what the body
    raised, or why it could not be sent for a reason of our own; None where only the connection failed.
    """

    _autoclose = True

    def __init__(self, body: Body, length: int | None, stall_s: float) -> None:
        super().__init__(body)
        self._size = length
        self._body = body
        self._stall_s = stall_s
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self.failure: Exception | None = None

    @property
    def consumed(self) -> bool:
        """Whether sending has begun, so that the body cannot be sent again."""
        return self._task is not None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body; raises what it raises, and `UpstreamError` where its length is not what was announced."""
        self._task = asyncio.current_task()
        try:
            async with aclosing(self._pulled()) as body:
                async for data in body:
                    async with asyncio.timeout(self._stall_s):
                        await writer.write(data)
        except TimeoutError:
            self.failure = self.failure or UpstreamUnavailable(_STALLED)
            raise
        finally:
            self._ended.set()

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the body, which checks its length itself."""
        await self.write(writer)

    async def stop(self) -> None:
        """Return once nobody sends the body any more; it is closed then, unless nothing was ever pulled from it."""
        if self._task is not None:
            if not self._ended.is_set():
                self._task.cancel()
            await self._ended.wait()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return nothing of it: this is for debug output."""
        return ""

    async def _pulled(self) -> Body:
        left = self._size
        try:
            async with aclosing(self._body):
                async for data in self._body:
                    if left is not None:
                        left -= len(data)
                        if left < 0:
                            raise UpstreamError(_WRONG_LENGTH)
                    yield data
                if left:
                    raise UpstreamError(_WRONG_LENGTH)
        except Exception as error:
            self.failure = error
            raise
