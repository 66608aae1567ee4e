"""The documents that both dialects share, by a `Manner` that holds what differs. Does not know which one it serves."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.etree.ElementTree import Element

from sseproxy.dialect.base import CompletedPart, CompletedUpload, ErrorCode, PartsPage, PartView, UploadFacts
from sseproxy.dialect.xml_reading import child, children, parse_xml, text_of
from sseproxy.dialect.xml_writing import document_of, element, group, optional
from sseproxy.errors import MalformedXml, UnsupportedFeature, UpstreamAnswered, UpstreamError
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType, name_bytes
from sseproxy.wire.headers import parse_iso_date, print_iso_date

_ELEMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UNREADABLE = "The storage's answer could not be read."
_CHECKSUM = "Checksum"
_STATUS_OF_LATE_ERRORS = {  # an error inside a 200 has lost its status
    "AccessDenied": 403,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "ConditionalRequestConflict": 409,
    "PreconditionFailed": 412,
    "EntityTooSmall": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRequest": 400,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a dialect writes its documents."""

    namespace: str | None
    upper_etags: bool
    with_checksums: bool  # Checksum… elements
    with_crc64: bool  # HashCrc64ecma in lists of parts
    with_encoding_type: bool  # tells EncodingType and encodes keys where asked to
    details_first: bool  # whether an error's own elements stand before RequestId and HostId
    renamed_details: Mapping[str, str]  # error elements that are called otherwise here
    client_encryption: Mapping[str, str]  # in lists of parts: the elements that tell of the client's own encryption

    def etag(self, etag: str) -> str:
        """Return an ETag as documents show it: quoted, in the dialect's case."""
        return f'"{etag.upper() if self.upper_etags else etag}"'


def render_error(
    manner: Manner, code: ErrorCode, message: str, details: Mapping[str, str], request_id: str, host: str
) -> bytes:
    """Return an error document. The code's own message, where it has one, goes before `message`."""
    own = [
        element(manner.renamed_details.get(name, name), value)
        for name, value in details.items()
        if _ELEMENT_NAME.fullmatch(name)
    ]
    ids = [element("RequestId", request_id), element("HostId", host)]
    head = [element("Code", code.code), element("Message", code.message if code.message is not None else message)]
    return document_of("Error", None, [*head, *own, *ids] if manner.details_first else [*head, *ids, *own])


def parse_error(document: bytes) -> tuple[str, str, Mapping[str, str]]:
    """Return code, message and the other plain elements of an error document; ("", "", {}) where it is none."""
    try:
        root = parse_xml(document)
    except MalformedXml:
        return "", "", {}
    found = child(root, "Error") if root.tag == "ErrorResponse" else root
    if found is None or found.tag != "Error":
        return "", "", {}
    texts = {inner.tag: (inner.text or "").strip() for inner in found if len(inner) == 0}
    return texts.pop("Code", ""), texts.pop("Message", ""), texts


def parse_complete(document: bytes) -> list[CompletedPart]:
    """Return the parts that a Complete lists, in its order; may be empty. Strict."""
    root = parse_xml(document)
    if root.tag != "CompleteMultipartUpload" or any(part.tag != "Part" for part in root):
        raise MalformedXml
    return [_completed_part(part) for part in root]


def _completed_part(part: Element) -> CompletedPart:
    texts = {inner.tag: (inner.text or "").strip() for inner in part}
    if len(texts) != len(part):
        raise MalformedXml  # said twice
    number, etag = texts.pop("PartNumber", ""), bare(texts.pop("ETag", ""))
    if not (number.isascii() and number.isdigit() and len(number) <= 9) or not etag:
        raise MalformedXml
    return CompletedPart(number=int(number), etag=etag, checksums={_checksum_name(name): texts[name] for name in texts})


def _checksum_name(name: str) -> ChecksumAlgorithm:
    try:
        return ChecksumAlgorithm(name.removeprefix(_CHECKSUM))
    except ValueError:
        if name.startswith(_CHECKSUM):
            raise UnsupportedFeature(f"The checksum element {name[:64]} is not supported.") from None
        raise MalformedXml from None


def render_complete_request(manner: Manner, parts: Sequence[tuple[int, str]]) -> bytes:
    """Return the Complete that goes to the storage; `parts` are numbers and the storage's ETags."""
    lines = [group("Part", element("PartNumber", number), element("ETag", f'"{etag}"')) for number, etag in parts]
    return document_of("CompleteMultipartUpload", manner.namespace, lines)


def render_completed(manner: Manner, upload: CompletedUpload) -> bytes:
    """Return the answer to Complete."""
    return document_of(
        "CompleteMultipartUploadResult",
        manner.namespace,
        [
            encoding_type(manner, upload.url_encoded),
            element("Location", upload.location),
            element("Bucket", upload.bucket),
            element("Key", shown_key(manner, upload.key, upload.url_encoded)),
            element("ETag", manner.etag(upload.etag)),
            checksum_elements(manner, upload.checksum, part_count=upload.part_count),
        ],
    )


def parse_completed(document: bytes) -> str:
    """Return the ETag of the storage's answer to Complete, "" where it has none.

    Raises `UpstreamAnswered` for an error inside a 200, `UpstreamError` for anything else that is no such answer.
    """
    return bare(text_of(_result(document, "CompleteMultipartUploadResult"), "ETag"))


def render_created_upload(manner: Manner, bucket: str, key: str, upload_id: str, url_encoded: bool) -> bytes:  # noqa: FBT001  # the shape's signature
    """Return the answer to Create."""
    return document_of(
        "InitiateMultipartUploadResult",
        manner.namespace,
        [
            encoding_type(manner, url_encoded),
            element("Bucket", bucket),
            element("Key", shown_key(manner, key, url_encoded)),
            element("UploadId", upload_id),
        ],
    )


def parse_created_upload(document: bytes) -> str:
    """Return the upload id of the storage's answer to Create."""
    upload_id = text_of(_result(document, "InitiateMultipartUploadResult"), "UploadId").strip()
    if not upload_id:
        raise UpstreamError(_UNREADABLE)
    return upload_id


def render_copied(manner: Manner, last_modified: datetime, etag: str, checksum: Checksum | None) -> bytes:
    """Return the answer to CopyObject."""
    return _copied("CopyObjectResult", manner, last_modified, etag, checksum)


def render_copied_part(manner: Manner, last_modified: datetime, etag: str, checksum: Checksum | None) -> bytes:
    """Return the answer to UploadPartCopy."""
    return _copied("CopyPartResult", manner, last_modified, etag, checksum, with_type=False)


def _copied(
    root: str, manner: Manner, last_modified: datetime, etag: str, checksum: Checksum | None, *, with_type: bool = True
) -> bytes:
    return document_of(
        root,
        manner.namespace,
        [
            element("LastModified", print_iso_date(last_modified)),
            element("ETag", manner.etag(etag)),
            checksum_elements(manner, checksum, with_type=with_type),
        ],
    )


def parse_copied(document: bytes) -> tuple[datetime, str]:
    """Return time and ETag of the storage's answer to a copy. Raises as `parse_completed` does."""
    root = _result(document, "CopyObjectResult", "CopyPartResult")
    return read_time(text_of(root, "LastModified")), bare(text_of(root, "ETag"))


def parse_copied_part(document: bytes) -> str:
    """Return the ETag of the storage's answer to UploadPartCopy. Raises as `parse_completed` does."""
    return bare(text_of(_result(document, "CopyPartResult"), "ETag"))


def render_parts(manner: Manner, page: PartsPage) -> bytes:
    """Return a page of ListParts."""
    head = [
        encoding_type(manner, page.url_encoded),
        element("Bucket", page.bucket),
        element("Key", shown_key(manner, page.key, page.url_encoded)),
        element("UploadId", page.upload_id),
        _person("Initiator", page.facts.initiator),
        _person("Owner", page.facts.owner),
        optional("StorageClass", page.facts.storage_class),
        element("PartNumberMarker", page.marker),
        optional("NextPartNumberMarker", page.next_marker),
        element("MaxParts", page.most),
        element("IsTruncated", "true" if page.truncated else "false"),
    ]
    if manner.with_checksums and page.checksum_algorithm is not None:
        head.append(element("ChecksumAlgorithm", page.checksum_algorithm.value))
        head.append(optional("ChecksumType", page.checksum_type.value if page.checksum_type else None))
    head += [
        element(tag, page.client_encryption[name])
        for name, tag in manner.client_encryption.items()
        if name in page.client_encryption
    ]
    return document_of("ListPartsResult", manner.namespace, [*head, *(_part(manner, part) for part in page.parts)])


def _person(name: str, who: tuple[str, str | None] | None) -> str:
    return "" if who is None else group(name, element("ID", who[0]), optional("DisplayName", who[1]))


def _part(manner: Manner, part: PartView) -> str:
    return group(
        "Part",
        element("PartNumber", part.number),
        element("LastModified", print_iso_date(part.last_modified)),
        element("ETag", manner.etag(part.etag)),
        element("Size", part.plaintext_size),
        optional("HashCrc64ecma", part.crc64 if manner.with_crc64 else None),
        checksum_elements(manner, part.checksum, with_type=False),
    )


def parse_parts(document: bytes) -> tuple[list[PartView], int | None]:
    """Return the storage's parts with stored sizes and its own ETags, and the next marker where there are more."""
    root = _result(document, "ListPartsResult")
    parts = [
        PartView(
            number=whole_number(text_of(part, "PartNumber")),
            last_modified=read_time(text_of(part, "LastModified")),
            etag=bare(text_of(part, "ETag")),
            plaintext_size=whole_number(text_of(part, "Size")),
        )
        for part in children(root, "Part")
    ]
    if not is_true(text_of(root, "IsTruncated")) or not parts:
        return parts, None
    return parts, whole_number(text_of(root, "NextPartNumberMarker") or str(parts[-1].number))


def parse_upload_facts(document: bytes) -> UploadFacts:
    """Return what the storage's ListParts tells of the upload itself."""
    root = _result(document, "ListPartsResult")
    return UploadFacts(
        initiator=_read_person(child(root, "Initiator")),
        owner=_read_person(child(root, "Owner")),
        storage_class=text_of(root, "StorageClass") or None,
    )


def _read_person(who: Element | None) -> tuple[str, str | None] | None:
    if who is None:
        return None
    return text_of(who, "ID"), text_of(who, "DisplayName") if child(who, "DisplayName") is not None else None


def render_delete(manner: Manner, keys: Sequence[str]) -> bytes:
    """Return a DeleteObjects that answers nothing but failures."""
    lines = [group("Object", element("Key", key)) for key in keys]
    return document_of("Delete", manner.namespace, [element("Quiet", "true"), *lines])


def checksum_elements(
    manner: Manner, checksum: Checksum | None, *, part_count: int | None = None, with_type: bool = True
) -> str:
    """Return a checksum's elements; nothing in a dialect without them."""
    if checksum is None or not manner.with_checksums:
        return ""
    is_composite = checksum.type is ChecksumType.COMPOSITE
    suffix = f"-{part_count}" if is_composite and part_count is not None else ""
    value = element(_CHECKSUM + checksum.algorithm.value, b64encode(checksum.value).decode() + suffix)
    return value + (element("ChecksumType", checksum.type.value) if with_type else "")


def encoding_type(manner: Manner, url_encoded: bool) -> str:  # noqa: FBT001  # a fact of the request, not a switch
    """Return the element that says that keys are percent-encoded."""
    return element("EncodingType", "url") if url_encoded and manner.with_encoding_type else ""


def shown_key(manner: Manner, key: str, url_encoded: bool) -> str:  # noqa: FBT001
    """Return a key as a document shows it."""
    return quote(name_bytes(key), safe="/") if url_encoded and manner.with_encoding_type else key


def stored(document: bytes) -> Element:
    """Return the root of a document of the storage. Raises `UpstreamError`."""
    try:
        return parse_xml(document.lstrip())  # a storage may send blanks first, to keep the connection alive
    except MalformedXml:
        raise UpstreamError(_UNREADABLE) from None


def _result(document: bytes, *roots: str) -> Element:
    root = stored(document)
    if root.tag in roots:
        return root
    code, message, _ = parse_error(document)
    if not code:
        raise UpstreamError(_UNREADABLE)
    raise UpstreamAnswered(_STATUS_OF_LATE_ERRORS.get(code, 500), code, message)


def bare(etag: str) -> str:
    """Return an ETag without quotes."""
    return etag.strip().strip('"')


def is_true(text: str | None) -> bool:
    """Say whether an element says true."""
    return (text or "").strip().lower() == "true"


def whole_number(text: str | None) -> int:
    """Return a number of the storage's. Raises `UpstreamError`."""
    try:
        return int(text or "")
    except ValueError:
        raise UpstreamError(_UNREADABLE) from None


def read_time(text: str | None) -> datetime:
    """Return a time of the storage's, in UTC. Raises `UpstreamError`."""
    try:
        return parse_iso_date((text or "").strip())
    except ValueError:
        raise UpstreamError(_UNREADABLE) from None
