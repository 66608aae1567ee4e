"""GetObject: find, judge, locate, open, trim, answer.

A whole object costs one request to the storage where its envelope has the footer's copy, else two; a range costs
two. The body request carries the storage's ETag, so that two versions never mix; where the object is overwritten in
between, everything begins again.
"""

from contextlib import AsyncExitStack

from sseproxy.exchange import Body, Request, Response
from sseproxy.operations.attributes import Found, Opened, length_of, look, open_found, probe, settled
from sseproxy.operations.backend import address_of, expect
from sseproxy.operations.bodies import collect, start
from sseproxy.operations.client_encryption import in_the_clear
from sseproxy.operations.context import Services
from sseproxy.operations.customer_keys import customer_key_of
from sseproxy.operations.object_body import object_body
from sseproxy.operations.ranges import Wanted, asks_for_some, requested_part, wanted_of
from sseproxy.operations.reading import Stored
from sseproxy.operations.symlinks import as_link, target_of
from sseproxy.operations.unsealed import send_some, send_whole
from sseproxy.operations.viewing import judge, read_request, view_response

_HELD_ANSWER = 64 * 1024  # bytes of plaintext up to which a body is verified whole before the answer begins


async def get_object(services: Services, request: Request) -> Response:
    """Serve GetObject. The first frame has been verified when this returns."""
    requested_part(request)  # refuses nonsense before anything is asked
    attempt = _get_some if asks_for_some(request) else _get_whole
    answer = await settled(services, lambda: attempt(services, request))
    return await in_the_clear(services, address_of(request).ref, answer)


async def _get_whole(services: Services, request: Request) -> Response:
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(services.upstream.send(read_request(services, request, "GET")))
        await expect(services, response, 200)
        target = await target_of(services, request, response.headers)
        if target is not None:
            return as_link(services.dialect, await _get_whole(services, target), response.headers)
        size = length_of(response.headers)
        found = Found(address=address_of(request), headers=response.headers, stored_size=size)
        subject = await open_found(services, found, customer_key_of(services, request))
        refused = judge(services, request, subject)
        if refused is not None:
            return refused
        if isinstance(subject, Opened):
            answer = view_response(services, request, subject, Wanted())
            body = object_body(services, subject, stored=Stored(response, stack.pop_all(), 0, size))
            answer.body = await _begun(body, subject.size)
            return answer
        return await send_whole(services, subject, Stored(response, stack.pop_all(), 0, size))


async def _get_some(services: Services, request: Request) -> Response:
    address = address_of(request)
    found = await probe(services, address, read_request(services, request, "GET"))
    target = await target_of(services, request, found.headers) if found is not None else None
    if found is not None and target is not None:
        return as_link(services.dialect, await _get_some(services, target), found.headers)
    key = customer_key_of(services, request)
    subject = await (look(services, address, key) if found is None else open_found(services, found, key))
    refused = judge(services, request, subject)
    if refused is not None:
        return refused
    if not isinstance(subject, Opened):
        return await send_some(services, request, subject)
    wanted = wanted_of(services.dialect, request, subject)
    answer = view_response(services, request, subject, wanted)
    length = subject.size if wanted.range is None else wanted.range.length
    answer.body = await _begun(object_body(services, subject, wanted.range), length)
    return answer


async def _begun(body: Body, length: int) -> bytes | Body:
    """Return a short body whole and verified, of a long one at least the first frame."""
    return await collect(body, length) if length <= _HELD_ANSWER else await start(body)
