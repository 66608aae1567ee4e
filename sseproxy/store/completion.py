"""CompleteMultipartUpload."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from aiohttp import web

from sseproxy.store.announced import parse_checksum
from sseproxy.store.answers import xml_answer
from sseproxy.store.conditions import write_check
from sseproxy.store.digests import SIZES, combined, combined_crc64, composite
from sseproxy.store.faults import Fault
from sseproxy.store.multipart import no_such_upload
from sseproxy.store.receive import read_document
from sseproxy.store.records import Change, Metadata, ObjectRow, PartRow, Piece, UploadRow, b64
from sseproxy.store.service import Call, Service, now_ms
from sseproxy.store.texts import Node, child, natural, parse_document, shown_name
from sseproxy.store.traits import Traits, acl_of
from sseproxy.store.versioning import change_headers, discard
from sseproxy.store.wires import MOST_PARTS

_NO_PARTS = "You must specify at least one part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A part as the request names it."""

    number: int
    etag: str
    checksums: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a finished upload answers, also when it is asked for again."""

    etag: str
    crc64: int
    algorithm: str
    checksum: str
    kind: str
    version: str | None = None


async def complete_upload(service: Service, call: Call) -> web.StreamResponse:
    """Make the object of an upload visible, atomically."""
    bucket = service.bucket(call.bucket)
    body = await read_document(service, call, checksum_of_object=True)
    name = call.query("uploadId") or ""
    upload = service.index.upload(call.bucket, call.key, name)
    if upload is None:
        return _again(service, call, name, body)
    check = write_check(call, bucket)
    check(service.index.object(call.bucket, call.key))
    acl = _said_acl(call)
    used, named = _chosen(service, call, upload, body)
    finished = _finished(call, upload, used, named)
    pieces = [(part.body, 0, part.size) for part in used]
    loop = asyncio.get_running_loop()
    try:
        joined = await loop.run_in_executor(service.pool, service.files.join, pieces)
    except FileNotFoundError:
        return _overtaken(service, call, name, body)
    try:
        row = _row(service, call, upload, used, finished, joined)
        row = replace(row, acl=acl or row.acl)
        memory = hashlib.sha256(body).digest(), lambda change: _remembered(finished, change)
        change, bodies = service.index.finish_upload(row, name, used, check, memory)
    except BaseException:
        service.files.remove([joined])
        raise
    if change is None:
        service.files.remove([joined, row.meta])
        return _overtaken(service, call, name, body)
    discard(service, change)
    service.files.remove(bodies)
    return _answer(call, replace(finished, version=change.version))


def _said_acl(call: Call) -> str:
    """Return the ACL that the request gives; S3 takes none here."""
    return acl_of(call, call.wire.object_acl) if call.wire.name == "oss" else ""


def _remembered(finished: Finished, change: Change) -> str:
    values = replace(finished, version=change.version)
    return json.dumps([getattr(values, slot) for slot in Finished.__slots__])


def _overtaken(service: Service, call: Call, upload: str, body: bytes) -> web.StreamResponse:
    """Answer where the upload or one of its parts changed meanwhile."""
    if service.index.upload(call.bucket, call.key, upload) is None:
        return _again(service, call, upload, body)
    raise Fault("InvalidPart", details={"UploadId": upload})


def _again(service: Service, call: Call, upload: str, body: bytes) -> web.StreamResponse:
    memory = service.index.finished(call.bucket, call.key, upload)
    if memory is None or memory[0] != hashlib.sha256(body).digest():
        raise no_such_upload(upload)
    return _answer(call, Finished(**dict(zip(Finished.__slots__, json.loads(memory[1]), strict=False))))


def _chosen(service: Service, call: Call, upload: UploadRow, body: bytes) -> tuple[Sequence[PartRow], Sequence[Named]]:
    stored = {part.number: part for part in service.index.parts(upload.upload)}
    if call.wire.name == "oss" and (call.header("complete-all") or "").lower() == "yes":
        if body:
            raise Fault("InvalidArgument", "Should not speficy both complete all header and http body.")
        named = [Named(number=part.number, etag=part.md5, checksums={}) for part in stored.values()]
    else:
        root = parse_document(body, "CompleteMultipartUpload")
        named = [_named(element) for element in root.findall("Part")]
    if not named:
        raise Fault("InvalidRequest" if call.wire.name == "s3" else "MalformedXML", _NO_PARTS)
    if [part.number for part in named] != sorted({part.number for part in named}):
        raise Fault("InvalidPartOrder")
    used = [_match(call, upload, part, stored.get(part.number)) for part in named]
    for part in used[:-1]:
        if part.size < call.wire.smallest_part:
            details = {
                "ProposedSize": str(part.size),
                "MinSizeAllowed": str(call.wire.smallest_part),
                "PartNumber": str(part.number),
                "ETag": part.md5,
            }
            raise Fault("EntityTooSmall", details=details)
    return used, named


def _named(element: Element) -> Named:
    number, etag = child(element, "PartNumber"), child(element, "ETag")
    counted = None if number is None else natural(number.strip())
    if number is None or counted is None or etag is None:
        raise Fault("MalformedXML")
    checksums = {name: value for name in SIZES if (value := child(element, f"Checksum{name.upper()}")) is not None}
    if not 1 <= counted <= MOST_PARTS:
        text = "Part number must be an integer between 1 and 10000, inclusive"
        raise Fault("InvalidArgument", text, details={"ArgumentName": "partNumber", "ArgumentValue": number})
    return Named(number=counted, etag=etag.strip().strip('"').lower(), checksums=checksums)


def _match(call: Call, upload: UploadRow, named: Named, part: PartRow | None) -> PartRow:
    details = {"UploadId": upload.upload, "PartNumber": str(named.number), "ETag": named.etag}
    if part is None or part.md5 != named.etag:
        raise Fault("InvalidPart", details=details)
    for algorithm, value in named.checksums.items():
        parse_checksum(algorithm, value)
        if part.checksums.get(algorithm) != value:
            raise Fault("InvalidPart", details=details)
    algorithm = upload.settings["algorithm"]
    if upload.settings["type"] == "COMPOSITE" and algorithm not in named.checksums and call.wire.name == "s3":
        text = (
            f"The upload was created using a {algorithm} checksum. The complete request must include the checksum for "
            f"each part. It was missing for part {named.number} in the request."
        )
        raise Fault("InvalidRequest", text)
    return part


def _finished(call: Call, upload: UploadRow, used: Sequence[PartRow], named: Sequence[Named]) -> Finished:
    size = sum(part.size for part in used)
    announced = call.headers.get("x-amz-mp-object-size")
    if announced is not None and announced != str(size):
        text = f"The provided 'x-amz-mp-object-size' header value {announced} does not match what was computed: {size}"
        raise Fault("InvalidRequest", text)
    algorithm = upload.settings["algorithm"] or "crc64nvme"
    kind = upload.settings["type"] or "FULL_OBJECT"
    asked = call.headers.get("x-amz-checksum-type")
    if asked is not None and asked.upper() != kind:
        text = (
            f"The upload was created using the {upload.settings['type'] or 'null'} checksum mode. The complete request "
            "must use the same checksum mode."
        )
        raise Fault("InvalidRequest", text)
    if kind == "COMPOSITE" and [part.number for part in named] != list(range(1, len(named) + 1)):
        raise Fault("InvalidPart", details={"UploadId": upload.upload})
    checksum = _checksum(algorithm, kind, used)
    _check_whole(call, algorithm, checksum)
    whole = hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in used), usedforsecurity=False).hexdigest()
    return Finished(
        etag=f"{whole}-{len(used)}",
        crc64=combined_crc64([(part.crc64, part.size) for part in used]),
        algorithm=algorithm,
        checksum=checksum,
        kind=kind,
    )


def _checksum(algorithm: str, kind: str, used: Sequence[PartRow]) -> str:
    values = [parse_checksum(algorithm, part.checksums[algorithm]) for part in used]
    if kind == "COMPOSITE":
        return f"{b64(composite(algorithm, values))}-{len(used)}"
    return b64(combined(algorithm, [(value, part.size) for value, part in zip(values, used, strict=True)]))


def _check_whole(call: Call, algorithm: str, checksum: str) -> None:
    if call.wire.name != "s3":
        return
    for name in SIZES:
        sent = call.headers.get(f"x-amz-checksum-{name}")
        if sent is None or name != algorithm:
            continue
        if sent.partition("-")[0] != checksum.partition("-")[0]:
            text = f"The {name.upper()} you specified did not match the calculated checksum."
            raise Fault("BadDigest", text)


def _row(
    service: Service, call: Call, upload: UploadRow, used: Sequence[PartRow], finished: Finished, joined: str
) -> ObjectRow:
    traits = Traits(**upload.settings["traits"])
    shown = finished.algorithm if upload.settings["algorithm"] else None
    metadata = Metadata(
        headers=traits.headers,
        user=traits.user,
        checksums={finished.algorithm: finished.checksum},
        crc64=finished.crc64,
        parts=[
            Piece(number=part.number, size=part.size, checksums={shown: part.checksums[shown]} if shown else {})
            for part in used
        ],
    )
    return ObjectRow(
        bucket=call.bucket,
        key=call.key,
        body=joined,
        meta=service.files.write_metadata(metadata),
        size=sum(part.size for part in used),
        etag=finished.etag,
        modified=now_ms(),
        kind="Multipart",
        storage_class=traits.storage_class,
        checksum_algorithm=finished.algorithm,
        checksum_type=finished.kind,
        acl=traits.acl,
        tags=traits.tags,
    )


def _answer(call: Call, finished: Finished) -> web.StreamResponse:
    etag = call.wire.etag(finished.etag)
    encode = call.wire.name == "oss" and call.query("encoding-type") == "url"
    nodes: list[Node] = [("EncodingType", "url")] if encode else []
    headers = change_headers(call, Change(version=finished.version))
    nodes += [
        ("Location", f"http://{call.host}{call.target.raw_path}"),
        ("Bucket", call.bucket),
        ("Key", shown_name(call.key, encode=encode)),
        ("ETag", etag),
    ]
    if call.wire.name == "oss":
        headers |= {"ETag": etag, "x-oss-hash-crc64ecma": str(finished.crc64)}
        return xml_answer(call, "CompleteMultipartUploadResult", nodes, headers)
    nodes += [(f"Checksum{finished.algorithm.upper()}", finished.checksum), ("ChecksumType", finished.kind)]
    return xml_answer(call, "CompleteMultipartUploadResult", nodes, headers)
