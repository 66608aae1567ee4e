"""Everything that is relayed as it is: re-signed, byte-exact in path and query.

Request documents are short and held, so that their digests can be verified and the storage gets a Content-MD5 where
it may insist on one; what the storage answers in error is told again in our own words.
"""

from base64 import b64encode
from contextlib import AsyncExitStack, aclosing
from hashlib import md5

from sseproxy.exchange import Body, Request, Response
from sseproxy.operations.assertions import read_assertions
from sseproxy.operations.backend import backend_query, refusal
from sseproxy.operations.bodies import collect, start
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.policy.forwarding import to_backend, to_client
from sseproxy.ports import UpstreamRequest, UpstreamResponse

_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range", "If-Range")
_FAILED = 300


async def pass_on(services: Services, request: Request) -> Response:
    """Relay a request and its answer.

    Raises the storage's refusal, `BodyTooLarge` for a request document beyond the limit, and what its own digests
    say of it.
    """
    return await relay(services, await passed_request(services, request))


async def passed_request(services: Services, request: Request) -> UpstreamRequest:
    """Return a client's request as it goes up, its document read and verified."""
    headers = to_backend(request.headers, services.dialect)
    for name in _CONDITIONS:
        if name in request.headers:
            headers[name] = request.headers[name]
    body, has_digest = await _document(services, request)
    if has_digest:  # the client's own may be of a kind that the storage does not know, or insist on this one
        headers["Content-MD5"] = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    return UpstreamRequest(
        method=request.method,
        bucket=request.bucket,
        raw_key=request.raw_key,
        raw_query=backend_query(request),
        headers=headers,
        body=None if request.method in _BODYLESS and not body else body,
    )


async def verified_document(services: Services, request: Request) -> bytes:
    """Read a request document whole and check it against what the client asserts of it."""
    return (await _document(services, request))[0]


async def _document(services: Services, request: Request) -> tuple[bytes, bool]:
    """Return a request's verified document, and whether the client sent a digest of it."""
    assertions = read_assertions(services.dialect, request.headers, request.content_length)
    check = BodyCheck(assertions, services.digest_pool, md5=False, trailers=request.trailers)
    document = await collect(request.body, services.limits.request_document)
    await check.add(document)
    await check.verified()
    return document, assertions.has_digest


async def relay(services: Services, request: UpstreamRequest) -> Response:
    """Send a request and pass the answer on. Raises the storage's refusal."""
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(services.upstream.send(request))
        if response.status >= _FAILED and response.status != 304:
            raise await refusal(services, response)
        headers = to_client(response.headers, services.dialect, sealed=False)
        length = response.headers.get("Content-Length")
        if request.method == "HEAD" or response.status in {204, 304}:
            return Response(status=response.status, headers=headers, content_length=int(length) if length else None)
        if length == "0":
            return Response(status=response.status, headers=headers)
        body = await start(_relayed(response, stack.pop_all()))
    return Response(status=response.status, headers=headers, body=body, content_length=int(length) if length else None)


async def _relayed(response: UpstreamResponse, stack: AsyncExitStack) -> Body:
    async with stack, aclosing(response.stream()) as body:
        async for data in body:
            yield data
