"""UploadPart: a part becomes segment n of the object to be, sealed under a salt of its own.

Parts that the backend would refuse to have followed by another one, and part 10,000, are *kept* in the state bucket
until Complete (docs/format.md, "Multipart").
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from sseproxy.errors import EntityTooLarge, InvalidRequest, NoSuchUpload, UpstreamError
from sseproxy.exchange import Body, Request, Response, body_of
from sseproxy.format import DataKey, PartRecord, SegmentSealer, segment_stored_size
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType, EtagMode
from sseproxy.operations.answers import part_headers
from sseproxy.operations.assertions import BodyFacts, read_assertions
from sseproxy.operations.backend import Address, address_of, expect
from sseproxy.operations.bodies import collect_head, preceded
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.operations.customer_keys import customer_key_of
from sseproxy.operations.etags import bare_etag
from sseproxy.operations.part_numbers import MOST_PARTS, part_number
from sseproxy.operations.plan import largest_plaintext
from sseproxy.operations.sealing import seal_segment
from sseproxy.operations.upload_keys import open_upload
from sseproxy.operations.uploads import Upload, forget_upload, is_open, kept_key, save_record, upload_query
from sseproxy.policy.client_encryption import check_part, said_in
from sseproxy.ports import UpstreamRequest
from sseproxy.stage import Buffer

_MOST_CLOSING = 2 * 1024 * 1024  # bytes behind the last segment: padding, recovery, footer (docs/format.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainPart:
    """A part's plaintext as it arrives. `length` is None where the client announced none."""

    number: int
    address: Address
    body: Body
    length: int | None
    check: BodyCheck


async def upload_part(services: Services, request: Request) -> Response:
    """Serve UploadPart."""
    number = part_number(request)
    upload = await find_upload(services, request)
    if upload.client_encryption is not None:
        said = said_in(request.headers, services.dialect)
        check_part(said, upload.client_encryption, number, request.content_length)
    key = await open_upload(services, request, upload)
    part = PlainPart(
        number=number,
        address=address_of(request),
        body=request.body,
        length=request.content_length,
        check=_check_of(services, request, upload),
    )
    record = await store_part(services, upload, key, part)
    return Response(
        status=200, headers=part_headers(services.dialect, upload, record, customer_key_of(services, request))
    )


async def find_upload(services: Services, request: Request) -> Upload:
    """Return the upload that the request names. Raises `NoSuchUpload`."""
    return await services.uploads.get(services.state, address_of(request).ref, request.query.get("uploadId", ""))


async def store_part(services: Services, upload: Upload, key: DataKey, part: PlainPart) -> PartRecord:
    """Seal a part, store it and its record, and return the record.

    Nothing is recorded unless the whole part was verified. Closes the part's body.
    """
    _check_size(services, part)
    sealer = SegmentSealer(key, part.number)
    noted = _Noted()
    body, length, is_small = await _measured(part, services.dialect.limits.smallest_part)
    sealed = seal_segment(body, sealer, part.check, noted.note)
    stored_length = None if length is None else segment_stored_size(length)
    if is_small or part.number == MOST_PARTS:
        await services.state.put_stream(kept_key(upload, part.number), sealed, stored_length)
        record = _record(upload, key, part.number, sealer, noted.facts, backend_etag="", kept=True)
        await save_record(services.state, upload, key, record)
        await _acknowledge(services, upload)
    else:
        backend_etag = await _send(services, upload, part, sealed, stored_length)
        record = _record(upload, key, part.number, sealer, noted.facts, backend_etag=backend_etag, kept=False)
        # A smaller attempt that was kept before is not the latest any more.
        await asyncio.gather(
            save_record(services.state, upload, key, record), services.state.delete([kept_key(upload, part.number)])
        )
    return record


def algorithms_of(services: Services, upload: Upload) -> Iterable[ChecksumAlgorithm]:
    """Return the checksums that are computed for every part of an upload."""
    if services.dialect.checksum_headers:
        yield ChecksumAlgorithm.CRC64NVME
    if upload.checksum_algorithm is not None:
        yield upload.checksum_algorithm


def _check_of(services: Services, request: Request, upload: Upload) -> BodyCheck:
    assertions = read_assertions(services.dialect, request.headers, request.content_length)
    wanted, sent = upload.checksum_algorithm, assertions.algorithm
    if wanted is not None and sent is not None and sent is not wanted:
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {wanted.value.lower()}, "
            f"actual checksum Type: {sent.value.lower()}"
        )
    return BodyCheck(
        assertions,
        services.digest_pool,
        md5=upload.etag_mode is EtagMode.MD5,
        algorithms=algorithms_of(services, upload),
        trailers=request.trailers,
    )


def _check_size(services: Services, part: PlainPart) -> None:
    """Raise `EntityTooLarge` where the sealed part is more than the backend takes.

    Part 10,000 always travels in one backend part with what closes the object, which needs its room.
    """
    largest = services.dialect.limits.largest_stored_object
    if part.number == MOST_PARTS:
        largest -= _MOST_CLOSING
    if part.length is not None and segment_stored_size(part.length) > largest:
        raise EntityTooLarge(
            ProposedSize=str(part.length), MaxSizeAllowed=str(largest_plaintext(largest, segment_stored_size))
        )


async def _measured(part: PlainPart, smallest: int) -> tuple[Body, int | None, bool]:
    """Return the body, its length where known, and whether it is too small to go to the backend as it is."""
    if part.length is not None:
        return part.body, part.length, part.length < smallest
    buffers, ended = await collect_head(part.body, smallest)
    length = sum(map(len, buffers))
    if not ended:
        return preceded(buffers, part.body), None, False
    await part.body.aclose()
    return body_of(*buffers), length, length < smallest


class _Noted:
    """Takes the facts of a body out of the stream that verifies it."""

    def __init__(self) -> None:
        self._facts: BodyFacts | None = None

    def note(self, facts: BodyFacts) -> Iterable[Buffer]:
        self._facts = facts
        return ()

    @property
    def facts(self) -> BodyFacts:
        if self._facts is None:
            raise UpstreamError("The storage answered success before it had the whole part.")
        return self._facts


async def _send(services: Services, upload: Upload, part: PlainPart, sealed: Body, stored_length: int | None) -> str:
    """Send a sealed part to the backend and return the backend's ETag, without quotes."""
    request = UpstreamRequest(
        method="PUT",
        bucket=part.address.ref.bucket,
        raw_key=part.address.raw_key,
        raw_query=upload_query(upload.upload_id, part.number),
        body=sealed,
        content_length=stored_length,
    )
    async with services.upstream.send(request) as answer:
        await expect(services, answer, 200)
        return bare_etag(answer.headers.get("ETag"))


async def _acknowledge(services: Services, upload: Upload) -> None:
    """Raise `NoSuchUpload` where the upload ended while a part was being kept, and leave nothing behind."""
    if not await is_open(services.state, upload):
        services.uploads.forget(upload.ref, upload.upload_id)
        await forget_upload(services.state, upload.ref, upload.upload_id)
        raise NoSuchUpload(UploadId=upload.upload_id)


def _record(  # each is a fact of the attempt
    upload: Upload,
    key: DataKey,
    number: int,
    sealer: SegmentSealer,
    facts: BodyFacts,
    *,
    backend_etag: str,
    kept: bool,
) -> PartRecord:
    return PartRecord(
        number=number,
        plaintext_size=facts.plaintext_size,
        salt=sealer.salt,
        md5=facts.md5,
        crc64=facts.crc64,
        crc64nvme=facts.crc64nvme,
        checksum=_checksum(upload, facts),
        backend_etag=backend_etag,
        kept=kept,
        etag=_etag(upload, key, sealer, facts),
    )


def _etag(upload: Upload, key: DataKey, sealer: SegmentSealer, facts: BodyFacts) -> str:
    if upload.etag_mode is EtagMode.MD5 and facts.md5 is not None:
        return facts.md5.hex()
    return key.part_etag(sealer.salt)


def _checksum(upload: Upload, facts: BodyFacts) -> Checksum | None:
    algorithm = upload.checksum_algorithm
    if algorithm is None:
        return facts.checksum
    return Checksum(algorithm=algorithm, type=ChecksumType.FULL_OBJECT, value=facts.checksums[algorithm])
