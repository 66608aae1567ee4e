"""CopyObject and UploadPartCopy."""

from tests.differential.case import Case, Place, Step, case, copy, get, head, listing, on_key, post, put, xml

_LARGE = b"0123456789abcdef" * 20_000
_SOURCE = {"content-type": "text/a", "cache-control": "no-store", "x-amz-meta-colour": "blue", "x-amz-tagging": "a=1"}
_NEW = {"content-type": "text/b", "content-language": "de", "x-amz-meta-shape": "round"}
_REPLACE = {"x-amz-metadata-directive": "REPLACE"}


def _part(number: int, source: str, upload_step: int, headers: dict[str, str] | None = None) -> Step:
    return put(
        "joined",
        headers={"x-amz-copy-source": f"/{{bucket}}/{{prefix}}{source}", **(headers or {})},
        query=f"partNumber={number}&uploadId={{upload:{upload_step}}}",
    )


def _ranged(wanted: str) -> tuple[Step, ...]:
    return (
        put("k", _LARGE),
        post("joined", "uploads"),
        _part(1, "k", 2, {"x-amz-copy-source-range": wanted}),
        on_key("GET", "joined", "uploadId={upload:2}"),
        on_key("DELETE", "joined", "uploadId={upload:2}"),
    )


_COPIES = (
    case("CopyObject", "everything is kept", put("k", _LARGE, _SOURCE), copy("k", "copy"), get("copy"), get("copy", "tagging"), listing("list-type=2")),
    case("CopyObject", "REPLACE", put("k", b"x", _SOURCE), copy("k", "copy", {**_REPLACE, **_NEW}), head("copy")),
    case("CopyObject", "COPY with new metadata", put("k", b"x", _SOURCE), copy("k", "copy", {"x-amz-metadata-directive": "COPY", **_NEW}), head("copy")),
    case("CopyObject", "an unknown directive", put("k", b"x"), copy("k", "copy", {"x-amz-metadata-directive": "MOVE"}), head("copy")),
    case("CopyObject", "tags replaced", put("k", b"x", _SOURCE), copy("k", "copy", {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "b=2"}), get("copy", "tagging")),
    case("CopyObject", "tags kept, metadata replaced", put("k", b"x", _SOURCE), copy("k", "copy", _REPLACE), get("copy", "tagging")),
    case("CopyObject", "an unknown tagging directive", put("k", b"x"), copy("k", "copy", {"x-amz-tagging-directive": "MOVE"})),
    case("CopyObject", "onto itself", put("k", b"x", _SOURCE), copy("k", "k"), head("k")),
    case("CopyObject", "onto itself, REPLACE", put("k", b"x", _SOURCE), copy("k", "k", {**_REPLACE, **_NEW}), get("k")),
    case("CopyObject", "onto itself, another storage class", put("k", b"x"), copy("k", "k", {"x-amz-storage-class": "STANDARD_IA"}), head("k")),
    case("CopyObject", "of a key that is not there", copy("none", "copy"), head("copy")),
    case("CopyObject", "from a bucket that is not there", put("copy", headers={"x-amz-copy-source": "/{bucket}-none/k"})),
    case("CopyObject", "into another bucket", put("k", b"x"), Step("PUT", "/{other}/{prefix}k", {"x-amz-copy-source": "{bucket}/{prefix}k"}), Step("GET", "/{other}/{prefix}k")),
    case("CopyObject", "into a bucket that is not there", put("k", b"x"), Step("PUT", "/{bucket}-none/k", {"x-amz-copy-source": "{bucket}/{prefix}k"})),
    case("CopyObject", "source escaped whole", put("a%20%C3%BC", b"x"), put("copy", headers={"x-amz-copy-source": "%2F{bucket}%2F{prefix}a%20%C3%BC"}), get("copy")),
    case("CopyObject", "source with a plus", put("a%2Bb", b"x"), copy("a%2Bb", "copy"), get("copy")),
    case("CopyObject", "source without a key", put("copy", headers={"x-amz-copy-source": "{bucket}"})),
    case("CopyObject", "an empty object", put("k"), copy("k", "copy"), get("copy")),
    case("CopyObject", "an object in parts", post("k", "uploads"), put("k", _LARGE, query="partNumber=1&uploadId={upload:1}"),
         post("k", "uploadId={upload:1}", xml("CompleteMultipartUpload", "<Part><PartNumber>1</PartNumber><ETag>{etag:2}</ETag></Part>")),
         copy("k", "copy"), get("copy"), head("copy", "partNumber=1")),
    case("CopyObject", "an old version", put("k", b"1"), put("k", b"2"), copy("k?versionId={version:1}", "copy"), get("copy"), place=Place.VERSIONED),
    case("CopyObject", "a version that is not there", put("k", b"1"), copy("k?versionId=00000000000000000000000000000000", "copy"), place=Place.VERSIONED),
    case("CopyObject", "a delete marker", put("k", b"1"), on_key("DELETE", "k"), copy("k", "copy"), copy("k?versionId={version:2}", "copy"), place=Place.VERSIONED),
)  # fmt: skip

_PARTS = (
    case("UploadPartCopy", "a whole object and a part sent", put("k", _LARGE), post("joined", "uploads"), _part(1, "k", 2),
         post("joined", "uploadId={upload:2}", xml("CompleteMultipartUpload", "<Part><PartNumber>1</PartNumber><ETag>{etag:3}</ETag></Part>")),
         get("joined"), head("joined"), listing("list-type=2")),
    case("UploadPartCopy", "a range", *_ranged("bytes=65530-131080")),
    case("UploadPartCopy", "a range beyond the end", *_ranged("bytes=0-999999")),
    case("UploadPartCopy", "a range without an end", *_ranged("bytes=5-")),
    case("UploadPartCopy", "a malformed range", *_ranged("0-5")),
    case("UploadPartCopy", "a key that is not there", post("joined", "uploads"), _part(1, "none", 1), on_key("DELETE", "joined", "uploadId={upload:1}")),
    case("UploadPartCopy", "an upload that is not there", put("k", b"x"), _part(1, "k", 1)),
    case("UploadPartCopy", "x-amz-copy-source-if-match, another", put("k", b"x"), post("joined", "uploads"),
         _part(1, "k", 2, {"x-amz-copy-source-if-match": '"00000000000000000000000000000000"'}), on_key("DELETE", "joined", "uploadId={upload:2}")),
    case("UploadPartCopy", "an old version", put("k", b"1"), put("k", b"22"), post("joined", "uploads"), _part(1, "k?versionId={version:1}", 3),
         on_key("GET", "joined", "uploadId={upload:3}"), on_key("DELETE", "joined", "uploadId={upload:3}"), place=Place.VERSIONED),
)  # fmt: skip

CASES: tuple[Case, ...] = (*_COPIES, *_PARTS)
