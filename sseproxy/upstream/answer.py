"""An answer of the storage behind the `UpstreamResponse` port."""

from contextlib import aclosing

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import UpstreamUnavailable
from sseproxy.exchange import Body, header_text
from sseproxy.stage import Buffer
from sseproxy.upstream.pieces import next_piece

# Everything that aiohttp and the socket raise when an exchange fails; timeouts are `OSError`s.
TRANSPORT_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError)


class Answer:
    """Status and headers; the body as it comes, behind what of it was `said` before."""

    def __init__(self, response: aiohttp.ClientResponse, said: bytes = b"") -> None:
        self._response = response
        self._said = said
        self._headers = CIMultiDictProxy(
            CIMultiDict((header_text(name), header_text(value)) for name, value in response.raw_headers)
        )

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers as received."""
        return self._headers

    async def stream(self) -> Body:
        """Yield the body, once. Raises `UpstreamUnavailable` when it breaks off before its announced end."""
        content = self._response.content
        if self._said:
            yield self._said
        try:
            while piece := await next_piece(content):
                held = [piece]
                del piece
                yield held.pop()  # what was given away is not held while a slow reader takes its time
        except TRANSPORT_ERRORS as cause:
            raise UpstreamUnavailable("The storage broke off its answer.") from cause

    async def read(self, limit: int = 8 * 1024 * 1024) -> bytes:
        """Return the whole body. Raises `UpstreamUnavailable` where it is longer than `limit` bytes."""
        buffers: list[Buffer] = []
        size = 0
        async with aclosing(self.stream()) as body:
            async for data in body:
                size += len(data)
                if size > limit:
                    raise UpstreamUnavailable("The storage's answer is longer than expected.")
                buffers.append(data)
        return b"".join(buffers)
