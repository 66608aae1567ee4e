"""Signatures in headers and URLs, wrong ones, and none."""

from tests.differential.case import Auth, Case, Place, Step, case, create, delete, get, head, on_bucket, on_key, put

_CRC32 = {"x-amz-checksum-crc32": "c6YYhQ=="}
_BODY = b"checksummed body"

CASES: tuple[Case, ...] = (
    case("Presigned URLs", "PUT and GET", put("k", b"body").signed(Auth.URL), get("k").signed(Auth.URL), head("k").signed(Auth.URL), delete("k").signed(Auth.URL), head("k")),
    case("Presigned URLs", "a signed checksum header", put("k", _BODY, _CRC32).signed(Auth.URL), get("k", "", {"x-amz-checksum-mode": "ENABLED"}).signed(Auth.URL)),
    case("Presigned URLs", "a signed checksum of other bytes", put("k", b"other", _CRC32).signed(Auth.URL), head("k")),
    case("Presigned URLs", "a checksum in the query", put("k", _BODY, query="x-amz-checksum-crc32=c6YYhQ%3D%3D").signed(Auth.URL), head("k", "", {"x-amz-checksum-mode": "ENABLED"})),
    case("Presigned URLs", "a checksum of other bytes in the query", put("k", b"other", query="x-amz-checksum-crc32=c6YYhQ%3D%3D").signed(Auth.URL), head("k")),
    case("Presigned URLs", "a signed content type", put("k", b"body", {"content-type": "text/x"}).signed(Auth.URL), head("k")),
    case("Presigned URLs", "signed metadata", put("k", b"body", {"x-amz-meta-colour": "blue"}).signed(Auth.URL), head("k")),
    case("Presigned URLs", "response overrides", put("k", b"body"), get("k", "response-content-disposition=attachment").signed(Auth.URL)),
    case("Presigned URLs", "a range", put("k", b"body"), get("k", "", {"range": "bytes=1-2"}).signed(Auth.URL)),
    case("Presigned URLs", "expired", put("k", b"body"), get("k").signed(Auth.EXPIRED_URL), put("k", b"new").signed(Auth.EXPIRED_URL), get("k")),
    case("Presigned URLs", "a listing", on_bucket("GET", "list-type=2&prefix={prefix}").signed(Auth.URL)),
    case("Presigned URLs", "a part", on_key("POST", "k", "uploads").signed(Auth.URL), put("k", b"x", query="partNumber=1&uploadId={upload:1}").signed(Auth.URL),
         on_key("DELETE", "k", "uploadId={upload:1}").signed(Auth.URL)),
    case("Presigned URLs", "a signature that is none", Step("GET", "/{bucket}/{prefix}k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0", auth=Auth.NONE)),
    case("Signatures", "a wrong secret", put("k", b"x").signed(Auth.WRONG_SECRET), get("k").signed(Auth.WRONG_SECRET), head("k").signed(Auth.WRONG_SECRET), head("k")),
    case("Signatures", "an unknown access key", put("k", b"x").signed(Auth.UNKNOWN_KEY), on_bucket("GET").signed(Auth.UNKNOWN_KEY)),
    case("Signatures", "an Authorization that is none", Step("GET", "/{bucket}/{prefix}k", {"authorization": "Bearer x"}, auth=Auth.NONE)),
    case("Signatures", "chunks with a trailer", Step("PUT", "/{bucket}/{prefix}k", {"content-type": "text/x"}, _BODY, trailers=_CRC32), get("k")),
    case("Signatures", "chunks of an encoded body", Step("PUT", "/{bucket}/{prefix}k", {"content-encoding": "gzip"}, _BODY, trailers=_CRC32), get("k")),
    case("Anonymous", "objects", put("k", b"x"), get("k").signed(Auth.NONE), head("k").signed(Auth.NONE), put("k", b"y").signed(Auth.NONE), delete("k").signed(Auth.NONE), get("k")),
    case("Anonymous", "a bucket", on_bucket("GET").signed(Auth.NONE), on_bucket("HEAD").signed(Auth.NONE), on_bucket("DELETE").signed(Auth.NONE)),
    case("Anonymous", "creating a bucket", create().signed(Auth.NONE), on_bucket("HEAD"), place=Place.OWN),
    case("Anonymous", "a public object", create(), Step("PUT", "/{bucket}/{prefix}k", {"x-amz-acl": "public-read"}, b"x"), get("k").signed(Auth.NONE), head("k").signed(Auth.NONE), place=Place.OWN),
)  # fmt: skip
