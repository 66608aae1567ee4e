"""How fast one connection may move an object: OSS's `x-oss-traffic-limit` (OSS dossier §3.4, §6.7).

The storage is told as well, but what it holds back is one exchange of several: only here everything that a client sends
or gets is counted.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from sseproxy.dialect.base import Operation, TrafficLimit
from sseproxy.errors import InvalidArgument
from sseproxy.exchange import Body, Request, Response
from sseproxy.wire.numbers import natural

_BITS = 8
_MOVING = frozenset(
    {
        Operation.PUT_OBJECT,
        Operation.POST_OBJECT,
        Operation.APPEND_OBJECT,
        Operation.UPLOAD_PART,
        Operation.GET_OBJECT,
        Operation.COPY_OBJECT,
        Operation.UPLOAD_PART_COPY,
    }
)


def traffic_limit(limit: TrafficLimit | None, request: Request, operation: Operation) -> int | None:
    """Return how many bytes per second a request allows, None where it says nothing, or moves no object.

    It says so in a header or in its query. Raises `InvalidArgument` for what is no number within the bounds.
    """
    if limit is None or operation not in _MOVING:
        return None
    texts = [source[limit.name] for source in (request.headers, request.query) if limit.name in source]
    rates = [_rate(limit, text) for text in texts]
    return min(rates, default=None)


def _rate(limit: TrafficLimit, text: str) -> int:
    rate = natural(text)
    if rate is None or not limit.least <= rate <= limit.most:
        raise InvalidArgument(
            f"{limit.name} must be a number of bits per second from {limit.least} to {limit.most}.",
            ArgumentName=limit.name,
            ArgumentValue=text,
        )
    return rate // _BITS


def paced_request(request: Request, bytes_per_s: int) -> Request:
    """Return a request whose body is read no faster than that."""
    return replace(request, body=paced(request.body, bytes_per_s))


def paced_response(response: Response, bytes_per_s: int) -> Response:
    """Return an answer whose body is sent no faster than that. One that is held whole is short, and goes out."""
    if isinstance(response.body, bytes):
        return response
    return replace(response, body=paced(response.body, bytes_per_s))


async def paced(body: Body, bytes_per_s: int) -> Body:
    """Pass a body on and close it; the next buffer comes when the ones before it have had their time."""
    now: Callable[[], float] = asyncio.get_running_loop().time
    due = now()
    async with aclosing(body):
        async for data in body:
            await asyncio.sleep(max(due - now(), 0))
            due = max(due, now()) + len(data) / bytes_per_s
            yield data
