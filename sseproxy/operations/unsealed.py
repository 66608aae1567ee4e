"""Serving objects that are not sealed: as they are, but never a sealed one that lost its envelope.

A sealed body whose metadata was dropped ends in a tail; those last bytes are held back and tell (docs/format.md,
"Reading").
"""

from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

from sseproxy.errors import MetadataLost
from sseproxy.exchange import Body, Request, Response
from sseproxy.format import TAIL, is_tail
from sseproxy.operations.attributes import Found, Overwritten, Unsealed, length_of, read_end
from sseproxy.operations.backend import backend_query, expect
from sseproxy.operations.bodies import start
from sseproxy.operations.context import Services
from sseproxy.operations.pump import pump
from sseproxy.operations.reading import Stored
from sseproxy.operations.viewing import read_request
from sseproxy.policy.forwarding import to_client
from sseproxy.wire.lengths import TailGuard


async def send_whole(services: Services, unsealed: Unsealed, stored: Stored) -> Response:
    """Pass an object's body on; the connection is cut where it turns out to be a sealed one."""
    headers = to_client(unsealed.found.headers, services.dialect, sealed=False)
    return Response(
        status=200,
        headers=headers,
        body=await start(guarded(stored)),
        content_length=unsealed.size,
    )


async def send_some(services: Services, request: Request, unsealed: Unsealed) -> Response:
    """Let the storage answer a range or part of the very object that was looked at.

    Raises `MetadataLost`, `Overwritten`, and the storage's refusal.
    """
    found = unsealed.found
    await refuse_lost(services, found)
    wanted = read_request(services, request, "GET")
    wanted.headers["If-Match"] = f'"{found.backend_etag}"'
    behavior = services.dialect.range_behavior_header
    for name in ("Range", "If-Range", *([behavior[0]] if behavior else [])):
        if name in request.headers:
            wanted.headers[name] = request.headers[name]
    wanted = replace(wanted, raw_query=backend_query(request))
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(services.upstream.send(wanted))
        if response.status == 412:
            raise Overwritten
        await expect(services, response, 200, 206)
        size = length_of(response.headers)
        stored = Stored(response, stack.pop_all(), 0, size)
    is_whole = response.status == 200
    return Response(
        status=response.status,
        headers=to_client(response.headers, services.dialect, sealed=False),
        body=await start(guarded(stored) if is_whole else _as_it_is(stored)),
        content_length=size,
    )


async def refuse_lost(services: Services, found: Found) -> None:
    """Raise `MetadataLost` where an object without an envelope ends like a sealed one."""
    end = found.end
    if not end and found.stored_size >= TAIL:
        end = await read_end(services, found, TAIL)
    if is_tail(end[-TAIL:]):
        raise MetadataLost


async def guarded(stored: Stored) -> Body:
    """Yield an unsealed body; raises `MetadataLost` instead of its last bytes where they are a sealed object's."""
    async with stored.stack, aclosing(pump(stored.response.stream(), TailGuard(is_tail))) as body:
        async for data in body:
            yield data


async def _as_it_is(stored: Stored) -> Body:
    async with stored.stack, aclosing(stored.response.stream()) as body:
        async for data in body:
            yield data
