"""Multipart uploads from create to complete, and what can be wrong with them."""

from tests.differential.case import (
    Case,
    Place,
    Step,
    case,
    delete,
    get,
    head,
    listing,
    on_bucket,
    on_key,
    post,
    put,
    xml,
)

_BIG = b"0123456789abcdef" * (5 * 1024 * 1024 // 16) + b"0"  # one byte more than the least size of a part
_HEADERS = {"content-type": "text/x", "cache-control": "no-store", "x-amz-meta-colour": "blue", "x-amz-tagging": "a=1"}


def _part(number: int | str, body: bytes, step: int = 1, headers: dict[str, str] | None = None) -> Step:
    return put("k", body, headers or {}, f"partNumber={number}&uploadId={{upload:{step}}}")


def _complete(*parts: tuple[int, str], step: int = 1, headers: dict[str, str] | None = None) -> Step:
    inner = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
    return post("k", f"uploadId={{upload:{step}}}", xml("CompleteMultipartUpload", inner), headers or {})


_CREATE = post("k", "uploads")
_ABORT = on_key("DELETE", "k", "uploadId={upload:1}")
_LIST = on_key("GET", "k", "uploadId={upload:1}")

_GOOD = (
    case("CompleteMultipartUpload", "two parts, read whole and in parts", post("k", "uploads", headers=_HEADERS), _part(1, _BIG), _part(2, b"tail"),
         _complete((1, "{etag:2}"), (2, "{etag:3}")), get("k"), head("k"), get("k", "partNumber=1"), head("k", "partNumber=2"), get("k", "partNumber=3"),
         get("k", "", {"range": "bytes=5242870-5242890"}), listing("list-type=2"), get("k", "tagging")),
    case("CompleteMultipartUpload", "one part", _CREATE, _part(1, b"only"), _complete((1, "{etag:2}")), get("k"), head("k")),
    case("CompleteMultipartUpload", "one empty part", _CREATE, _part(1, b""), _complete((1, "{etag:2}")), get("k")),
    case("CompleteMultipartUpload", "numbers with gaps", _CREATE, _part(7, _BIG), _part(10000, b"z"), _complete((7, "{etag:2}"), (10000, "{etag:3}")),
         head("k"), head("k", "partNumber=2"), head("k", "partNumber=7")),
    case("CompleteMultipartUpload", "a part sent twice", _CREATE, _part(1, b"old"), _part(1, b"new"), _complete((1, "{etag:3}")), get("k")),
    case("CompleteMultipartUpload", "a part left out", _CREATE, _part(1, b"one"), _part(2, b"two"), _complete((2, "{etag:3}")), get("k")),
    case("CompleteMultipartUpload", "ETags without quotes", _CREATE, _part(1, b"one"), _complete((1, "f97c5d29941bfb1b2fdab0874906ab82")), get("k")),
    case("CompleteMultipartUpload", "again", _CREATE, _part(1, b"one"), _complete((1, "{etag:2}")), _complete((1, "{etag:2}")), get("k")),
    case("CompleteMultipartUpload", "in a versioned bucket", _CREATE, _part(1, b"one"), _complete((1, "{etag:2}")), get("k"), listing("versions"), place=Place.VERSIONED),
)  # fmt: skip

_BAD = (
    case("CompleteMultipartUpload", "a small part in front", _CREATE, _part(1, b"small"), _part(2, b"two"), _complete((1, "{etag:2}"), (2, "{etag:3}")), head("k"), _ABORT),
    case("CompleteMultipartUpload", "the wrong order", _CREATE, _part(1, _BIG), _part(2, b"two"), _complete((2, "{etag:3}"), (1, "{etag:2}")), _ABORT),
    case("CompleteMultipartUpload", "a part twice in the list", _CREATE, _part(1, _BIG), _complete((1, "{etag:2}"), (1, "{etag:2}")), _ABORT),
    case("CompleteMultipartUpload", "a part that is not there", _CREATE, _part(1, b"one"), _complete((1, "{etag:2}"), (2, "{etag:2}")), _ABORT),
    case("CompleteMultipartUpload", "another ETag", _CREATE, _part(1, b"one"), _complete((1, '"00000000000000000000000000000000"')), _ABORT),
    case("CompleteMultipartUpload", "no parts", _CREATE, _complete(), _ABORT),
    case("CompleteMultipartUpload", "a body that is no XML", _CREATE, post("k", "uploadId={upload:1}", b"<Complete"), _ABORT),
    case("CompleteMultipartUpload", "an upload that is not there", head("k"), _complete((1, '"00000000000000000000000000000000"'))),
    case("UploadPart", "an upload that is not there", head("k"), _part(1, b"x")),
    case("UploadPart", "another key's upload", _CREATE, put("other", b"x", query="partNumber=1&uploadId={upload:1}"), _ABORT),
    case("UploadPart", "number 0", _CREATE, _part(0, b"x"), _ABORT),
    case("UploadPart", "number 10,001", _CREATE, _part(10001, b"x"), _ABORT),
    case("UploadPart", "a number that is none", _CREATE, _part("one", b"x"), _ABORT),
    case("UploadPart", "Content-MD5 of other bytes", _CREATE, _part(1, b"x", headers={"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}), _LIST, _ABORT),
    case("AbortMultipartUpload", "and nothing is left", _CREATE, _part(1, b"x"), _ABORT, _LIST, _part(2, b"y"), head("k")),
    case("AbortMultipartUpload", "an upload that is not there", head("k"), on_key("DELETE", "k", "uploadId=none")),
    case("AbortMultipartUpload", "twice", _CREATE, _ABORT, _ABORT),
    case("CreateMultipartUpload", "in a bucket that is not there", Step("POST", "/{bucket}-none/k?uploads")),
    case("CreateMultipartUpload", "nothing is there before Complete", _CREATE, _part(1, b"x"), get("k"), listing("list-type=2"), _ABORT),
)  # fmt: skip

_LISTS = (
    case("ListParts", "sizes and ETags", _CREATE, _part(1, _BIG), _part(2, b"two"), _LIST, _ABORT),
    case("ListParts", "none", _CREATE, _LIST, _ABORT),
    case("ListParts", "in pages", _CREATE, *(_part(number, b"x" * number) for number in (1, 2, 5)), on_key("GET", "k", "uploadId={upload:1}&max-parts=2"),
         on_key("GET", "k", "uploadId={upload:1}&max-parts=2&part-number-marker=2"), on_key("GET", "k", "uploadId={upload:1}&max-parts=0"), _ABORT),
    case("ListParts", "max-parts that is no number", _CREATE, on_key("GET", "k", "uploadId={upload:1}&max-parts=x"), _ABORT),
    case("ListParts", "an upload that is not there", on_key("GET", "k", "uploadId=none")),
    case("ListMultipartUploads", "by prefix", _CREATE, post("l/m", "uploads"), listing("uploads"), listing("uploads&delimiter=%2F"), listing("uploads&max-uploads=1"),
         listing("uploads&key-marker={prefix}k"), listing("uploads&encoding-type=url"), _ABORT, on_key("DELETE", "l/m", "uploadId={upload:2}"), listing("uploads")),
    case("ListMultipartUploads", "none", Step("PUT", "/{bucket}"), on_bucket("GET", "uploads"), place=Place.OWN),
    case("DeleteObject", "of a key with an upload in progress", put("k", b"x"), _CREATE, delete("k"), on_key("GET", "k", "uploadId={upload:2}"),
         on_key("DELETE", "k", "uploadId={upload:2}")),
)  # fmt: skip

CASES: tuple[Case, ...] = (*_GOOD, *_BAD, *_LISTS)
