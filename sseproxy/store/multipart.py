"""Multipart uploads: Create, UploadPart, Abort and the two listings. Complete is in `completion`."""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from aiohttp import web

from sseproxy.store.announced import Announced, announced
from sseproxy.store.answers import answer, xml_answer
from sseproxy.store.conditions import write_check
from sseproxy.store.digests import FULL_OBJECT_ONLY, SIZES, Digested
from sseproxy.store.faults import Fault
from sseproxy.store.pages import Page, after_marker, page_of, whole_number
from sseproxy.store.receive import announced_length, read_document, receive
from sseproxy.store.records import PartRow, UploadRow, b64
from sseproxy.store.service import Call, Service, now_ms
from sseproxy.store.target import name_bytes
from sseproxy.store.texts import Node, iso_date, natural, shown_name
from sseproxy.store.traits import read_traits, shown_class
from sseproxy.store.wires import MOST_PARTS, OWNER_ID

_PART_NUMBER = "Part number must be an integer between 1 and 10000, inclusive"


async def create_upload(service: Service, call: Call) -> web.StreamResponse:
    """Begin an upload: everything about the object but its bytes is fixed here."""
    bucket = service.bucket(call.bucket)
    await read_document(service, call)
    traits = read_traits(call)
    check = write_check(call, bucket)
    if call.wire.name == "oss":  # S3 judges what is there at Complete alone
        check(service.index.object(call.bucket, call.key))
    algorithm, kind = _checksum_choice(call)
    settings = {"traits": traits.to_json(), "algorithm": algorithm, "type": kind}
    upload = secrets.token_hex(16).upper()
    service.index.put_upload(
        UploadRow(upload=upload, bucket=call.bucket, key=call.key, initiated=now_ms(), settings=settings)
    )
    headers = {}
    if algorithm:
        headers = {"x-amz-checksum-algorithm": algorithm.upper(), "x-amz-checksum-type": kind}
    encode = call.wire.name == "oss" and call.query("encoding-type") == "url"
    nodes: list[Node] = [("EncodingType", "url")] if encode else []
    nodes += [("Bucket", call.bucket), ("Key", shown_name(call.key, encode=encode)), ("UploadId", upload)]
    return xml_answer(call, "InitiateMultipartUploadResult", nodes, headers)


def _checksum_choice(call: Call) -> tuple[str, str]:
    """Return algorithm and type, both empty where the client chose none."""
    if call.wire.name == "oss":
        return "", ""
    algorithm = call.headers.get("x-amz-checksum-algorithm", "").lower()
    kind = call.headers.get("x-amz-checksum-type", "").upper()
    if not algorithm:
        if kind:
            text = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise Fault("InvalidRequest", text)
        return "", ""
    if algorithm not in SIZES:
        text = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
        raise Fault("InvalidRequest", f"{text}[{', '.join(name.upper() for name in SIZES)}]")
    if kind not in ("", "COMPOSITE", "FULL_OBJECT"):
        raise Fault("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    kind = kind or ("FULL_OBJECT" if algorithm == FULL_OBJECT_ONLY else "COMPOSITE")
    if (kind, algorithm) == ("COMPOSITE", FULL_OBJECT_ONLY) or (kind == "FULL_OBJECT" and algorithm.startswith("sha")):
        raise Fault(
            "InvalidRequest", f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
        )
    return algorithm, kind


def find_upload(service: Service, call: Call) -> UploadRow:
    """Return the upload that the request names; raises `Fault` NoSuchUpload."""
    service.bucket(call.bucket)
    upload = call.query("uploadId") or ""
    found = service.index.upload(call.bucket, call.key, upload)
    if found is None:
        raise no_such_upload(upload)
    return found


def no_such_upload(upload: str) -> Fault:
    """Return the fault for an upload that is not there."""
    return Fault("NoSuchUpload", details={"UploadId": upload})


def part_number(call: Call) -> int:
    """Return the number of the part that the request is about."""
    text = call.query("partNumber") or ""
    number = natural(text)
    if number is None or not 1 <= number <= MOST_PARTS:
        raise Fault("InvalidArgument", _PART_NUMBER, details={"ArgumentName": "partNumber", "ArgumentValue": text})
    return number


async def upload_part(service: Service, call: Call) -> web.StreamResponse:
    """Store one part; a number sent again replaces what it named."""
    number = part_number(call)
    upload = find_upload(service, call)
    wanted = announced(call.wire, call.headers, call.payload.sha256)
    algorithm = _part_algorithm(upload, wanted)
    received = await receive(service, call, wanted, [algorithm], announced_length(call))
    keep_part(service, upload, number, received.name, received.digested)
    got = received.digested
    headers = {"ETag": call.wire.etag(got.md5.hex())}
    if call.wire.name == "oss":
        headers |= {"x-oss-hash-crc64ecma": str(got.crc64), "Content-MD5": b64(got.md5)}
    else:
        headers[f"x-amz-checksum-{algorithm}"] = b64(got.checksums[algorithm])
    return answer(call, headers=headers)


def _part_algorithm(upload: UploadRow, wanted: Announced) -> str:
    fixed: str = upload.settings["algorithm"]
    chosen = wanted.algorithm
    if fixed and chosen and fixed != chosen:
        text = f"Checksum Type mismatch occurred, expected checksum Type: {fixed}, actual checksum Type: {chosen}"
        raise Fault("InvalidRequest", text)
    return chosen or fixed or "crc64nvme"


def keep_part(service: Service, upload: UploadRow, number: int, name: str, got: Digested) -> PartRow:
    """Make a part's body part of its upload; removes the body where the upload is gone by now."""
    row = PartRow(
        upload=upload.upload,
        number=number,
        body=name,
        size=got.size,
        md5=got.md5.hex(),
        crc64=got.crc64,
        modified=now_ms(),
        checksums={algorithm: b64(value) for algorithm, value in got.checksums.items()},
    )
    alive, replaced = service.index.put_part(row)
    if not alive:
        service.files.remove([name])
        raise no_such_upload(upload.upload)
    service.files.remove([replaced or ""])
    return row


async def abort_upload(service: Service, call: Call) -> web.StreamResponse:
    """Forget an upload and its parts."""
    upload = find_upload(service, call)
    service.files.remove(service.index.abort_upload(upload.upload))
    return answer(call, 204)


async def list_parts(service: Service, call: Call) -> web.StreamResponse:
    """List the parts of an upload."""
    upload = find_upload(service, call)
    most = min(whole_number(call, "max-parts", 1000), 1000)
    after = whole_number(call, "part-number-marker", 0)
    found = service.index.parts(upload.upload, after, most + 1)
    shown, more = found[:most], len(found) > most
    encode = call.wire.name == "oss" and call.query("encoding-type") == "url"
    nodes: list[Node] = [("EncodingType", "url")] if encode else []
    nodes += [
        ("Bucket", call.bucket),
        ("Key", shown_name(call.key, encode=encode)),
        ("UploadId", upload.upload),
        ("StorageClass", shown_class(call.wire, upload.settings["traits"]["storage_class"])),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", shown[-1].number if shown else 0),
        ("MaxParts", most),
        ("IsTruncated", "true" if more and most else "false"),
    ]
    if call.wire.name == "s3":
        nodes += [("Initiator", [("ID", OWNER_ID)]), ("Owner", [("ID", OWNER_ID)])]
        if upload.settings["algorithm"]:
            nodes.append(("ChecksumAlgorithm", upload.settings["algorithm"].upper()))
            nodes.append(("ChecksumType", upload.settings["type"]))
    nodes += [("Part", _part_nodes(call, upload, part)) for part in shown]
    return xml_answer(call, "ListPartsResult", nodes)


def _part_nodes(call: Call, upload: UploadRow, part: PartRow) -> Sequence[Node]:
    nodes: list[Node] = [
        ("PartNumber", part.number),
        ("LastModified", iso_date(part.modified)),
        ("ETag", call.wire.etag(part.md5)),
        ("Size", part.size),
    ]
    if call.wire.name == "oss":
        nodes.append(("HashCrc64ecma", str(part.crc64)))
    else:
        algorithm = upload.settings["algorithm"]
        if algorithm in part.checksums:
            nodes.append((f"Checksum{algorithm.upper()}", part.checksums[algorithm]))
    return nodes


async def list_uploads(service: Service, call: Call) -> web.StreamResponse:
    """List the uploads in progress of a bucket."""
    service.bucket(call.bucket)
    most = min(whole_number(call, "max-uploads", 1000), 1000)
    prefix, delimiter = name_bytes(call.query("prefix") or ""), name_bytes(call.query("delimiter") or "")
    key_marker, upload_marker = call.query("key-marker") or "", call.query("upload-id-marker") or ""
    page = _upload_page(service, call, prefix, delimiter, name_bytes(key_marker), upload_marker, most)
    encode = call.query("encoding-type") == "url"
    nodes: list[Node] = [("Bucket", call.bucket)]
    if encode:
        nodes.append(("EncodingType", "url"))
    last = page.items[-1] if page.items else None
    next_key = last.key if isinstance(last, UploadRow) else (last or b"")
    nodes += [
        ("KeyMarker", shown_name(name_bytes(key_marker), encode=encode)),
        ("UploadIdMarker", upload_marker),
        ("NextKeyMarker", shown_name(next_key, encode=encode) if page.truncated else ""),
        ("NextUploadIdMarker", last.upload if page.truncated and isinstance(last, UploadRow) else ""),
        ("Prefix", shown_name(prefix, encode=encode)),
        ("Delimiter", shown_name(delimiter, encode=encode)),
        ("MaxUploads", most),
        ("IsTruncated", "true" if page.truncated else "false"),
    ]
    nodes += [
        ("Upload", _upload_nodes(call, item, encode=encode)) for item in page.items if isinstance(item, UploadRow)
    ]
    nodes += [
        ("CommonPrefixes", [("Prefix", shown_name(item, encode=encode))])
        for item in page.items
        if not isinstance(item, UploadRow)
    ]
    return xml_answer(call, "ListMultipartUploadsResult", nodes)


def _upload_page(
    service: Service, call: Call, prefix: bytes, delimiter: bytes, marker: bytes, upload_marker: str, most: int
) -> Page[UploadRow]:
    def fetch(first: bytes, end: bytes | None) -> Iterator[UploadRow]:
        behind = upload_marker if first == marker else ""
        return service.index.uploads(call.bucket, first, behind, end)

    # With an upload id the listing goes on among the uploads of the marker's own key.
    first = marker if upload_marker else after_marker(marker, prefix, delimiter)
    return page_of(fetch, prefix, delimiter, first, most)


def _upload_nodes(call: Call, row: UploadRow, *, encode: bool) -> Sequence[Node]:
    nodes: list[Node] = [
        ("Key", shown_name(row.key, encode=encode)),
        ("UploadId", row.upload),
        ("Initiated", iso_date(row.initiated)),
        ("StorageClass", shown_class(call.wire, row.settings["traits"]["storage_class"])),
    ]
    if call.wire.name == "s3":
        extra: list[tuple[str, Any]] = [("Initiator", [("ID", OWNER_ID)]), ("Owner", [("ID", OWNER_ID)])]
        if row.settings["algorithm"]:
            extra += [("ChecksumAlgorithm", row.settings["algorithm"].upper()), ("ChecksumType", row.settings["type"])]
        nodes += extra
    return nodes
