"""CompleteMultipartUpload: the listed attempts become the object, closed by a tail part that the proxy sends.

A Complete that is sent again after it succeeded gets the same answer (docs/format.md, "Multipart").
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from multidict import CIMultiDict

from sseproxy.dialect.base import CompletedPart, CompletedUpload
from sseproxy.errors import (
    ChecksumMismatch,
    CustomerKeyNeeded,
    CustomerKeyNotApplicable,
    InvalidArgument,
    InvalidRequest,
    NoSuchUpload,
    NotFound,
    SseProxyError,
    UpstreamAnswered,
    WrongCustomerKey,
)
from sseproxy.exchange import Body, Request, Response
from sseproxy.format import (
    Attributes,
    ClosingKeys,
    DataKey,
    Envelope,
    PartRecord,
    closing,
    segment_stored_size,
    stored_size,
)
from sseproxy.model import ChecksumAlgorithm
from sseproxy.operations.answers import completed_headers, shown_checksum, sse_headers
from sseproxy.operations.attributes import Opened, glance, look
from sseproxy.operations.backend import Address, address_of, expect, refusal
from sseproxy.operations.completion import (
    attributes_of,
    candidates,
    check_listed_checksums,
    check_order,
    check_sizes,
    etag_from_list,
    known_checksum,
    missing_part,
    tail_number,
)
from sseproxy.operations.context import Services
from sseproxy.operations.customer_keys import customer_key_of
from sseproxy.operations.etags import bare_etag, client_etag
from sseproxy.operations.list_parts import backend_parts, is_kept, present_parts
from sseproxy.operations.passthrough import digested_document
from sseproxy.operations.shown_entries import remember
from sseproxy.operations.store_conditions import on_complete
from sseproxy.operations.upload_keys import open_for_closing
from sseproxy.operations.uploads import Upload, forget_upload, kept_key, load_attempts, load_upload, upload_query
from sseproxy.operations.write_conditions import write_conditions
from sseproxy.policy.client_encryption import check_completion, said_in
from sseproxy.ports import UpstreamRequest
from sseproxy.wire.digests import parse_checksum

_DOCUMENT = 256 * 1024  # bytes of the backend's answer
_BOTH = "Should not speficy both complete all header and http body."  # sic: the service's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """An object that an upload has become: what the answer tells of it."""

    envelope: Envelope
    attributes: Attributes | None
    etag: str
    version_id: str | None


async def complete_upload(services: Services, request: Request) -> Response:
    """Serve CompleteMultipartUpload."""
    address = address_of(request)
    listed = await _listed(services, request)
    upload_id = request.query.get("uploadId", "")
    try:
        upload = await load_upload(services.state, address.ref, upload_id)
        if upload is None:
            raise NoSuchUpload(UploadId=upload_id)
        completed = await _complete(services, request, upload, listed)
    except (NoSuchUpload, UpstreamAnswered) as error:
        if not _says_gone(error):
            raise
        completed = await _completed_before(services, request, listed, error)
    services.uploads.forget(address.ref, upload_id)
    await forget_upload(services.state, address.ref, upload_id)
    return _answer(services, request, completed)


async def _listed(services: Services, request: Request) -> Sequence[CompletedPart] | None:
    """Return the parts that the request lists, None where it means whatever has been uploaded."""
    document = await digested_document(services, request)
    name, value = services.dialect.complete_all_header or ("", "")
    if name and request.headers.get(name, "").lower() == value:
        if document:
            raise InvalidArgument(_BOTH, ArgumentName=name, ArgumentValue=request.headers[name])
        return None
    listed = services.dialect.xml.parse_complete(document)
    check_order(listed)
    return listed


async def _everything(
    services: Services, address: Address, upload: Upload, key: DataKey | ClosingKeys
) -> Sequence[CompletedPart]:
    """Return a list of all parts that the upload has, each as it was sent last."""
    present = await present_parts(services, address, upload, key)
    listed = [CompletedPart(number=part.number, etag=part.etag) for part in present]
    check_order(listed)
    return listed


async def _complete(
    services: Services, request: Request, upload: Upload, listed: Sequence[CompletedPart] | None
) -> Completed:
    address = address_of(request)
    key = await open_for_closing(services, request, upload, completes=True)
    headers = await write_conditions(services, request, on_complete)
    headers.update(_said_acl(services, request))
    if listed is None:
        listed = await _everything(services, address, upload, key)
    records = await _records(services, upload, key)
    chosen = await _choose(services, address, upload, listed, records)
    check_sizes(chosen, services.dialect.limits.smallest_part)
    check_listed_checksums(upload, listed, chosen)
    if upload.client_encryption is not None:
        sizes = [(record.number, record.plaintext_size) for record in chosen]
        check_completion(said_in(request.headers, services.dialect), upload.client_encryption, sizes)
    attributes = attributes_of(upload, chosen)
    _check_asserted(services, request, upload, attributes)
    number = tail_number(chosen, records)
    tail_etag = await _send_tail(services, address, upload, key, attributes, chosen[-1], number)
    parts = [(record.number, record.backend_etag) for record in chosen if not record.kept]
    answer = await _finish(services, address, upload, [*parts, (number, tail_etag)], headers)
    await remember(services, address.ref, attributes, answer.etag, answer.version_id)
    is_opaque = attributes.md5 is None or (await services.bucket_states.for_view(address.ref.bucket)).opaque_etags
    if not answer.etag and is_opaque:  # Ceph RGW leaves the ETag out of this answer
        etag = (await glance(services, address)).etag
    else:
        etag = client_etag(None if is_opaque else attributes, answer.etag)
    return Completed(envelope=upload.envelope, attributes=attributes, etag=etag, version_id=answer.version_id)


def _said_acl(services: Services, request: Request) -> dict[str, str]:
    """Return the ACL that OSS takes on Complete too (OSS dossier §6.2); S3 takes it on Create alone."""
    name = services.dialect.object_acl_header
    return {} if name is None or name not in request.headers else {name: request.headers[name]}


async def _records(services: Services, upload: Upload, key: DataKey | ClosingKeys) -> list[PartRecord]:
    async with aclosing(load_attempts(services.state, upload, key)) as attempts:
        return [attempt.record async for attempt in attempts]


async def _choose(
    services: Services,
    address: Address,
    upload: Upload,
    listed: Sequence[CompletedPart],
    records: Sequence[PartRecord],
) -> list[PartRecord]:
    """Return the one attempt per listed part that the object is made of.

    Where equal bytes were sent twice, both attempts have the listed ETag, and the backend has only one of them.
    """
    found = candidates(listed, records, upload.upload_id)
    if all(len(attempts) == 1 for attempts in found):
        return [attempts[0] for attempts in found]
    present = {part.number: part.etag async for part in backend_parts(services, address, upload.upload_id)}
    chosen = []
    for part, attempts in zip(listed, found, strict=True):
        fitting = [record for record in attempts if await _is_present(services, upload, record, present)]
        if not fitting:
            raise missing_part(part, upload.upload_id)
        chosen.append(fitting[-1])
    return chosen


async def _is_present(services: Services, upload: Upload, record: PartRecord, present: dict[int, str]) -> bool:
    if record.kept:
        return await is_kept(services.state, upload, record)
    return present.get(record.number) == record.backend_etag


def _check_asserted(services: Services, request: Request, upload: Upload, attributes: Attributes) -> None:
    """Raise where the request says something else of the whole object than is true (S3 dossier §4.2, §4.3)."""
    if not services.dialect.checksum_headers:
        return
    size = request.headers.get(services.dialect.header("mp-object-size"))
    if size is not None and size != str(attributes.plaintext_size):
        raise InvalidRequest(
            f"The provided 'x-amz-mp-object-size' header value {size} does not match what was computed: "
            f"{attributes.plaintext_size}"
        )
    kind = request.headers.get(services.dialect.header("checksum-type"))
    if kind is not None and (upload.checksum_type is None or kind != upload.checksum_type.value):
        created = upload.checksum_type.value if upload.checksum_type else "null"
        raise InvalidRequest(
            f"The upload was created using the {created} checksum mode. The complete request must use the same "
            "checksum mode."
        )
    _check_asserted_checksums(services, request, attributes)


def _check_asserted_checksums(services: Services, request: Request, attributes: Attributes) -> None:
    for algorithm in ChecksumAlgorithm:
        text = request.headers.get(services.dialect.header(f"checksum-{algorithm.value.lower()}"))
        if text is None:
            continue
        known = known_checksum(attributes, algorithm)
        if known is None:
            expected = attributes.checksum.algorithm.value.lower() if attributes.checksum is not None else "null"
            raise InvalidRequest(
                f"Checksum Type mismatch occurred, expected checksum Type: {expected}, "
                f"actual checksum Type: {algorithm.value.lower()}"
            )
        value, _, count = text.partition("-")
        if parse_checksum(algorithm, value) != known or count not in {"", str(attributes.part_count)}:
            raise ChecksumMismatch(f"The {algorithm.value} you specified did not match the calculated checksum.")


async def _send_tail(
    services: Services,
    address: Address,
    upload: Upload,
    key: DataKey | ClosingKeys,
    attributes: Attributes,
    last: PartRecord,
    number: int,
) -> str:
    """Send the part that closes the object and return its backend ETag.

    The same list gives the same bytes, so it does not matter which of two Completes sent it last.
    """
    segments = sum(segment_stored_size(entry.plaintext_size) for entry in attributes.segments)
    ending = b"".join(closing(key, attributes, upload.envelope, sealed_so_far=segments))
    kept = segment_stored_size(last.plaintext_size) if last.kept else 0
    request = UpstreamRequest(
        method="PUT",
        bucket=address.ref.bucket,
        raw_key=address.raw_key,
        raw_query=upload_query(upload.upload_id, number),
        body=_kept_and(services, upload, last, ending) if last.kept else ending,
        content_length=stored_size(attributes.plaintext_size) - segments + kept,
    )
    async with services.upstream.send(request) as response:
        await expect(services, response, 200)
        return bare_etag(response.headers.get("ETag"))


async def _kept_and(services: Services, upload: Upload, last: PartRecord, ending: bytes) -> Body:
    """Yield a kept part's stored bytes and what closes the object.

    Raises `InvalidPart` where the part was kept again with other bytes in between.
    """
    part = CompletedPart(number=last.number, etag=last.etag)
    left, start = segment_stored_size(last.plaintext_size), b""
    async with services.state.get_stream(kept_key(upload, last.number)) as body:
        if body is None:
            raise missing_part(part, upload.upload_id)
        async for data in body:
            if len(start) < len(last.salt):
                start += bytes(data[: len(last.salt) - len(start)])
                if start != last.salt[: len(start)]:
                    raise missing_part(part, upload.upload_id)
            left -= len(data)
            if left < 0:
                raise missing_part(part, upload.upload_id)
            yield data
    if left:
        raise missing_part(part, upload.upload_id)
    yield ending


@dataclass(frozen=True, slots=True)
class _BackendAnswer:
    etag: str
    version_id: str | None


async def _finish(
    services: Services,
    address: Address,
    upload: Upload,
    parts: Sequence[tuple[int, str]],
    headers: CIMultiDict[str],
) -> _BackendAnswer:
    request = UpstreamRequest(
        method="POST",
        bucket=address.ref.bucket,
        raw_key=address.raw_key,
        raw_query=upload_query(upload.upload_id),
        headers=CIMultiDict([*headers.items(), ("Content-Type", "application/xml")]),
        body=services.dialect.xml.render_complete_request(parts),
    )
    async with services.upstream.send(request) as response:
        if response.status != 200:
            raise await refusal(services, response)
        # A backend may answer 200 and then tell of a failure in the document (S3 dossier §7.6).
        etag = services.dialect.xml.parse_completed(await response.read(_DOCUMENT))
        version_id = response.headers.get(services.dialect.header("version-id"))
        return _BackendAnswer(etag or bare_etag(response.headers.get("ETag")), version_id)


def _says_gone(error: SseProxyError) -> bool:
    return isinstance(error, NoSuchUpload) or (isinstance(error, UpstreamAnswered) and error.code == "NoSuchUpload")


async def _completed_before(
    services: Services, request: Request, listed: Sequence[CompletedPart] | None, error: SseProxyError
) -> Completed:
    """Return the object that an earlier Complete with this list made; raises `error` where there is none, or no list.

    Under a customer's key that can only be told where the request brings that key.
    """
    if listed is None:
        raise error
    try:
        opened = await look(services, address_of(request), customer_key_of(services, request))
    except (NotFound, UpstreamAnswered, CustomerKeyNeeded, CustomerKeyNotApplicable, WrongCustomerKey):
        raise error from None
    if not isinstance(opened, Opened) or opened.attributes is None or not _is_made_of(opened, listed):
        raise error
    version = opened.found.headers.get(services.dialect.header("version-id"))
    return Completed(envelope=opened.envelope, attributes=opened.attributes, etag=opened.etag, version_id=version)


def _is_made_of(opened: Opened, listed: Sequence[CompletedPart]) -> bool:
    attributes = opened.attributes
    if attributes is None or attributes.part_count != len(listed):
        return False
    if [entry.number for entry in attributes.segments] != [part.number for part in listed]:
        return False
    if attributes.md5 is not None:
        return etag_from_list(listed) == attributes.md5
    etags = [opened.key.part_etag(entry.salt) for entry in attributes.segments]
    return etags == [part.etag.lower() for part in listed]


def _answer(services: Services, request: Request, completed: Completed) -> Response:
    scheme = "https" if request.secure else "http"
    address = address_of(request)
    checksum = shown_checksum(completed.attributes) if completed.attributes is not None else None
    document = services.dialect.xml.render_completed(
        CompletedUpload(
            location=f"{scheme}://{request.headers.get('Host', '')}{request.raw_path}",
            bucket=address.ref.bucket,
            key=address.ref.key,
            etag=completed.etag,
            url_encoded=request.query.get("encoding-type") == "url",
            checksum=checksum,
            part_count=completed.attributes.part_count if completed.attributes is not None else None,
        )
    )
    headers = completed_headers(services.dialect, completed.envelope, completed.attributes, completed.etag)
    if services.dialect.sse.is_customer_key_completing:
        headers.update(sse_headers(services.dialect, completed.envelope, customer_key_of(services, request)))
    if completed.version_id is not None:
        headers[services.dialect.header("version-id")] = completed.version_id
    headers["Content-Type"] = "application/xml"
    return Response(status=200, headers=headers, body=document)
