"""CopyObject and UploadPartCopy. A copy shares the source's body file, which never changes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote, unquote_to_bytes

from aiohttp import web

from sseproxy.store.answers import answer, xml_answer
from sseproxy.store.conditions import NotModified, check_copy_source, write_check
from sseproxy.store.digests import SIZES, Digested, Digests
from sseproxy.store.faults import Fault
from sseproxy.store.files import Files, read_through
from sseproxy.store.multipart import find_upload, keep_part, part_number
from sseproxy.store.ranges import copy_span
from sseproxy.store.receive import read_document
from sseproxy.store.records import BucketRow, Metadata, ObjectRow, b64
from sseproxy.store.service import Call, Service, now_ms
from sseproxy.store.texts import Node, iso_date
from sseproxy.store.traits import Traits, read_traits
from sseproxy.store.versioning import change_headers, discard, find_object, version_of
from sseproxy.store.wires import MOST_BODY_BYTES

_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
_TOO_LARGE = f"The specified copy source is larger than the maximum allowable size for a copy source: {MOST_BODY_BYTES}"
_MARKER = "The source of a copy request may not specifically refer to a delete marker by version id."
_FORM = "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey."


def _source(service: Service, call: Call) -> ObjectRow:
    """Return the object that the copy is from; its conditions hold."""
    text = call.header("copy-source") or ""
    path, _, query = text.partition("?")
    decoded = unquote_to_bytes(path.encode("utf-8", "surrogateescape"))
    bucket, _, key = decoded.removeprefix(b"/").partition(b"/")
    details = {"ArgumentName": call.wire.prefix + "copy-source", "ArgumentValue": text}
    if not bucket or not key:
        raise Fault("InvalidArgument", _FORM, details=details)
    name, _, value = query.partition("=")
    if query and name != "versionId":
        raise Fault("InvalidVersionId", details=details)
    version = version_of(unquote(value), call.wire.prefix + "copy-source") if query else None
    source = _found(service, call, bucket.decode("utf-8", "surrogateescape"), key, version)
    check_copy_source(call, source)
    return source


def _found(service: Service, call: Call, bucket: str, key: bytes, version: str | None) -> ObjectRow:
    """Find the source; one that is a delete marker is told without the headers of the answer to a GET."""
    try:
        return find_object(service, call, bucket, key, version)
    except Fault as fault:
        if fault.name == "MethodNotAllowed":
            raise Fault("InvalidRequest", _MARKER) from None
        raise Fault(fault.name, details=fault.details) from None


def _directive(call: Call, name: str) -> str:
    value = call.header(name) or "COPY"
    if value.upper() not in ("COPY", "REPLACE"):
        details = {"ArgumentName": call.wire.prefix + name, "ArgumentValue": value}
        raise Fault("InvalidArgument", "Unknown metadata directive.", details=details)
    return value.upper()


def _traits(call: Call, bucket: BucketRow, present: ObjectRow | None, source: ObjectRow, metadata: Metadata) -> Traits:
    """Return what the copy comes with: ACL and storage class from the request, the rest as the directives say.

    `present` is the object that the copy hides. To copy an older version over it is no copy of an object to itself.
    """
    sent = read_traits(call)
    same = present is not None and (source.bucket, source.key, source.version) == (
        present.bucket,
        present.key,
        present.version,
    )
    overwrites = same and call.wire.name == "oss" and not bucket.versioning
    replaced = _directive(call, "metadata-directive") == "REPLACE" or overwrites
    tags = sent.tags if _directive(call, "tagging-directive") == "REPLACE" else source.tags
    if same and call.wire.name == "s3" and not replaced:
        unchanged = sent.storage_class == source.storage_class or "x-amz-storage-class" not in call.headers
        if unchanged and "x-amz-website-redirect-location" not in call.headers:
            raise Fault("InvalidRequest", _ITSELF)
    if replaced:
        headers = sent.headers
        if call.wire.name == "oss" and "content-type" not in headers and "content-type" in metadata.headers:
            # The project's requirements show the content type outliving such a copy (OSS dossier §1.6).
            headers = {**headers, "content-type": metadata.headers["content-type"]}
        return replace(sent, headers=headers, tags=tags)
    kept = {name: value for name, value in metadata.headers.items() if name != "website-redirect-location"}
    redirect = sent.headers.get("website-redirect-location")
    headers = kept | ({"website-redirect-location": redirect} if redirect else {})
    return replace(sent, headers=headers, user=metadata.user, tags=tags)


async def copy_object(service: Service, call: Call) -> web.StreamResponse:
    """Make a copy of an object under the key, atomically."""
    bucket = service.bucket(call.bucket)
    await read_document(service, call)
    try:
        source = _source(service, call)
    except NotModified:
        return answer(call, 304)
    if source.size > MOST_BODY_BYTES:
        raise Fault("InvalidRequest", _TOO_LARGE)
    metadata = service.metadata(source)
    present = service.index.object(call.bucket, call.key)
    traits = _traits(call, bucket, present, source, metadata)
    check = write_check(call, bucket)
    check(present)
    made = await _content(service, call, source, metadata)
    try:
        new = replace(made.metadata, headers=traits.headers, user=traits.user)
        row = ObjectRow(
            bucket=call.bucket,
            key=call.key,
            body=made.body,
            meta=service.files.write_metadata(new),
            size=source.size,
            etag=made.etag,
            modified=now_ms(),
            kind=made.kind,
            storage_class=traits.storage_class,
            checksum_algorithm=next(iter(new.checksums), ""),
            checksum_type=made.checksum_type,
            acl=traits.acl,
            tags=traits.tags,
        )
        service.bucket(call.bucket)
        change = service.index.put_object(row, check)
    except BaseException:
        service.files.remove([made.body])
        raise
    discard(service, change)
    return _copy_answer(call, row, new, change_headers(call, change) | _source_headers(service, call, source))


def _source_headers(service: Service, call: Call, source: ObjectRow) -> dict[str, str]:
    versioned = service.bucket(source.bucket).versioning
    return {call.wire.header("copy-source-version-id"): source.version_id} if versioned else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The bytes of a copy and what is known about them."""

    body: str
    etag: str
    kind: str
    checksum_type: str
    metadata: Metadata


async def _content(service: Service, call: Call, source: ObjectRow, metadata: Metadata) -> _Made:
    """Share the body. On S3 a copy is an object in one piece, so its digests may have to be taken anew."""
    wanted = call.headers.get("x-amz-checksum-algorithm", "").lower() if call.wire.name == "s3" else ""
    if wanted and wanted not in SIZES:
        raise Fault("InvalidRequest", "Checksum algorithm provided is unsupported.")
    stays = call.wire.name == "oss" or (source.kind == "Normal" and wanted in ("", source.checksum_algorithm))
    body = _shared(service, source)
    if stays:
        return _Made(
            body=body, etag=source.etag, kind=source.kind, checksum_type=source.checksum_type, metadata=metadata
        )
    algorithm = wanted or source.checksum_algorithm or "crc64nvme"
    loop = asyncio.get_running_loop()
    try:
        got = await loop.run_in_executor(service.pool, _digest, service.files, body, algorithm)
    except BaseException:
        service.files.remove([body])
        raise
    changed = replace(
        metadata, checksums={algorithm: b64(got.checksums[algorithm])}, crc64=got.crc64, md5=b64(got.md5), parts=()
    )
    return _Made(body=body, etag=got.md5.hex(), kind="Normal", checksum_type="FULL_OBJECT", metadata=changed)


def _shared(service: Service, source: ObjectRow) -> str:
    try:
        return service.files.share(source.body)
    except FileNotFoundError as problem:
        # Deleted since it was looked up.
        raise Fault("NoSuchKey", details={"Key": source.key.decode("utf-8", "replace")}) from problem


def _digest(files: Files, body: str, algorithm: str) -> Digested:
    digests = Digests([algorithm])
    with files.path(body).open("rb", buffering=0) as file:
        read_through(file.fileno(), digests.update)
    return digests.finish()


def _copy_answer(call: Call, row: ObjectRow, metadata: Metadata, versions: Mapping[str, str]) -> web.StreamResponse:
    nodes: list[Node] = [("LastModified", iso_date(row.modified)), ("ETag", call.wire.etag(row.etag))]
    headers = dict(versions)
    if call.wire.name == "oss":
        headers |= {"ETag": call.wire.etag(row.etag), "x-oss-hash-crc64ecma": str(metadata.crc64)}
    else:
        nodes += [(f"Checksum{name.upper()}", value) for name, value in metadata.checksums.items()]
        nodes.append(("ChecksumType", row.checksum_type))
    return xml_answer(call, "CopyObjectResult", nodes, headers)


async def upload_part_copy(service: Service, call: Call) -> web.StreamResponse:
    """Take a part from an existing object."""
    number = part_number(call)
    upload = find_upload(service, call)
    await read_document(service, call)
    try:
        source = _source(service, call)
    except NotModified:
        return answer(call, 304)
    span = copy_span(call, call.header("copy-source-range"), source.size)
    if span.length > MOST_BODY_BYTES:
        raise Fault("InvalidRequest", _TOO_LARGE)
    algorithm = upload.settings["algorithm"]
    digests = Digests([algorithm] if algorithm else [])
    pieces = [(source.body, span.first, span.length)]
    loop = asyncio.get_running_loop()
    try:
        name = await loop.run_in_executor(service.pool, service.files.join, pieces, digests.update)
    except FileNotFoundError as problem:
        raise Fault("NoSuchKey", details={"Key": source.key.decode("utf-8", "replace")}) from problem
    part = keep_part(service, upload, number, name, digests.finish())
    nodes: list[Node] = [("LastModified", iso_date(part.modified)), ("ETag", call.wire.etag(part.md5))]
    if algorithm:
        nodes.append((f"Checksum{algorithm.upper()}", part.checksums[algorithm]))
    headers = _source_headers(service, call, source)
    if call.wire.name == "oss":
        headers |= {"ETag": call.wire.etag(part.md5), "x-oss-hash-crc64ecma": str(part.crc64)}
    return xml_answer(call, "CopyPartResult", nodes, headers)
