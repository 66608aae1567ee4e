"""Checksums in headers and trailers, and GetObjectAttributes."""

from tests.differential.case import Case, Place, Step, case, copy, get, head, on_key, post, put, xml

_BODY = b"checksummed body"
_SUMS = {
    "crc32": "c6YYhQ==",
    "crc32c": "TN0j2Q==",
    "crc64nvme": "x9P/nHUVchk=",
    "sha1": "9LOo7oVmaL1mwMQBKWaa4rAwEjA=",
    "sha256": "GacQZrQtMFOFgNejYQTJiq+ETpdG+udRVN2JU3Qt1do=",
    "sha512": "FBxauxMB8E1h+xF1kFd+PMEYt0pekXBCeZwcaY3lbpnAd4k6cTrxPl1WTwimoWfi3Oo1iO/qUGy7pboAWfKViw==",
    "md5": "Y61Qzvr2/UDarje/5R9U5A==",
    "xxhash64": "odAerVR1BY8=",
    "xxhash3": "Me0OcYz+lrk=",
    "xxhash128": "j4MWZguNbzMikS0KIWaN7w==",
}
_OTHER_CRC32, _OTHER_CRC64 = "AAAAAA==", "AAAAAAAAAAA="
_MODE = {"x-amz-checksum-mode": "ENABLED"}
_ALL = {"x-amz-object-attributes": "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"}


def _trailing(algorithm: str, value: str) -> Step:
    return Step("PUT", "/{bucket}/{prefix}k", {}, _BODY, trailers={f"x-amz-checksum-{algorithm}": value})


def _attributes(key: str = "k", headers: dict[str, str] | None = None, query: str = "attributes") -> Step:
    return get(key, query, headers or _ALL)


def _in_parts(algorithm: str, kind: str, *, told: str) -> tuple[Step, ...]:
    """Create (1), one part (2), list (3), complete (4) and read what it became."""
    name = f"Checksum{algorithm.upper()}"
    part = f"<Part><PartNumber>1</PartNumber><ETag>{{etag:2}}</ETag><{name}>{_SUMS[algorithm]}</{name}></Part>"
    headers = {"x-amz-checksum-algorithm": algorithm.upper(), "x-amz-checksum-type": kind}
    return (
        post("k", "uploads", headers=headers),
        put("k", _BODY, {f"x-amz-checksum-{algorithm}": _SUMS[algorithm]}, "partNumber=1&uploadId={upload:1}"),
        on_key("GET", "k", "uploadId={upload:1}"),
        post(
            "k",
            "uploadId={upload:1}",
            xml("CompleteMultipartUpload", part),
            {f"x-amz-checksum-{algorithm}": told} if told else {},
        ),
        head("k", "", _MODE),
        get("k", "partNumber=1", _MODE),
        _attributes(),
    )


CASES: tuple[Case, ...] = (
    *(case("Checksums", f"{name} in a header", put("k", _BODY, {f"x-amz-checksum-{name}": value}), head("k", "", _MODE), get("k", "", _MODE), _attributes())
      for name, value in _SUMS.items()),
    *(case("Checksums", f"{name} in a trailer", _trailing(name, value), get("k", "", _MODE)) for name, value in _SUMS.items()),
    case("Checksums", "of other bytes, in a header", put("k", _BODY, {"x-amz-checksum-crc32": _OTHER_CRC32}), head("k")),
    case("Checksums", "of other bytes, in a trailer", _trailing("crc64nvme", _OTHER_CRC64), head("k")),
    case("Checksums", "malformed, in a header", put("k", _BODY, {"x-amz-checksum-crc32": "bad"}), head("k")),
    case("Checksums", "malformed, in a trailer", _trailing("crc32", "bad"), head("k")),
    case("Checksums", "two at once", put("k", _BODY, {"x-amz-checksum-crc32": _SUMS["crc32"], "x-amz-checksum-sha1": _SUMS["sha1"]}), head("k")),
    case("Checksums", "announced and not sent", put("k", _BODY, {"x-amz-sdk-checksum-algorithm": "CRC32"}), head("k")),
    case("Checksums", "an unknown algorithm for an upload", post("k", "uploads", headers={"x-amz-checksum-algorithm": "CRC16"})),
    case("Checksums", "a type without an algorithm", post("k", "uploads", headers={"x-amz-checksum-type": "FULL_OBJECT"})),
    case("Checksums", "not asked for", put("k", _BODY, {"x-amz-checksum-crc32": _SUMS["crc32"]}), head("k"), get("k")),
    case("Checksums", "asked for with a range", put("k", _BODY, {"x-amz-checksum-crc32": _SUMS["crc32"]}), get("k", "", {**_MODE, "range": "bytes=0-3"})),
    case("Checksums", "kept by a copy", put("k", _BODY, {"x-amz-checksum-sha256": _SUMS["sha256"]}), copy("k", "copy"), head("copy", "", _MODE)),
    case("Checksums", "another one for a copy", put("k", _BODY), copy("k", "copy", {"x-amz-checksum-algorithm": "SHA256"}), head("copy", "", _MODE)),
    case("Checksums", "an upload, composite", *_in_parts("sha256", "COMPOSITE", told="")),
    case("Checksums", "an upload, full object", *_in_parts("crc32", "FULL_OBJECT", told=_SUMS["crc32"])),
    case("Checksums", "an upload, full object of other bytes", *_in_parts("crc32", "FULL_OBJECT", told=_OTHER_CRC32)),
    case("Checksums", "an upload without an algorithm", post("k", "uploads"), put("k", _BODY, query="partNumber=1&uploadId={upload:1}"),
         post("k", "uploadId={upload:1}", xml("CompleteMultipartUpload", "<Part><PartNumber>1</PartNumber><ETag>{etag:2}</ETag></Part>")), head("k", "", _MODE)),
    case("GetObjectAttributes", "all, of a plain object", put("k", _BODY), _attributes()),
    case("GetObjectAttributes", "size alone", put("k", _BODY), _attributes(headers={"x-amz-object-attributes": "ObjectSize"})),
    case("GetObjectAttributes", "of a key that is not there", _attributes("none")),
    case("GetObjectAttributes", "no attributes named", put("k", _BODY), get("k", "attributes")),
    case("GetObjectAttributes", "an unknown attribute", put("k", _BODY), _attributes(headers={"x-amz-object-attributes": "Colour"})),
    case("GetObjectAttributes", "of an old version", put("k", b"1"), put("k", b"22"), _attributes(query="attributes&versionId={version:1}"), place=Place.VERSIONED),
)  # fmt: skip
