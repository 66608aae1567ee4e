"""UploadPartCopy: a part out of another object, opened and sealed again as it streams by."""

import re

from sseproxy.errors import InvalidArgument, InvalidRequest
from sseproxy.exchange import Request, Response
from sseproxy.format import segment_stored_size
from sseproxy.model import ByteRange, EtagMode
from sseproxy.operations.answers import sse_headers
from sseproxy.operations.assertions import Assertions
from sseproxy.operations.attributes import Opened, Unsealed, open_found, settled
from sseproxy.operations.backend import address_of
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.operations.copy_source import (
    NotModifiedCopy,
    check_source_size,
    copy_source_of,
    judge_source,
    source_body,
    source_head,
    source_version,
)
from sseproxy.operations.customer_keys import customer_key_of, source_key_of
from sseproxy.operations.part_numbers import part_number
from sseproxy.operations.symlinks import is_link, named_by
from sseproxy.operations.upload_keys import open_upload
from sseproxy.operations.upload_part import PlainPart, algorithms_of, find_upload, store_part
from sseproxy.policy.client_encryption import check_part_copy, said_in

_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})")
_FORM = (
    "The {} value must be of the form bytes=first-last where first and last are the zero-based "
    "offsets of the first and last bytes to copy"
)


async def upload_part_copy(services: Services, request: Request) -> Response:
    """Serve UploadPartCopy."""
    try:
        return await settled(services, lambda: _copy(services, request))
    except NotModifiedCopy:
        return Response(status=304)


async def _copy(services: Services, request: Request) -> Response:
    number = part_number(request)
    upload = await find_upload(services, request)
    key = await open_upload(services, request, upload)
    source = copy_source_of(services.dialect, request)
    found = await source_head(services, source)
    if is_link(services.dialect, found.headers):
        found = await source_head(services, await named_by(services, source))
    subject = await open_found(services, found, source_key_of(services, request), is_archive_shown=True)
    judge_source(services, request, subject)
    said = (said_in(headers, services.dialect) for headers in (request.headers, subject.found.headers))
    check_part_copy(upload.client_encryption or {}, *said)
    wanted = _wanted(services, request, subject)
    length = subject.size if wanted is None else wanted.length
    check_source_size(services.dialect, length, segment_stored_size)
    check = BodyCheck(
        Assertions(length=length),
        services.digest_pool,
        md5=upload.etag_mode is EtagMode.MD5,
        algorithms=algorithms_of(services, upload),
    )
    part = PlainPart(
        number=number,
        address=address_of(request),
        body=await source_body(services, subject, wanted),
        length=length,
        check=check,
    )
    record = await store_part(services, upload, key, part)
    checksum = record.checksum if upload.checksum_algorithm is not None else None
    headers = sse_headers(services.dialect, upload.envelope, customer_key_of(services, request))
    headers.update(source_version(services, subject.found))
    if services.dialect.crc64_header is not None:  # oss2 takes the ETag from the header, others from the document
        headers["ETag"] = services.dialect.show_etag(record.etag)
        headers[services.dialect.crc64_header] = str(record.crc64)
    headers["Content-Type"] = "application/xml"
    return Response(
        status=200,
        headers=headers,
        body=services.dialect.xml.render_copied_part(services.clock.now(), record.etag, checksum),
    )


def _wanted(services: Services, request: Request, subject: Opened | Unsealed) -> ByteRange | None:
    """Return the range of the source to copy, None for all of it (S3 dossier §5.6)."""
    name = services.dialect.header("copy-source-range")
    text = request.headers.get(name)
    if text is None:
        return None
    found = _RANGE.fullmatch(text.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise InvalidArgument(_FORM.format(name), ArgumentName=name, ArgumentValue=text)
    first, last = int(found[1]), int(found[2])
    if first >= subject.size:
        raise InvalidRequest("The specified copy range is invalid for the source object size")
    if last >= subject.size:
        raise InvalidArgument(
            f"Range specified is not valid for source object of size: {subject.size}",
            ArgumentName=name,
            ArgumentValue=text,
        )
    return ByteRange(first, last)
