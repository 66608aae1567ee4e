"""From `exchange.Response` to the wire. A body that fails never looks complete: its connection is cut."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.exchange import Body, Response
from sseproxy.server.visit import Visit
from sseproxy.stage import Buffer

_BODYLESS = frozenset({204, 304})
_WRONG_LENGTH = "an answer's body had another length than announced"


class CutOff(ConnectionError):
    """An answer could not be brought to its end, because of `cause`; its connection has been cut."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


async def deliver(
    raw: web.BaseRequest,
    visit: Visit,
    response: Response,
    headers: CIMultiDict[str],
    *,
    timeout_s: float,
    close: bool,
) -> web.StreamResponse:
    """Send an answer under `headers`; its body is closed whatever happens. `close`: end the connection after it.

    `timeout_s` is how long the client may refuse to take more. Raises what a body raises before its first buffer,
    when nothing has been sent yet; later `CutOff`.
    """
    if isinstance(response.body, bytes):
        answer = _whole(raw, response, headers)
        with _begun(raw, visit, response):
            await _send_whole(raw, answer, timeout_s, close=close)
            visit.sent = 0 if raw.method == "HEAD" else len(response.body)
        return answer
    async with aclosing(response.body) as body:
        first = await anext(body, None)
        stream = web.StreamResponse(status=response.status, headers=headers)
        if response.content_length is not None:
            stream.content_length = response.content_length
        with _begun(raw, visit, response):
            if close:
                stream.force_close()
            await stream.prepare(raw)
            if raw.method != "HEAD" and response.status not in _BODYLESS:
                await _stream(stream, visit, first, body, response.content_length, timeout_s)
            await stream.write_eof()
    return stream


def _whole(raw: web.BaseRequest, response: Response, headers: CIMultiDict[str]) -> web.Response:
    if raw.method == "HEAD" and response.content_length is not None:
        headers["Content-Length"] = str(response.content_length)
    return web.Response(status=response.status, headers=headers, body=response.body)


async def _send_whole(raw: web.BaseRequest, answer: web.Response, timeout_s: float, *, close: bool) -> None:
    if close:
        answer.force_close()
    async with asyncio.timeout(timeout_s):
        await answer.prepare(raw)
        await answer.write_eof()


async def _stream(
    stream: web.StreamResponse, visit: Visit, first: Buffer | None, body: Body, length: int | None, timeout_s: float
) -> None:
    data = first
    while data is not None:
        visit.sent += len(data)
        if length is not None and visit.sent > length:
            raise ValueError(_WRONG_LENGTH)
        async with asyncio.timeout(timeout_s):
            await stream.write(data)
        data = await anext(body, None)
    if length is not None and visit.sent < length:
        raise ValueError(_WRONG_LENGTH)


@contextmanager
def _begun(raw: web.BaseRequest, visit: Visit, response: Response) -> Iterator[None]:
    """Cut the connection where anything fails from here on."""
    visit.status = response.status
    try:
        yield
    except BaseException as error:
        visit.aborted = True
        if raw.transport is not None:
            raw.transport.abort()
        if isinstance(error, Exception):
            raise CutOff(error) from error
        raise
