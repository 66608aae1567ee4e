"""The one place that reads a request's body from its connection.

Nothing is read, and no `100 Continue` is sent, before somebody asks for the first buffer: a request that is refused
for its head never uploads anything.
"""

import asyncio

from aiohttp import web
from aiohttp.http import HttpProcessingError

from sseproxy.errors import IncompleteBody, RequestTimeout
from sseproxy.exchange import Body
from sseproxy.server.framing import Framing
from sseproxy.upstream.pieces import next_piece

MOST_DRAINED = 256 * 1024  # bytes of a body that nobody wants and that are read so that the connection can go on

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientBody:
    """The bytes of one request's body as they come over the wire. `received` counts them."""

    def __init__(self, raw: web.BaseRequest, framing: Framing, timeout_s: float) -> None:
        self._raw = raw
        self._framing = framing
        self._timeout_s = timeout_s
        self._awaits_continue = framing.awaits_continue
        self._has_failed = False
        self.received = 0

    @property
    def may_be_left_unread(self) -> bool:
        """Whether the next request can be found behind the rest of this body with little effort."""
        if self._awaits_continue:
            # It may send the body or not. And botocore reads the answer after next on such a connection wrongly.
            return False
        if self._raw.content.is_eof():
            return True
        length = self._framing.length
        is_short = length is not None and length <= MOST_DRAINED
        return is_short and not self._has_failed

    async def read(self) -> Body:
        """Yield what has arrived, as soon as anything has, without copying it where one buffer has.

        Raises `RequestTimeout` when the client falls silent, `IncompleteBody` when it goes away or sends nonsense.
        """
        content = self._raw.content
        try:
            await self._continue()
            while self._framing.has_body:
                async with asyncio.timeout(self._timeout_s):
                    data = await next_piece(content)
                if not data:
                    return
                self.received += len(data)
                held = [data]
                del data
                yield held.pop()  # what was given away is not held while a slow storage takes its time
        except TimeoutError as cause:
            self._has_failed = True
            raise RequestTimeout from cause
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as cause:
            self._has_failed = True
            raise IncompleteBody from cause

    async def _continue(self) -> None:
        if self._awaits_continue:
            self._awaits_continue = False
            await self._raw.writer.write(_CONTINUE)
            self._raw.writer.output_size = 0  # counts the answer, which has not begun
