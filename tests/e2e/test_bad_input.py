"""Promise: bad input gets the protocol's own error in the right dialect, and nothing is stored."""

import base64
import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest

from tests.support.raw_http import SIGNERS, Answer, exchange, sign, sign_oss, signed
from tests.support.servers import Launcher, Server, s3_client

_BUCKET = "bad-input"
_AT = f"/{_BUCKET}/bad"
_NO_KEY = "b2f1a2c4-0000-4000-8000-000000000000"
_NOT_IMPLEMENTED = "A header you provided implies functionality that is not implemented"
_RESERVED = "The metadata name 'sseproxy' is reserved."
_SSE, _OSS_SSE = "x-amz-server-side-encryption", "x-oss-server-side-encryption"
_BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)

both_dialects = pytest.mark.parametrize("dialect", ["s3", "oss"])


@pytest.fixture(scope="module")
def server(dev: Server) -> Server:
    s3_client(dev).create_bucket(Bucket=_BUCKET)
    return dev


@contextmanager
def nothing_stored(server: Server) -> Iterator[None]:
    """Fail unless the store's index and files are afterwards what they were before, state bucket included."""
    before = _everything(server)
    yield
    assert _everything(server) == before


def _everything(server: Server) -> list[object]:
    """Whatever the embedded store holds: rows of its index, names of its files, also of unfinished ones."""
    with closing(sqlite3.connect(server.data / "store" / "index.sqlite3", timeout=10)) as index:
        rows: list[object] = []
        for query in ("SELECT bucket, key, body, meta, size FROM objects", "SELECT upload FROM uploads"):
            rows += index.execute(query + " ORDER BY 1, 2").fetchall() if "," in query else index.execute(query)
        rows += index.execute("SELECT upload, number, body FROM parts ORDER BY 1, 2").fetchall()
    return rows + sorted(path.name for path in (server.data / "store" / "objects").rglob("*") if path.is_file())


def check_headers(answer: Answer, dialect: str) -> None:
    """Every error has these, whatever it is."""
    assert answer.headers["content-type"] == "application/xml"
    assert answer.headers["server"] == {"s3": "AmazonS3", "oss": "AliyunOSS"}[dialect]
    name = {"s3": "x-amz-request-id", "oss": "x-oss-request-id"}[dialect]
    assert re.fullmatch("[0-9A-F]{24}", answer.headers[name])
    assert answer.text("RequestId") == answer.headers[name]
    assert answer.headers["date"].endswith("GMT")
    if dialect == "s3":
        assert answer.headers["x-amz-id-2"] == answer.text("HostId") != ""
    else:
        assert answer.headers["x-oss-server-time"].isdigit()
        assert answer.text("HostId") == "127.0.0.1:" + answer.text("HostId").partition(":")[2]
    other = {"s3": "x-oss-", "oss": "x-amz-"}[dialect]
    assert [header for header in answer.headers if header.startswith(other)] == []


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@dataclass(frozen=True)
class Bad:
    """A PUT of `body` that is refused; `details` are further elements of the document."""

    name: str
    headers: Mapping[str, str]
    status: int
    code: str
    message: str
    details: Mapping[str, str]
    dialect: str = "s3"

    def __str__(self) -> str:
        return f"{self.dialect}: {self.name}"


_S3 = [
    Bad("Content-MD5 of other bytes", {"Content-MD5": _md5(b"other")}, 400, "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
        {"ExpectedDigest": _md5(b"other"), "CalculatedDigest": _md5(b"body")}),
    Bad("Content-MD5 that is none", {"Content-MD5": "nonsense"}, 400, "InvalidDigest",
        "The Content-MD5 you specified was invalid.", {"Content-MD5": "nonsense"}),
    Bad("checksum of other bytes", {"x-amz-checksum-crc32": "AAAAAA=="}, 400, "BadDigest",
        "The CRC32 you specified did not match the calculated checksum.", {}),
    Bad("checksum that is none", {"x-amz-checksum-crc32": "bad"}, 400, "InvalidRequest",
        "Value for x-amz-checksum-crc32 header is invalid.", {}),
    Bad("two checksums", {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}, 400,
        "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.", {}),
    Bad("checksum announced and not sent", {"x-amz-sdk-checksum-algorithm": "CRC32"}, 400, "InvalidRequest",
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were "
        "found.", {}),
    Bad("unknown encryption", {_SSE: "aes:kms"}, 400, "InvalidArgument",
        "The encryption method specified is not supported", {"ArgumentName": _SSE, "ArgumentValue": "aes:kms"}),
    Bad("key id without KMS", {_SSE: "AES256", f"{_SSE}-aws-kms-key-id": "k"}, 400, "InvalidArgument",
        "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        {"ArgumentName": _SSE}),
    Bad("unknown CMK", {_SSE: "aws:kms", f"{_SSE}-aws-kms-key-id": _NO_KEY}, 400, "KMS.NotFoundException",
        f"The key {_NO_KEY} does not exist.", {}),
    Bad("half a customer's key", {f"{_SSE}-customer-algorithm": "AES256"}, 400, "InvalidArgument",
        "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.",
        {"ArgumentName": _SSE, "ArgumentValue": "null"}),
    Bad("an append", {"x-amz-write-offset-bytes": "4"}, 501, "NotImplemented", _NOT_IMPLEMENTED,
        {"Header": "x-amz-write-offset-bytes"}),
    Bad("reserved metadata", {"x-amz-meta-sseproxy": "x"}, 400, "InvalidArgument", _RESERVED,
        {"ArgumentName": "x-amz-meta-sseproxy"}),
    Bad("reserved metadata of the other dialect", {"X-Oss-Meta-SSEProxy": "x"}, 400, "InvalidArgument", _RESERVED,
        {"ArgumentName": "x-oss-meta-sseproxy"}),
    Bad("metadata beside which no envelope fits", {"x-amz-meta-big": "x" * 2040}, 400, "MetadataTooLarge",
        "Your metadata headers exceed the maximum allowed metadata size", {}),
]  # fmt: skip
_OSS = [
    Bad("Content-MD5 of other bytes", {"Content-MD5": _md5(b"other")}, 400, "InvalidDigest",
        "The Content-MD5 you specified was invalid.", {}, "oss"),
    Bad("Content-MD5 that is none", {"Content-MD5": "nonsense"}, 400, "InvalidDigest",
        "The Content-MD5 you specified was invalid.", {}, "oss"),
    Bad("CRC-64 of other bytes", {"x-oss-hash-crc64ecma": "1"}, 400, "InvalidCRC64",
        "The x-oss-hash-crc64ecma you specified does not match what we calculated.", {}, "oss"),
    Bad("CRC-64 that is none", {"x-oss-hash-crc64ecma": "abc"}, 400, "InvalidArgument", "Invalid Argument",
        {"ArgumentName": "x-oss-hash-crc64ecma", "ArgumentValue": "abc"}, "oss"),
    Bad("unknown encryption", {_OSS_SSE: "AES128"}, 400, "InvalidEncryptionAlgorithmError",
        "The Encryption request you specified is not valid. Supported value: AES256/SM4/KMS.",
        {"ArgumentName": _OSS_SSE, "ArgumentValue": "AES128"}, "oss"),
    Bad("key id without KMS", {_OSS_SSE: "AES256", f"{_OSS_SSE}-key-id": "k"}, 400, "InvalidArgument",
        f"{_OSS_SSE}-key-id is not applicable if the sse algorithm is not KMS", {"ArgumentName": _OSS_SSE}, "oss"),
    Bad("unknown CMK", {_OSS_SSE: "KMS", f"{_OSS_SSE}-key-id": _NO_KEY}, 404, "KeyNotFound",
        "The specified parameter KMS keyId is not found.", {}, "oss"),
    Bad("unknown data cipher", {_OSS_SSE: "KMS", "x-oss-server-side-data-encryption": "AES256"}, 400,
        "InvalidDataEncryptionAlgorithmError",
        "The KMS Data Encryption request you specified is not valid. Supported value:SM4", {}, "oss"),
    Bad("a customer's key", {f"{_OSS_SSE}-customer-key": "x"}, 400,
        "NotImplemented", f"{_NOT_IMPLEMENTED}.", {"Header": f"{_OSS_SSE}-customer-key"}, "oss"),
    Bad("reserved metadata", {"x-oss-meta-sseproxy": "x"}, 400, "InvalidArgument", _RESERVED,
        {"ArgumentName": "x-oss-meta-sseproxy"}, "oss"),
    Bad("reserved metadata of the other dialect", {"x-amz-meta-sseproxy": "x"}, 400, "InvalidArgument", _RESERVED,
        {"ArgumentName": "x-amz-meta-sseproxy"}, "oss"),
    Bad("metadata beside which no envelope fits", {"x-oss-meta-big": "x" * 8180}, 400, "InvalidArgument",
        "Your metadata headers exceed the maximum allowed metadata size", {}, "oss"),
]  # fmt: skip


@pytest.mark.parametrize("bad", [*_S3, *_OSS], ids=str)
def test_a_bad_put_is_refused_and_nothing_is_stored(server: Server, bad: Bad) -> None:
    with nothing_stored(server):
        answer = signed(server, "PUT", _AT, bad.headers, b"body", dialect=bad.dialect)

    assert answer.error == (bad.status, bad.code, bad.message)
    assert {name: answer.text(name) for name in bad.details} == bad.details
    check_headers(answer, bad.dialect)


@both_dialects
@pytest.mark.parametrize("size", [100, 3 * 1024 * 1024])
def test_a_body_with_a_wrong_digest_leaves_the_old_object(server: Server, size: int, dialect: str) -> None:
    signed(server, "PUT", f"/{_BUCKET}/kept", {}, b"old", dialect=dialect)

    with nothing_stored(server):
        headers = {"Content-MD5": _md5(b"other")}
        answer = signed(server, "PUT", f"/{_BUCKET}/kept", headers, b"x" * size, dialect=dialect)

    assert answer.error[:2] == (400, {"s3": "BadDigest", "oss": "InvalidDigest"}[dialect])
    assert signed(server, "GET", f"/{_BUCKET}/kept", dialect=dialect).body == b"old"


@pytest.mark.parametrize("size", [4, 3 * 1024 * 1024])
def test_a_payload_hash_of_other_bytes_is_refused_and_nothing_is_stored(server: Server, size: int) -> None:
    claimed, body = hashlib.sha256(b"other").hexdigest(), b"x" * size
    headers = sign(server, "PUT", _AT, payload=claimed)

    with nothing_stored(server):
        answer = exchange(server, "PUT", _AT, {**headers, "Content-Length": str(size)}, body)

    assert answer.error == (
        400, "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )  # fmt: skip
    assert answer.text("ClientComputedContentSHA256") == claimed
    assert answer.text("S3ComputedContentSHA256") == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("payload", "status", "code", "message"),
    [
        ("STREAMING-SOMETHING-NEW", 400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "),
        ("e3b0", 400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "),
        (
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 501, "NotImplemented",
            "The chunk encoding algorithm STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD is not supported.",
        ),
    ],
)  # fmt: skip
def test_an_unknown_payload_form_is_refused_and_never_stored(
    server: Server, payload: str, status: int, code: str, message: str
) -> None:
    headers = sign(server, "PUT", _AT, payload=payload)

    with nothing_stored(server):
        answer = exchange(server, "PUT", _AT, {**headers, "Content-Length": "4"}, b"body")

    assert answer.error[:2] == (status, code)
    assert answer.text("Message").startswith(message)


@both_dialects
def test_a_wrong_secret_an_unknown_key_and_no_signature_are_three_errors(server: Server, dialect: str) -> None:
    good = SIGNERS[dialect](server, "PUT", _AT, {})
    wrong = {**good, "Authorization": good["Authorization"][:-9] + "00000000="[-9:]}
    unknown = {**good, "Authorization": good["Authorization"].replace("sseproxy-dev", "nobody")}
    unsigned = {"s3": {}, "oss": {"x-oss-date": good.get("Date", "")}}[dialect]
    service = {"s3": "AWS", "oss": "OSS"}[dialect]
    anonymous = {"s3": "Access Denied", "oss": "Anonymous user has no right to access this bucket."}[dialect]

    with nothing_stored(server):
        answers = [
            exchange(server, "PUT", _AT, {**headers, "Content-Length": "4"}, b"body")
            for headers in (wrong, unknown, unsigned)
        ]

    assert [answer.error for answer in answers] == [
        (403, "SignatureDoesNotMatch", _BAD_SIGNATURE),
        (403, "InvalidAccessKeyId", f"The {service} Access Key Id you provided does not exist in our records."),
        (403, "AccessDenied", anonymous),
    ]
    assert answers[1].text(f"{service}AccessKeyId") == "nobody"
    assert good["Authorization"][-40:-9].encode() not in answers[0].body  # signatures are not echoed
    for answer in answers:
        check_headers(answer, dialect)


@pytest.mark.parametrize(
    ("authorization", "dialect", "code", "message"),
    [
        ("Basic eDp5", "s3", "InvalidArgument", "Unsupported Authorization Type"),
        (
            "AWS4-HMAC-SHA256 nonsense", "s3", "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the authorization header requires three components: Credential, "
            "SignedHeaders, and Signature.",
        ),
        ("OSS nonsense", "oss", "InvalidArgument", "Authorization header is invalid."),
    ],
)  # fmt: skip
def test_an_authorization_that_cannot_be_read_is_no_anonymous_request(
    server: Server, authorization: str, dialect: str, code: str, message: str
) -> None:
    answer = exchange(server, "GET", _AT, {"Authorization": authorization})

    assert answer.error == (400, code, message)
    check_headers(answer, dialect)


@pytest.mark.parametrize("headers", [{"Date": "Sat, 21 Nov 2020 06:00:00 GMT"}], ids=["six years"])
def test_an_old_request_is_refused_with_both_times(server: Server, headers: Mapping[str, str]) -> None:
    answer = exchange(server, "GET", _AT, sign_oss(server, "GET", _AT, headers))

    assert answer.error == (
        403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
    )  # fmt: skip
    assert answer.text("RequestTime") == "2020-11-21T06:00:00.000Z"
    assert answer.text("MaxAllowedSkewMilliseconds") == "900000"


def test_an_unsigned_amz_header_is_refused_by_name(server: Server) -> None:
    answer = exchange(server, "GET", _AT, {**sign(server, "GET", _AT), "x-amz-acl": "private"})

    assert answer.error == (403, "AccessDenied", "There were headers present in the request which were not signed")
    assert answer.text("HeadersNotSigned") == "x-amz-acl"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("dialect", "header"), [("s3", _SSE), ("oss", _OSS_SSE)])
def test_an_encryption_header_on_a_read_is_refused(server: Server, dialect: str, header: str, method: str) -> None:
    answer = signed(server, method, _AT, {header: "AES256"}, dialect=dialect)

    assert answer.status == 400
    if method == "HEAD" and dialect == "s3":
        assert (answer.body, answer.headers["x-amz-request-id"] != "") == (b"", True)
        return
    assert answer.error == (400, "InvalidArgument", f"{header} header is not supported for this operation.")
    assert (answer.text("ArgumentName"), answer.text("ArgumentValue")) == (header, "AES256")
    check_headers(answer, dialect)


@pytest.mark.parametrize(
    ("dialect", "status", "method", "query"),
    [
        ("s3", 501, "POST", "select&select-type=2"),
        ("s3", 501, "GET", "torrent"),
        ("s3", 501, "PUT", "renameObject"),
        ("oss", 400, "GET", "x-oss-process=image/resize"),
        ("oss", 400, "POST", "seal"),
    ],
)
def test_what_would_show_or_move_ciphertext_as_data_is_refused(
    server: Server, dialect: str, status: int, method: str, query: str
) -> None:
    signed(server, "PUT", f"/{_BUCKET}/object", {}, b"data")

    with nothing_stored(server):
        answer = signed(server, method, f"/{_BUCKET}/object?{query}", dialect=dialect)

    name = re.split("[&=]", query)[0]
    assert answer.error == (status, "NotImplemented", f"This endpoint seals objects and does not support {name}.")
    check_headers(answer, dialect)


@both_dialects
def test_the_state_bucket_is_closed_to_every_client(server: Server, dialect: str) -> None:
    prefix = {"s3": "x-amz-", "oss": "x-oss-"}[dialect]
    source = {f"{prefix}copy-source": "/sseproxy-state/state-key"}

    with nothing_stored(server):
        answers = [
            signed(server, "GET", "/sseproxy-state/state-key", dialect=dialect),
            signed(server, "GET", "/sseproxy-state/", dialect=dialect),
            signed(server, "PUT", "/sseproxy-state/x", {}, b"x", dialect=dialect),
            signed(server, "DELETE", "/sseproxy-state/state-key", dialect=dialect),
            signed(server, "PUT", _AT, source, dialect=dialect),
        ]

    assert [answer.error for answer in answers] == [(403, "AccessDenied", "Access Denied")] * 5


@both_dialects
def test_errors_of_head_have_no_body_and_on_oss_their_document_beside(server: Server, dialect: str) -> None:
    missing = signed(server, "HEAD", f"/{_BUCKET}/missing", dialect=dialect)

    assert (missing.status, missing.body) == (404, b"")
    if dialect == "s3":
        assert missing.document == b""
        return
    assert missing.error == (404, "NoSuchKey", "The specified key does not exist.")
    check_headers(missing, dialect)


@both_dialects
def test_a_missing_object_and_a_missing_bucket_have_their_own_codes(server: Server, dialect: str) -> None:
    stop = {"s3": "", "oss": "."}[dialect]
    key = signed(server, "GET", f"/{_BUCKET}/missing", dialect=dialect)
    bucket = signed(server, "GET", "/no-such-bucket-here/missing", dialect=dialect)

    assert key.error == (404, "NoSuchKey", "The specified key does not exist.")
    assert key.text("Key") == "missing"
    assert bucket.error == (404, "NoSuchBucket", f"The specified bucket does not exist{stop}")
    assert bucket.text("BucketName") == "no-such-bucket-here"
    check_headers(key, dialect)
    check_headers(bucket, dialect)


def test_the_other_dialect_is_refused_in_its_own_words(launcher: Launcher) -> None:
    store = launcher.store()
    only_s3 = launcher.proxy(store)
    only_oss = launcher.proxy(store, only_s3.data, dialect="oss")

    to_s3 = signed(only_s3, "GET", "/bucket/key", dialect="oss")
    to_oss = signed(only_oss, "GET", "/bucket/key")

    words = "This endpoint speaks the {}; your request is signed or marked for another one."
    assert to_s3.error == (403, "AccessDenied", words.format("S3 protocol"))
    assert to_oss.error == (403, "AccessDenied", words.format("Alibaba Cloud OSS protocol"))
    check_headers(to_s3, "oss")
    check_headers(to_oss, "s3")
