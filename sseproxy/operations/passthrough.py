"""Everything that is relayed as it is: re-signed, byte-exact in path and query.

Request documents are short and held, so that their digests can be verified and the storage gets a Content-MD5 where
it may insist on one; what the storage answers in error is told again in our own words.
"""

from base64 import b64encode
from contextlib import AsyncExitStack, aclosing
from hashlib import md5
from urllib.parse import urlsplit

from sseproxy.errors import InvalidRequest
from sseproxy.exchange import Body, Request, Response
from sseproxy.operations.assertions import Assertions, read_assertions, read_document_assertions
from sseproxy.operations.backend import backend_query, refusal
from sseproxy.operations.bodies import collect, start
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.policy.forwarding import Carried, to_backend, to_client
from sseproxy.ports import UpstreamRequest, UpstreamResponse

_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_FAILED = 300
_NO_DIGEST = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"


async def pass_on(services: Services, request: Request) -> Response:
    """Relay a request and its answer.

    Raises the storage's refusal, `BodyTooLarge` for a request document beyond the limit, and what its own digests
    say of it.
    """
    return await relay(services, await passed_request(services, request))


async def passed_request(services: Services, request: Request) -> UpstreamRequest:
    """Return a client's request as it goes up, its document read and verified."""
    dialect = services.dialect
    headers = to_backend(request.headers, dialect, keep=Carried.VERBATIM)
    assertions = read_assertions(dialect, request.headers, request.content_length)
    body = await _verified(services, request, assertions)
    if assertions.trailing is not None:  # the document goes up in one piece, so its checksum goes as a header
        name = dialect.header("checksum-") + assertions.trailing.value.lower()
        headers[name] = request.trailers()[name]
    if assertions.has_digest:  # the storage may not know the client's, or insist on this one
        headers["Content-MD5"] = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    return UpstreamRequest(
        method=request.method,
        bucket=request.bucket,
        raw_key=request.raw_key,
        raw_query=backend_query(request),
        headers=headers,
        body=None if request.method in _BODYLESS and not body else body,
    )


async def verified_document(services: Services, request: Request, *, digest_needed: bool = False) -> bytes:
    """Read a request document whole and check it against what the client asserts of it.

    `digest_needed`: raises `InvalidRequest` where it asserts nothing, as the service does for configurations.
    """
    assertions = read_assertions(services.dialect, request.headers, request.content_length)
    if digest_needed and not assertions.has_digest:
        raise InvalidRequest(_NO_DIGEST)
    return await _verified(services, request, assertions)


async def digested_document(services: Services, request: Request) -> bytes:
    """Read a request document whole and check it against its Content-MD5 alone (`read_document_assertions`)."""
    return await _verified(services, request, read_document_assertions(request.headers, request.content_length))


async def _verified(services: Services, request: Request, assertions: Assertions) -> bytes:
    check = BodyCheck(assertions, services.digest_pool, md5=False, trailers=request.trailers)
    document = await collect(request.body, services.limits.request_document)
    await check.add(document)
    await check.verified()
    return document


async def relay(services: Services, request: UpstreamRequest) -> Response:
    """Send a request and pass the answer on. Raises the storage's refusal."""
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(services.upstream.send(request))
        if response.status >= _FAILED and response.status != 304:
            raise await refusal(services, response)
        headers = to_client(response.headers, services.dialect, sealed=False)
        if "Location" in headers:  # may name the storage's host
            headers["Location"] = urlsplit(headers["Location"]).path or "/"
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
