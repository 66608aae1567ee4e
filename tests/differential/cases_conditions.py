"""Conditional headers on reads, writes, completion, deletion and copy sources."""

from tests.differential.case import Case, Step, case, copy, delete, get, head, post, put, xml

_PAST, _FUTURE = "Fri, 01 Jan 2010 00:00:00 GMT", "Thu, 01 Jan 2032 00:00:00 GMT"
_OTHER = '"00000000000000000000000000000000"'
_READ: dict[str, dict[str, str]] = {
    "If-Match, the ETag": {"if-match": "{etag:1}"},
    "If-Match, another": {"if-match": _OTHER},
    "If-Match, any": {"if-match": "*"},
    "If-Match, one of two": {"if-match": _OTHER + ", {etag:1}"},
    "If-None-Match, the ETag": {"if-none-match": "{etag:1}"},
    "If-None-Match, weak": {"if-none-match": "W/{etag:1}"},
    "If-None-Match, another": {"if-none-match": _OTHER},
    "If-None-Match, any": {"if-none-match": "*"},
    "If-Modified-Since, long ago": {"if-modified-since": _PAST},
    "If-Modified-Since, in the future": {"if-modified-since": _FUTURE},
    "If-Modified-Since, no date": {"if-modified-since": "yesterday"},
    "If-Unmodified-Since, long ago": {"if-unmodified-since": _PAST},
    "If-Unmodified-Since, in the future": {"if-unmodified-since": _FUTURE},
    "If-Match holds, If-Unmodified-Since not": {"if-match": "{etag:1}", "if-unmodified-since": _PAST},
    "If-None-Match fails, If-Modified-Since holds": {"if-none-match": "{etag:1}", "if-modified-since": _PAST},
    "If-None-Match holds, If-Modified-Since not": {"if-none-match": _OTHER, "if-modified-since": _FUTURE},
    "If-Range, the ETag": {"if-range": "{etag:1}", "range": "bytes=1-2"},
    "If-Range, another": {"if-range": _OTHER, "range": "bytes=1-2"},
    "a range and If-Match, another": {"if-match": _OTHER, "range": "bytes=1-2"},
}
_WRITE: dict[str, dict[str, str]] = {
    "If-None-Match any": {"if-none-match": "*"},
    "If-None-Match, the ETag": {"if-none-match": "{etag:1}"},
    "If-Match, the ETag": {"if-match": "{etag:1}"},
    "If-Match, another": {"if-match": _OTHER},
    "If-Match any": {"if-match": "*"},
}
_SOURCE: dict[str, dict[str, str]] = {
    "if-match, the ETag": {"x-amz-copy-source-if-match": "{etag:1}"},
    "if-match, another": {"x-amz-copy-source-if-match": _OTHER},
    "if-none-match, the ETag": {"x-amz-copy-source-if-none-match": "{etag:1}"},
    "if-none-match, another": {"x-amz-copy-source-if-none-match": _OTHER},
    "if-modified-since, long ago": {"x-amz-copy-source-if-modified-since": _PAST},
    "if-modified-since, in the future": {"x-amz-copy-source-if-modified-since": _FUTURE},
    "if-unmodified-since, long ago": {"x-amz-copy-source-if-unmodified-since": _PAST},
    "if-unmodified-since, in the future": {"x-amz-copy-source-if-unmodified-since": _FUTURE},
}


def _completing(headers: dict[str, str]) -> tuple[Step, ...]:
    """Create (2), send a part (3) and complete (4) over what the first request put."""
    parts = "<Part><PartNumber>1</PartNumber><ETag>{etag:3}</ETag></Part>"
    return (
        post("k", "uploads"),
        put("k", b"new", query="partNumber=1&uploadId={upload:2}"),
        post("k", "uploadId={upload:2}", xml("CompleteMultipartUpload", parts), headers),
        get("k"),
    )


CASES: tuple[Case, ...] = (
    *(case("GetObject", name, put("k", b"body"), get("k", "", headers)) for name, headers in _READ.items()),
    *(case("HeadObject", name, put("k", b"body"), head("k", "", headers)) for name, headers in _READ.items()),
    *(case("PutObject", f"{name}, over an object", put("k", b"old"), put("k", b"new", headers), get("k")) for name, headers in _WRITE.items()),
    case("PutObject", "If-None-Match any, new key", put("k", b"new", {"if-none-match": "*"}), get("k")),
    case("PutObject", "If-Match, new key", put("k", b"new", {"if-match": _OTHER}), get("k")),
    *(case("CompleteMultipartUpload", f"{name}, over an object", put("k", b"old"), *_completing(headers)) for name, headers in _WRITE.items()),
    case("CompleteMultipartUpload", "If-None-Match any, new key", head("k"), *_completing({"if-none-match": "*"})),
    case("CompleteMultipartUpload", "If-Match, new key", head("k"), *_completing({"if-match": _OTHER})),
    *(case("DeleteObject", name, put("k", b"old"), delete("k", "", headers), get("k")) for name, headers in _WRITE.items()),
    case("DeleteObject", "If-Match, nothing there", delete("k", "", {"if-match": _OTHER})),
    *(case("CopyObject", f"x-amz-copy-source-{name}", put("k", b"body"), copy("k", "copy", headers), get("copy")) for name, headers in _SOURCE.items()),
    case("CopyObject", "If-None-Match any, destination taken", put("k", b"body"), put("copy", b"old"), copy("k", "copy", {"if-none-match": "*"}), get("copy")),
    case("CopyObject", "If-Match of the destination", put("k", b"body"), put("copy", b"old"), copy("k", "copy", {"if-match": "{etag:2}"}), get("copy")),
    case("CopyObject", "If-Match of another destination", put("k", b"body"), put("copy", b"old"), copy("k", "copy", {"if-match": _OTHER}), get("copy")),
)  # fmt: skip
