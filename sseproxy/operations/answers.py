"""The headers of answers about sealed objects: what is shown of an object's encryption, digests and ETag."""

from base64 import b64encode
from collections.abc import Mapping

from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.dialect.customer_key_headers import customer_key_headers
from sseproxy.dialect.sse_headers import render_sse
from sseproxy.format import Attributes, Envelope, PartRecord
from sseproxy.model import Algorithm, Checksum, ChecksumAlgorithm, ChecksumType, CustomerKey, Layout
from sseproxy.operations.plan import StoredObject
from sseproxy.operations.uploads import Upload

Headers = CIMultiDict[str]


def sse_headers(
    dialect: Dialect, envelope: Envelope, customer_key: CustomerKey | None = None, *, context_shown: bool = False
) -> Headers:
    """Return the encryption headers: the algorithm in the dialect's word, and the CMK of every KMS object.

    The encryption context is shown to those alone who have just named it (S3 dossier §1.2). Of an object under a
    customer's key the MD5 of that key is told, to a request that brought it.
    """
    if envelope.algorithm is Algorithm.CUSTOMER:
        names = dialect.sse.customer_key
        return CIMultiDict() if customer_key is None or names is None else customer_key_headers(names, customer_key)
    return CIMultiDict(
        render_sse(
            envelope.algorithm,
            envelope.key_id,
            dialect.sse,
            bucket_key=envelope.bucket_key,
            context=envelope.caller_context if context_shown else b"",
            suite=envelope.suite,
        )
    )


def written_headers(dialect: Dialect, stored: StoredObject, customer_key: CustomerKey | None) -> Headers:
    """Return what an answer to PutObject tells (S3 dossier §4.2; OSS dossier §5)."""
    headers = sse_headers(dialect, stored.envelope, customer_key, context_shown=True)
    headers["ETag"] = dialect.show_etag(stored.etag)
    headers.extend(digest_headers(dialect, stored.attributes))
    headers.extend(checksum_headers(dialect, shown_checksum(stored.attributes)))
    return headers


def part_headers(dialect: Dialect, upload: Upload, record: PartRecord, customer_key: CustomerKey | None) -> Headers:
    """Return what an answer to UploadPart tells."""
    headers = sse_headers(dialect, upload.envelope, customer_key)
    headers["ETag"] = dialect.show_etag(record.etag)
    if dialect.crc64_header is not None:
        headers[dialect.crc64_header] = str(record.crc64)
    if dialect.single_put_md5_header and record.md5 is not None:
        headers["Content-MD5"] = b64encode(record.md5).decode()
    headers.extend(checksum_headers(dialect, record.checksum, with_type=False))
    return headers


def completed_headers(dialect: Dialect, envelope: Envelope, attributes: Attributes | None, etag: str) -> Headers:
    """Return what the headers of an answer to Complete tell; the checksum stands in its document."""
    headers = sse_headers(dialect, envelope)
    headers["ETag"] = dialect.show_etag(etag)
    if attributes is not None:
        headers.extend(digest_headers(dialect, attributes))
    return headers


def digest_headers(dialect: Dialect, attributes: Attributes) -> Headers:
    """Return the digests that a dialect shows without being asked: CRC-64, and MD5 of objects sent in one piece."""
    headers: Headers = CIMultiDict()
    if dialect.crc64_header is not None:
        headers[dialect.crc64_header] = str(attributes.crc64)
    if dialect.single_put_md5_header and attributes.md5 is not None and attributes.part_count is None:
        headers["Content-MD5"] = b64encode(attributes.md5).decode()
    return headers


def shown_checksum(attributes: Attributes) -> Checksum | None:
    """Return the object's checksum: the client's own, else the CRC-64/NVME that is always computed."""
    if attributes.checksum is not None or attributes.crc64nvme is None:
        return attributes.checksum
    return Checksum(
        algorithm=ChecksumAlgorithm.CRC64NVME,
        type=ChecksumType.FULL_OBJECT,
        value=attributes.crc64nvme.to_bytes(8, "big"),
    )


def checksum_headers(
    dialect: Dialect, checksum: Checksum | None, *, part_count: int | None = None, with_type: bool = True
) -> Headers:
    """Return a checksum's headers, none in a dialect without them. A composite one names its parts."""
    headers: Headers = CIMultiDict()
    if checksum is None or not dialect.checksum_headers:
        return headers
    is_composite = checksum.type is ChecksumType.COMPOSITE
    suffix = f"-{part_count}" if is_composite and part_count is not None else ""
    name = dialect.header("checksum-") + checksum.algorithm.value.lower()
    headers[name] = b64encode(checksum.value).decode() + suffix
    if with_type:
        headers[dialect.header("checksum-type")] = checksum.type.value
    return headers


def object_type_headers(dialect: Dialect, attributes: Attributes, stored: Mapping[str, str]) -> Headers:
    """Return how the dialect names the object's making, where it does. `stored` are the storage's headers.

    A body of unknown length was stored in parts, but to the client it is an object sent in one request. Whether an
    object that grew by appending may grow on, the storage says.
    """
    headers: Headers = CIMultiDict()
    name, types = dialect.object_type_header, dialect.object_types
    if name is not None:
        layout = Layout.SINGLE
        if attributes.part_count is not None or stored.get(name) == types[Layout.APPEND.value]:
            layout = attributes.layout
        headers[name] = types[layout.value]
        if layout is Layout.APPEND:
            headers[dialect.header("next-append-position")] = str(attributes.plaintext_size)
    return headers
