"""HeadObject and OSS's GetObjectMeta: what GetObject would tell, without a body."""

from dataclasses import replace

from multidict import CIMultiDict

from sseproxy.exchange import Request, Response
from sseproxy.operations.attributes import Found, Opened, Unsealed, length_of, open_found, settled
from sseproxy.operations.backend import address_of, backend_query, expect
from sseproxy.operations.client_encryption import in_the_clear
from sseproxy.operations.context import Services
from sseproxy.operations.customer_keys import customer_key_of
from sseproxy.operations.ranges import requested_part, wanted_of
from sseproxy.operations.symlinks import as_link, target_of
from sseproxy.operations.viewing import judge, read_request, view_response
from sseproxy.policy.forwarding import to_client
from sseproxy.wire.byte_ranges import content_range

_DECIDED_HERE = frozenset({"partnumber", "objectmeta"})  # in the query, lower case
_META = ("Content-Length", "ETag", "Last-Modified")


async def head_object(services: Services, request: Request) -> Response:
    """Serve HeadObject. An archived object is shown with its true size and an opaque ETag."""
    requested_part(request)
    answer = await settled(services, lambda: _head(services, request))
    return await in_the_clear(services, address_of(request).ref, answer)


async def get_object_meta(services: Services, request: Request) -> Response:
    """Serve OSS's GetObjectMeta: size, ETag, date, CRC and version id alone (OSS dossier §6.4)."""
    shown = await head_object(services, request)
    headers: CIMultiDict[str] = CIMultiDict()
    crc64 = services.dialect.crc64_header
    for name in (*_META, services.dialect.header("version-id"), *([crc64] if crc64 else [])):
        if name in shown.headers:
            headers[name] = shown.headers[name]
    return replace(shown, headers=headers)


async def _head(services: Services, request: Request) -> Response:
    wanted = replace(read_request(services, request, "HEAD"), raw_query=backend_query(request, without=_DECIDED_HERE))
    async with services.upstream.send(wanted) as response:
        await expect(services, response, 200)
        target = await target_of(services, request, response.headers)
        if target is not None:
            return as_link(services.dialect, await _head(services, target), response.headers)
        size = length_of(response.headers)
        found = Found(address=address_of(request), headers=response.headers, stored_size=size)
    key = customer_key_of(services, request)
    subject = await open_found(services, found, key, is_archive_shown=True)
    refused = judge(services, request, subject)
    if refused is not None:
        return refused
    if isinstance(subject, Opened):
        return view_response(services, request, subject, wanted_of(services.dialect, request, subject))
    return await _unsealed(services, request, subject)


async def _unsealed(services: Services, request: Request, unsealed: Unsealed) -> Response:
    if requested_part(request) is not None:
        return await _unsealed_part(services, request)
    headers = to_client(unsealed.found.headers, services.dialect, sealed=False)
    wanted = wanted_of(services.dialect, request, unsealed)
    if wanted.range is None:
        return Response(status=200, headers=headers, content_length=unsealed.size)
    headers["Content-Range"] = content_range(wanted.range, unsealed.size)
    return Response(status=206, headers=headers, content_length=wanted.range.length)


async def _unsealed_part(services: Services, request: Request) -> Response:
    """Let the storage tell of a part of an object that is not sealed: only it knows the parts."""
    part = replace(read_request(services, request, "HEAD"), raw_query=backend_query(request))
    async with services.upstream.send(part) as response:
        await expect(services, response, 200, 206)
        headers = to_client(response.headers, services.dialect, sealed=False)
        return Response(status=response.status, headers=headers, content_length=length_of(response.headers))
