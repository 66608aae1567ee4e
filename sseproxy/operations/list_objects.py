"""Listings: the storage's own, with the sizes and ETags that clients know (docs/format.md, "ETag")."""

import asyncio
from collections.abc import Iterator

from sseproxy.dialect.base import ListedEntry
from sseproxy.errors import SseProxyError
from sseproxy.exchange import Request, Response
from sseproxy.format import plaintext_size
from sseproxy.model import ObjectRef
from sseproxy.operations.answers import shown_checksum
from sseproxy.operations.attributes import Closed, Opened, glance
from sseproxy.operations.backend import Address, expect
from sseproxy.operations.context import Services
from sseproxy.operations.etags import opaque_etag
from sseproxy.operations.passthrough import passed_request
from sseproxy.policy.forwarding import to_client
from sseproxy.signing.canonical import encode_key

_MOST_LISTING = 16 * 1024 * 1024  # bytes of a page; 1,000 long keys with owners are about 2 MiB


async def list_objects(services: Services, request: Request) -> Response:
    """Serve ListObjects, v1 and v2, and ListObjectVersions.

    Every entry that may be sealed is looked up, `limits.lookups` at a time over all listings. One that cannot be opened
    is shown with its size by arithmetic and an opaque ETag: a listing never fails for one object.
    """
    async with services.upstream.send(await passed_request(services, request)) as response:
        await expect(services, response, 200)
        document = await response.read(_MOST_LISTING)
        headers = to_client(response.headers, services.dialect, sealed=False)
    entries = services.dialect.xml.parse_listing(document)
    sealed = [entry for entry in entries if plaintext_size(entry.stored_size) is not None]
    waiting = iter(sealed)
    async with asyncio.TaskGroup() as workers:
        for _ in range(min(services.limits.lookups, len(sealed))):
            workers.create_task(_look_up(services, request.bucket or "", waiting))
    shown = services.dialect.xml.render_listing(document, entries)
    return Response(status=200, headers=headers, body=shown, content_length=len(shown))


async def _look_up(services: Services, bucket: str, entries: Iterator[ListedEntry]) -> None:
    """Work on entries until none is left; several of these share the iterator."""
    for entry in entries:
        address = Address(ObjectRef(bucket, entry.key, entry.version_id), encode_key(entry.key))
        try:
            async with services.look_ups:
                subject = await glance(services, address)
        except SseProxyError as error:
            services.observer.event("entry_not_opened", bucket=bucket, key=entry.key, error=type(error).__name__)
            entry.size = plaintext_size(entry.stored_size) or 0
            entry.etag = opaque_etag(entry.stored_etag)
            continue
        if isinstance(subject, Opened | Closed):
            entry.size = subject.size
            entry.etag = subject.etag
        if isinstance(subject, Opened):
            entry.checksum = shown_checksum(subject.attributes) if subject.attributes is not None else None
