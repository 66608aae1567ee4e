"""PutObject, GetObject, HeadObject, DeleteObject."""

from dataclasses import replace

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.store.announced import announced
from sseproxy.store.answers import answer
from sseproxy.store.conditions import delete_check, failed, judge, write_check
from sseproxy.store.faults import Fault
from sseproxy.store.ranges import Span, requested_span
from sseproxy.store.receive import Received, announced_length, receive
from sseproxy.store.records import Metadata, ObjectRow, b64
from sseproxy.store.send import send_file
from sseproxy.store.service import Call, Service, now_ms
from sseproxy.store.target import name_bytes
from sseproxy.store.texts import http_date, natural
from sseproxy.store.traits import Traits, load_tags, read_traits, shown_class
from sseproxy.store.versioning import asked_version, change_headers, delete, discard, find, version_headers

_OVERRIDES = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}
_BOTH = "Cannot specify both Range header and partNumber query parameter"


def check_key(call: Call) -> None:
    """Check that the key may name an object."""
    if len(call.key) > call.wire.most_key_bytes:
        details = {"Size": str(len(call.key)), "MaxSizeAllowed": str(call.wire.most_key_bytes)}
        raise Fault("KeyTooLongError", details=details if call.wire.name == "s3" else None)
    if call.wire.name == "oss" and call.key[:1] in (b"/", b"\\"):
        raise Fault("InvalidObjectName")


async def put_object(service: Service, call: Call) -> web.StreamResponse:
    """Store the body under the key, atomically."""
    bucket = service.bucket(call.bucket)
    traits = read_traits(call)
    wanted = announced(call.wire, call.headers, call.payload.sha256)
    check = write_check(call, bucket)
    check(service.index.object(call.bucket, call.key))
    received = await receive(service, call, wanted, (), announced_length(call))
    algorithm = wanted.algorithm or "crc64nvme"
    checksum = b64(received.digested.checksums[algorithm])
    try:
        service.bucket(call.bucket)
        metadata = Metadata(
            headers=traits.headers,
            user=traits.user,
            checksums={algorithm: checksum},
            crc64=received.digested.crc64,
            md5=b64(received.digested.md5),
        )
        row = new_row(service, call, traits, metadata, received)
        change = service.index.put_object(row, check)
    except BaseException:
        service.files.remove([received.name])
        raise
    discard(service, change)
    headers = {"ETag": call.wire.etag(row.etag), **change_headers(call, change)}
    if call.wire.name == "oss":
        headers |= {"x-oss-hash-crc64ecma": str(metadata.crc64), "Content-MD5": metadata.md5 or ""}
    else:
        headers |= {f"x-amz-checksum-{algorithm}": checksum, "x-amz-checksum-type": "FULL_OBJECT"}
    return answer(call, headers=headers)


def new_row(service: Service, call: Call, traits: Traits, metadata: Metadata, received: Received) -> ObjectRow:
    """Write the metadata file and return the row of an object in one piece."""
    return ObjectRow(
        bucket=call.bucket,
        key=call.key,
        body=received.name,
        meta=service.files.write_metadata(metadata),
        size=received.digested.size,
        etag=received.digested.md5.hex(),
        modified=now_ms(),
        kind="Normal",
        storage_class=traits.storage_class,
        checksum_algorithm=next(iter(metadata.checksums), ""),
        checksum_type="FULL_OBJECT",
        acl=traits.acl,
        tags=traits.tags,
    )


async def get_object(service: Service, call: Call) -> web.StreamResponse:
    """Answer GET and HEAD on an object."""
    own = find(service, call)
    row, metadata = _resolve(service, own)
    row = _as_it_lies(service, row)
    headers = object_headers(call, row, metadata)
    headers.update(version_headers(service, call, own))
    verdict = judge(call.headers, call.wire.etag(row.etag), row.modified)
    if verdict.failed:
        raise failed(verdict.failed)
    if verdict.not_modified:
        kept = {
            name: headers[name] for name in ("ETag", "Last-Modified", "Cache-Control", "Expires") if name in headers
        }
        return answer(call, 304, kept)
    span = _span(call, row, metadata, headers)
    if _shows_checksum(call, row, span):
        _add_checksums(call, row, metadata, headers)
    for parameter, name in _OVERRIDES.items():
        if (value := call.query(parameter)) is not None:
            headers[name] = value
    whole = span is None
    first, length = (0, row.size) if span is None else (span.first, span.length)
    if span is not None:
        headers["Content-Range"] = span.content_range(row.size)
    headers["Content-Length"] = str(length)
    if call.raw.method == "HEAD":
        return answer(call, 200 if whole else 206, headers)
    path = service.files.path(row.body)
    return await send_file(
        service, call, path, status=200 if whole else 206, headers=headers, first=first, length=length
    )


def _resolve(service: Service, row: ObjectRow) -> tuple[ObjectRow, Metadata]:
    """Return the object and its metadata; a symlink shows its own headers over the bytes of its target."""
    metadata = service.metadata(row)
    if row.kind != "Symlink":
        return row, metadata
    target = service.index.object(row.bucket, name_bytes(metadata.symlink or ""))
    if target is None:
        raise Fault("SymlinkTargetNotExist")
    if target.kind == "Symlink":
        raise Fault("InvalidTargetType")
    behind = service.metadata(target)
    shown = replace(target, kind="Symlink", modified=max(row.modified, target.modified), tags=row.tags)
    return shown, replace(behind, headers=metadata.headers, user=metadata.user)


def _as_it_lies(service: Service, row: ObjectRow) -> ObjectRow:
    """Return the row with the size of the body's file.

    The two differ only where somebody changed the file, and then the change is what is served: readers have to notice
    it by themselves, which is what this store is there to try out.
    """
    try:
        size = service.files.path(row.body).stat().st_size
    except OSError as problem:
        raise Fault("InternalError") from problem
    return row if size == row.size else replace(row, size=size)


def object_headers(call: Call, row: ObjectRow, metadata: Metadata) -> CIMultiDict[str]:
    """Return the headers that describe an object in the dialect of the request."""
    prefix = call.wire.prefix
    headers = CIMultiDict(
        {
            "Content-Type": call.wire.content_type,
            "ETag": call.wire.etag(row.etag),
            "Last-Modified": http_date(row.modified),
            "Accept-Ranges": "bytes",
        }
    )
    for name, value in metadata.headers.items():
        headers["-".join(word.capitalize() for word in name.split("-")) if "-" in name else name.capitalize()] = value
    redirect = headers.pop("Website-Redirect-Location", None)
    if redirect:
        headers[prefix + "website-redirect-location"] = redirect
    for name, value in metadata.user.items():
        headers[f"{prefix}meta-{name}"] = value
    if row.tags:
        headers[prefix + "tagging-count"] = str(len(load_tags(row.tags)))
    if call.wire.name == "oss":
        headers["x-oss-object-type"] = row.kind
        headers["x-oss-storage-class"] = shown_class(call.wire, row.storage_class)
        headers["x-oss-hash-crc64ecma"] = str(metadata.crc64)
        if row.kind == "Appendable":
            headers["x-oss-next-append-position"] = str(row.size)
        if metadata.md5:
            headers["Content-MD5"] = metadata.md5
    elif row.storage_class:
        headers["x-amz-storage-class"] = row.storage_class
    return headers


def _span(call: Call, row: ObjectRow, metadata: Metadata, headers: CIMultiDict[str]) -> Span | None:
    asked = call.headers.get("Range")
    number = call.query("partNumber") if call.wire.name == "s3" else None
    if number is not None:
        if asked is not None:
            raise Fault("InvalidRequest", _BOTH)
        return _part_span(number, row, metadata, headers)
    if asked is None or not _if_range_holds(call, row):
        return None
    return requested_span(call, asked, row.size)


def _if_range_holds(call: Call, row: ObjectRow) -> bool:
    validator = call.headers.get("If-Range")
    return validator is None or validator in (call.wire.etag(row.etag), http_date(row.modified))


def _part_span(text: str, row: ObjectRow, metadata: Metadata, headers: CIMultiDict[str]) -> Span | None:
    number = natural(text)
    if number is None or not 1 <= number <= 10_000:
        details = {"ArgumentName": "partNumber", "ArgumentValue": text}
        raise Fault("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", details=details)
    sizes = [piece.size for piece in metadata.parts] or [row.size]
    if number > len(sizes):
        details = {"ActualPartCount": str(len(sizes)), "PartNumberRequested": text}
        raise Fault("InvalidPartNumber", details=details)
    if metadata.parts:
        headers["x-amz-mp-parts-count"] = str(len(sizes))
    first, length = sum(sizes[: number - 1]), sizes[number - 1]
    if not length and row.size:
        raise Fault("InvalidRange", details={"RangeRequested": f"partNumber={text}", "ActualObjectSize": str(row.size)})
    return Span(first, length) if length else None


def _shows_checksum(call: Call, row: ObjectRow, span: Span | None) -> bool:
    if call.wire.name != "s3" or call.headers.get("x-amz-checksum-mode", "").upper() != "ENABLED":
        return False
    return span is None or span.length == row.size or call.query("partNumber") is not None


def _add_checksums(call: Call, row: ObjectRow, metadata: Metadata, headers: CIMultiDict[str]) -> None:
    checksums = metadata.checksums
    if call.query("partNumber") is not None and metadata.parts:
        checksums = metadata.parts[int(call.query("partNumber") or "1") - 1].checksums
    for algorithm, value in checksums.items():
        headers[f"x-amz-checksum-{algorithm}"] = value
    if checksums:
        headers["x-amz-checksum-type"] = row.checksum_type


async def delete_object(service: Service, call: Call) -> web.StreamResponse:
    """Delete the object or one version of it; deleting what is not there succeeds."""
    service.bucket(call.bucket)
    change = delete(service, call.bucket, call.key, asked_version(call), now_ms(), delete_check(call))
    return answer(call, 204, change_headers(call, change))
