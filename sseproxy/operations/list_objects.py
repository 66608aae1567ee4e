"""Listings: the storage's own, with the sizes and ETags that clients know (docs/format.md, "ETag")."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

from sseproxy.dialect.base import ListedEntry
from sseproxy.errors import SseProxyError, UpstreamAnswered
from sseproxy.exchange import Request, Response
from sseproxy.format import plaintext_size
from sseproxy.format.cached_entry import EntryIdentity, ShownEntry
from sseproxy.model import Checksum, ObjectRef
from sseproxy.operations.attributes import Closed, Opened, Unsealed, glance
from sseproxy.operations.backend import Address, expect
from sseproxy.operations.bucket_states import BucketState
from sseproxy.operations.context import Services
from sseproxy.operations.etags import opaque_etag
from sseproxy.operations.passthrough import passed_request
from sseproxy.operations.shown_entries import NO_VERSION, computed_entry, shown_entry
from sseproxy.policy.forwarding import to_client
from sseproxy.signing.canonical import encode_key
from sseproxy.wire.headers import parse_iso_date

_MOST_LISTING = 16 * 1024 * 1024  # bytes of a page; 1,000 long keys with owners are about 2 MiB
_SETTLED = timedelta(minutes=1)  # so much older than now: a change would give another date, to the second


async def list_objects(services: Services, request: Request) -> Response:
    """Serve ListObjects, v1 and v2, and ListObjectVersions.

    In a sealed bucket with opaque ETags entries are computed. Elsewhere every entry that may be sealed and is not known
    yet is looked up, `limits.lookups` at a time over all listings. One that cannot be opened is shown with its size by
    arithmetic and an opaque ETag: a listing never fails for one object. One that is not there any more is left out.
    """
    bucket = request.bucket or ""
    async with services.upstream.send(await passed_request(services, request)) as response:
        await expect(services, response, 200)
        document = await response.read(_MOST_LISTING)
        headers = to_client(response.headers, services.dialect, sealed=False)
    entries = services.dialect.xml.parse_listing(document)
    state = await services.bucket_states.for_view(bucket)
    unknown = _computed(services, entries) if _tells_all(services, state) else entries
    sealed = [entry for entry in unknown if _may_be_sealed(entry, state)]
    await _fill(services, bucket, sealed, opaque=state.opaque_etags)
    shown = services.dialect.xml.render_listing(document, entries)
    return Response(status=200, headers=headers, body=shown, content_length=len(shown))


def _tells_all(services: Services, state: BucketState) -> bool:
    """Whether the storage's listing tells everything: an object that grew by appending only where it names types."""
    return state.opaque_etags and (not state.appended or services.dialect.object_type_header is not None)


def _computed(services: Services, entries: Sequence[ListedEntry]) -> list[ListedEntry]:
    """Show what can be computed of the entries, and return the others."""
    others = []
    for entry in entries:
        shown = computed_entry(entry)
        if shown is None:
            others.append(entry)
        else:
            _show(entry, shown)
    services.observer.count("listing_entries_total", len(entries) - len(others), known="computed")
    return others


def _may_be_sealed(entry: ListedEntry, state: BucketState) -> bool:
    """Whether to look at an object. A link is shown as the storage lists it: it has no bytes of its own."""
    if entry.link:
        return False
    return state.sealed or entry.appendable or plaintext_size(entry.stored_size) is not None


async def _fill(services: Services, bucket: str, entries: Sequence[ListedEntry], *, opaque: bool) -> None:
    """Set what clients are shown of each entry: from the cache, or by a look at the object.

    `opaque`: the bucket shows no other ETags. The cache, which outlives that, keeps what the footers say.
    """
    unknown = await _known(services, {_identity(bucket, entry): entry for entry in entries}, opaque=opaque)
    dated = {_identity(bucket, entry, dated=True): entry for entry in unknown}
    unknown = await _known(services, dated, opaque=opaque)
    learnt: dict[EntryIdentity, ShownEntry] = {}
    waiting = iter(unknown)
    async with asyncio.TaskGroup() as workers:
        for _ in range(min(services.limits.lookups, len(unknown))):
            workers.create_task(_look_up(services, bucket, waiting, learnt))
    await services.known_entries.put(learnt)


async def _known(
    services: Services, entries: Mapping[EntryIdentity, ListedEntry], *, opaque: bool
) -> list[ListedEntry]:
    """Show what is known of the entries, and return the others."""
    found = await services.known_entries.get(list(entries))
    unknown = []
    for entry, shown in zip(entries.values(), found, strict=True):
        if shown is None:
            unknown.append(entry)
        else:
            _show(entry, replace(shown, etag=opaque_etag(entry.stored_etag)) if opaque else shown)
    return unknown


async def _look_up(
    services: Services, bucket: str, entries: Iterator[ListedEntry], learnt: dict[EntryIdentity, ShownEntry]
) -> None:
    """Work on entries until none is left; several of these share the iterator."""
    for entry in entries:
        try:
            async with services.look_ups:
                subject = await _glance(services, bucket, entry)
        except SseProxyError as error:
            if _says_gone(error):
                entry.is_gone = True  # deleted since it was listed
                continue
            services.observer.event("entry_not_opened", bucket=bucket, key=entry.key, error=type(error).__name__)
            entry.size = plaintext_size(entry.stored_size) or 0
            entry.etag = opaque_etag(entry.stored_etag)
            continue
        same = (subject.found.backend_etag, subject.found.stored_size) == (entry.stored_etag, entry.stored_size)
        if isinstance(subject, Opened | Closed):
            shown = ShownEntry(subject.size, subject.etag)
            if isinstance(subject, Opened) and subject.attributes is not None:
                known = shown_entry(subject.attributes, subject.found.backend_etag)
                shown = replace(known, etag=subject.etag)
                if same:
                    learnt[_identity(bucket, entry)] = known
            _show(entry, shown)
        elif same and _is_settled(services, entry):
            learnt[_identity(bucket, entry, dated=True)] = ShownEntry(subject.size, subject.etag)


async def _glance(services: Services, bucket: str, entry: ListedEntry) -> Opened | Unsealed | Closed:
    """Look at an object or version. versitygw lists version `null`, but knows it only as the present object."""
    address = Address(ObjectRef(bucket, entry.key, entry.version_id), encode_key(entry.key))
    try:
        return await glance(services, address)
    except UpstreamAnswered as error:
        if not _says_gone(error) or entry.version_id != NO_VERSION:
            raise
        present = await glance(services, replace(address, ref=ObjectRef(bucket, entry.key)))
        if present.found.headers.get(services.dialect.header("version-id"), NO_VERSION) != NO_VERSION:
            raise  # another version is the present one
        return present


def _says_gone(error: SseProxyError) -> bool:
    return isinstance(error, UpstreamAnswered) and error.status == HTTPStatus.NOT_FOUND


def _identity(bucket: str, entry: ListedEntry, *, dated: bool = False) -> EntryIdentity:
    return EntryIdentity(
        bucket=bucket,
        key=entry.key,
        version_id=entry.version_id,
        backend_etag=entry.stored_etag,
        stored_size=entry.stored_size,
        last_modified=entry.last_modified if dated else "",
    )


def _is_settled(services: Services, entry: ListedEntry) -> bool:
    """Whether the entry's date is so old that whatever happens to the object now gives it another one."""
    try:
        return services.clock.now() - parse_iso_date(entry.last_modified) > _SETTLED
    except ValueError:
        return False


def _show(entry: ListedEntry, shown: ShownEntry) -> None:
    entry.size = shown.size
    entry.etag = shown.etag
    if shown.checksum is not None:
        algorithm, kind = shown.checksum
        entry.checksum = Checksum(algorithm=algorithm, type=kind, value=b"")
