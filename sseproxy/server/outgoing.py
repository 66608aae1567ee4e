"""From the core's answer to a streamed one. A body that fails cuts the connection: it never ends cleanly."""

from contextlib import aclosing

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.exchange import Body, Response

_DRAIN_AT = 256 * 1024  # bytes written between two looks at the client's pace


class Sent:
    """How far an answer got."""

    def __init__(self) -> None:
        self.bytes_out = 0
        self.begun = False


async def send(
    request: web.BaseRequest, response: Response, headers: CIMultiDict[str], sent: Sent, *, close: bool
) -> web.StreamResponse:
    """Send an answer whose headers are complete but for its length. Raises what the body raises, connection cut."""
    if isinstance(response.body, bytes):
        return await _send_whole(request, response, response.body, headers, sent, close=close)
    async with aclosing(response.body) as body:
        return await _send_stream(request, response, body, headers, sent, close=close)


async def _send_whole(
    request: web.BaseRequest, response: Response, body: bytes, headers: CIMultiDict[str], sent: Sent, *, close: bool
) -> web.StreamResponse:
    is_bodyless = request.method == "HEAD" or response.status in {204, 304}
    if is_bodyless and response.content_length is not None and response.status not in {204, 304}:
        headers["Content-Length"] = str(response.content_length)
    answer = web.Response(status=response.status, headers=headers, body=None if is_bodyless else body)
    if close:
        answer.force_close()
    await answer.prepare(request)
    sent.begun = True
    await answer.write_eof()
    sent.bytes_out += 0 if is_bodyless else len(body)
    return answer


async def _send_stream(
    request: web.BaseRequest, response: Response, body: Body, headers: CIMultiDict[str], sent: Sent, *, close: bool
) -> web.StreamResponse:
    if response.content_length is not None:
        headers["Content-Length"] = str(response.content_length)
    answer = web.StreamResponse(status=response.status, headers=headers)
    if close:
        answer.force_close()
    await answer.prepare(request)
    sent.begun = True
    try:
        async for data in body:
            await answer.write(data)
            sent.bytes_out += len(data)
        if response.content_length is not None and sent.bytes_out != response.content_length:
            raise AssertionError("a body was not as long as announced")
        await answer.write_eof()
    except BaseException:
        if request.transport is not None:
            request.transport.abort()
        raise
    return answer
