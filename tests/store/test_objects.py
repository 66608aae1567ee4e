"""PutObject, GetObject, HeadObject, DeleteObject in both dialects."""

import base64
import hashlib
import random
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from botocore.exceptions import ClientError

from tests.store.wire import Wire

_BODY = bytes(range(100))
_ETAG = hashlib.md5(_BODY).hexdigest()
_PAST, _FUTURE = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
_KEYS = [
    b"a", b"a/", b"a/b", b"a//b", b"/lead", b"..", b".", b"../../etc/passwd", b"a/../b", b"%2F", b"a%2Fb", b"+", b"a b",
    "ü/日本語".encode(), b"\x01\x1f\x7f", b"x" * 1024, b"a" * 255 + b"/" + b"b" * 700, b"~", b"?", b"#", b"&amp;", b"*", b"\\",
]  # fmt: skip


def _path(bucket: str, key: bytes) -> str:
    safe = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
    return f"/{bucket}/" + "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in key)


@pytest.fixture
def k(wire: Wire, bucket: str) -> str:
    """An object of 100 bytes."""
    wire.s3("PUT", f"/{bucket}/k", _BODY)
    return f"/{bucket}/k"


def test_every_key_is_an_object_of_its_own(wire: Wire, bucket: str) -> None:
    for number, key in enumerate(_KEYS):
        assert wire.s3("PUT", _path(bucket, key), str(number).encode()).status == 200

    for number, key in enumerate(_KEYS):
        assert wire.s3("GET", _path(bucket, key)).body == str(number).encode()


def test_keys_of_any_bytes_are_listed_in_order(s3: Any, wire: Wire, bucket: str) -> None:
    for key in _KEYS:
        wire.s3("PUT", _path(bucket, key), b"")

    listed = [entry["Key"].encode() for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]

    assert listed == sorted(_KEYS)


def test_a_key_may_have_1024_bytes_on_s3_and_1023_on_oss(wire: Wire, bucket: str) -> None:
    assert wire.s3("PUT", f"/{bucket}/{'k' * 1024}").status == 200
    assert wire.s3("PUT", f"/{bucket}/{'k' * 1025}").outcome == (400, "KeyTooLongError")
    assert wire.oss("PUT", f"/{bucket}/{'k' * 1023}").status == 200
    assert wire.oss("PUT", f"/{bucket}/{'k' * 1024}").outcome == (400, "InvalidObjectName")


@pytest.mark.parametrize("key", ["/a", "%5Ca"])
def test_oss_keys_do_not_begin_with_a_slash(wire: Wire, bucket: str, key: str) -> None:
    assert wire.oss("PUT", f"/{bucket}/{key}").outcome == (400, "InvalidObjectName")


def test_what_one_dialect_wrote_the_other_reads(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket, Key="from-s3", Body=_BODY, Metadata={"a": "1"}, ContentType="text/plain", CacheControl="no-cache"
    )
    oss.put_object("from-oss", _BODY, headers={"x-oss-meta-a": "2", "Content-Type": "text/css"})

    read_by_oss = oss.get_object("from-s3")
    assert read_by_oss.read() == _BODY
    assert read_by_oss.headers["x-oss-meta-a"] == "1"
    assert read_by_oss.headers["Content-Type"] == "text/plain"
    assert read_by_oss.headers["Cache-Control"] == "no-cache"
    assert read_by_oss.headers["ETag"] == f'"{_ETAG.upper()}"'
    assert read_by_oss.headers["x-oss-object-type"] == "Normal"
    assert read_by_oss.headers["Content-MD5"] == base64.b64encode(hashlib.md5(_BODY).digest()).decode()
    read_by_s3 = s3.get_object(Bucket=bucket, Key="from-oss")
    assert read_by_s3["Body"].read() == _BODY
    assert (read_by_s3["Metadata"], read_by_s3["ContentType"], read_by_s3["ETag"]) == (
        {"a": "2"},
        "text/css",
        f'"{_ETAG}"',
    )


def test_oss_answers_the_crc_on_put_get_and_head(oss: oss2.Bucket) -> None:
    put = oss.put_object("k", b"hello world")

    assert put.crc == oss.get_object("k").server_crc == 5981764153023615706
    assert put.headers["Content-MD5"] == "XrY7u+Ae7tCTyyK7j1rNww=="
    assert oss.head_object("k").headers["x-oss-hash-crc64ecma"] == "5981764153023615706"
    assert oss.get_object("k", byte_range=(0, 2)).headers["x-oss-hash-crc64ecma"] == "5981764153023615706"


def test_the_second_oss_sdk_puts_and_gets(v2: oss_v2.Client, bucket: str) -> None:
    put = v2.put_object(oss_v2.PutObjectRequest(bucket=bucket, key="k", body=_BODY, metadata={"a": "1"}))

    got = v2.get_object(oss_v2.GetObjectRequest(bucket=bucket, key="k"))

    assert (put.hash_crc64, put.etag) == (got.hash_crc64, f'"{_ETAG.upper()}"')
    assert (got.body.content, got.metadata["a"], got.object_type) == (_BODY, "1", "Normal")


def test_s3_stores_and_returns_the_checksum_of_the_client_or_crc64nvme(s3: Any, wire: Wire, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="sha", Body=b"hello world", ChecksumAlgorithm="SHA256")
    wire.s3("PUT", f"/{bucket}/none", b"hello world")

    sha = s3.head_object(Bucket=bucket, Key="sha", ChecksumMode="ENABLED")
    none = s3.get_object(Bucket=bucket, Key="none", ChecksumMode="ENABLED")
    assert (sha["ChecksumSHA256"], sha["ChecksumType"]) == (
        "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
        "FULL_OBJECT",
    )
    assert none["ChecksumCRC64NVME"] == "jSnVw/bqjr4="
    ranged = wire.s3("GET", f"/{bucket}/none", headers={"Range": "bytes=0-4", "x-amz-checksum-mode": "ENABLED"})
    assert not [name for name in ranged.headers if "checksum" in name]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", (206, 0, 10)),
        ("bytes=90-", (206, 90, 100)),
        ("bytes=-10", (206, 90, 100)),
        ("bytes=000-09", (206, 0, 10)),
        ("bytes=90-200", (206, 90, 100)),
        ("bytes=-200", (206, 0, 100)),
        ("bytes=0-99", (206, 0, 100)),
        ("bytes=100-", (416, 0, 0)),
        ("bytes=100-200", (416, 0, 0)),
        ("bytes=-0", (416, 0, 0)),
        *((text, (200, 0, 100)) for text in (
            "bytes=10-5", "bytes=abc", "bytes=-", "bytes=-1-", "bytes=,", "bytes= -1", "bytes=--1", "bytes=0 -1", "bytes=0--1",
            "bytes=100-x", "foo=0-1", "bytes=0-0,1-2",
        )),
    ],
)  # fmt: skip
def test_s3_ranges(wire: Wire, k: str, header: str, expected: tuple[int, int, int]) -> None:
    status, start, end = expected

    got, head = (wire.s3(method, k, headers={"Range": header}) for method in ("GET", "HEAD"))

    assert got.status == head.status == status
    if status == 416:
        assert (got.code, got.text("RangeRequested"), got.text("ActualObjectSize")) == ("InvalidRange", header, "100")
        return
    assert got.body == _BODY[start:end]
    assert got.headers["content-length"] == head.headers["content-length"] == str(end - start)
    assert got.headers.get("content-range") == (f"bytes {start}-{end - 1}/100" if status == 206 else None)


@pytest.mark.parametrize(
    ("header", "status"), [("bytes=0-0", 416), ("bytes=0-", 416), ("bytes=-0", 416), ("bytes=-1", 200)]
)
def test_s3_ranges_of_an_empty_object(wire: Wire, bucket: str, header: str, status: int) -> None:
    wire.s3("PUT", f"/{bucket}/empty")

    assert wire.s3("GET", f"/{bucket}/empty", headers={"Range": header}).status == status


@pytest.mark.parametrize(
    ("header", "behavior", "expected"),
    [
        ("bytes=0-9", "", (206, 0, 10)),
        ("bytes=-10", "", (206, 90, 100)),
        ("bytes=90-200", "", (200, 0, 100)),
        ("bytes=-200", "", (200, 0, 100)),
        ("bytes=100-", "", (200, 0, 100)),
        ("bytes=90-200", "standard", (206, 90, 100)),
        ("bytes=100-", "standard", (416, 0, 0)),
        ("bytes=x", "standard", (200, 0, 100)),
    ],
)
def test_oss_ranges(wire: Wire, k: str, header: str, behavior: str, expected: tuple[int, int, int]) -> None:
    status, start, end = expected

    got = wire.oss("GET", k, headers={"Range": header} | ({"x-oss-range-behavior": behavior} if behavior else {}))

    assert got.status == status
    assert got.code == "InvalidRange" if status == 416 else got.body == _BODY[start:end]


def test_if_range_gives_everything_to_a_client_with_another_object(wire: Wire, k: str) -> None:
    same = wire.s3("GET", k, headers={"Range": "bytes=0-0", "If-Range": f'"{_ETAG}"'})
    other = wire.s3("GET", k, headers={"Range": "bytes=0-0", "If-Range": '"other"'})

    assert (same.status, other.status) == (206, 200)


@pytest.mark.parametrize(
    ("conditions", "status", "failed"),
    [
        ({"If-Match": f'"{_ETAG}"'}, 200, ""),
        ({"If-Match": _ETAG}, 200, ""),
        ({"If-Match": "*"}, 200, ""),
        ({"If-Match": f'"x", "{_ETAG}"'}, 200, ""),
        ({"If-Match": '"x"'}, 412, "If-Match"),
        ({"If-Match": '"x"', "If-None-Match": f'"{_ETAG}"'}, 412, "If-Match"),
        ({"If-Match": f'"{_ETAG}"', "If-Unmodified-Since": _PAST}, 200, ""),
        ({"If-Match": f'"{_ETAG}"', "If-None-Match": f'"{_ETAG}"'}, 304, ""),
        ({"If-Match": f'"{_ETAG}"', "If-Modified-Since": _FUTURE}, 304, ""),
        ({"If-Match": f'"{_ETAG}"', "If-None-Match": '"x"', "If-Modified-Since": _FUTURE}, 200, ""),
        ({"If-None-Match": f'"{_ETAG}"', "If-Unmodified-Since": _PAST}, 412, "If-Unmodified-Since"),
        ({"If-None-Match": f'"{_ETAG}"', "If-Unmodified-Since": _FUTURE}, 304, ""),
        ({"If-None-Match": f'"{_ETAG}"'}, 304, ""),
        ({"If-None-Match": '"x"', "If-Unmodified-Since": _PAST}, 412, "If-Unmodified-Since"),
        ({"If-None-Match": '"x"', "If-Modified-Since": _FUTURE}, 200, ""),
        ({"If-Modified-Since": _FUTURE, "If-Unmodified-Since": _PAST}, 412, "If-Unmodified-Since"),
        ({"If-Modified-Since": _FUTURE}, 304, ""),
        ({"If-Modified-Since": _PAST}, 200, ""),
        ({"If-Modified-Since": "nonsense"}, 200, ""),
        ({"If-Unmodified-Since": _PAST}, 412, "If-Unmodified-Since"),
        ({"If-Unmodified-Since": _FUTURE}, 200, ""),
        ({"If-Match": '"x"', "Range": "bytes=200-"}, 412, "If-Match"),
    ],
)
def test_conditions_on_reads(wire: Wire, k: str, conditions: dict[str, str], status: int, failed: str) -> None:
    got, head = (wire.s3(method, k, headers=conditions) for method in ("GET", "HEAD"))

    assert got.status == head.status == status
    assert got.text("Condition") == failed
    assert got.body == (_BODY if status == 200 else got.body if failed else b"")
    if status == 304:
        assert got.headers["etag"] == f'"{_ETAG}"'


def test_a_date_condition_holds_at_the_very_second(wire: Wire, k: str) -> None:
    date = wire.s3("HEAD", k).headers["last-modified"]

    assert wire.s3("GET", k, headers={"If-Modified-Since": date}).status == 304
    assert wire.s3("GET", k, headers={"If-Unmodified-Since": date}).status == 200


@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        ({"If-None-Match": "*"}, (412, "PreconditionFailed")),
        ({"If-None-Match": '"x"'}, (501, "NotImplemented")),
        ({"If-Match": f'"{_ETAG}"'}, (200, "")),
        ({"If-Match": '"x"'}, (412, "PreconditionFailed")),
        ({"If-Match": "*"}, (501, "NotImplemented")),
        ({"If-Match": f'"{_ETAG}"', "If-None-Match": "*"}, (501, "NotImplemented")),
    ],
)
def test_conditions_on_writes_over_an_object(
    wire: Wire, k: str, conditions: dict[str, str], outcome: tuple[int, str]
) -> None:
    assert wire.s3("PUT", k, b"new", conditions).outcome == outcome
    assert wire.s3("GET", k).body == (b"new" if outcome[0] == 200 else _BODY)


def test_conditions_on_writes_of_a_new_object(wire: Wire, bucket: str) -> None:
    assert wire.s3("PUT", f"/{bucket}/n", b"x", {"If-Match": '"x"'}).outcome == (404, "NoSuchKey")
    assert wire.s3("PUT", f"/{bucket}/n", b"x", {"If-None-Match": "*"}).status == 200


def test_oss_knows_forbid_overwrite_and_no_other_condition(wire: Wire, k: str) -> None:
    assert wire.oss("PUT", k, b"new", {"x-oss-forbid-overwrite": "true"}).outcome == (409, "FileAlreadyExists")
    assert wire.oss("PUT", k, b"new", {"x-oss-forbid-overwrite": "false"}).status == 200
    assert wire.oss("PUT", k, b"new", {"If-Modified-Since": _PAST}).outcome == (400, "NotImplemented")


def test_delete_with_a_condition(wire: Wire, k: str) -> None:
    assert wire.s3("DELETE", k, headers={"If-Match": '"x"'}).outcome == (412, "PreconditionFailed")
    assert wire.s3("DELETE", k, headers={"If-Match": f'"{_ETAG}"'}).status == 204
    assert wire.s3("DELETE", k, headers={"If-Match": "*"}).outcome == (404, "NoSuchKey")
    assert wire.s3("DELETE", k).status == wire.oss("DELETE", k).status == 204


def test_part_number_reads_of_an_object_in_one_piece(wire: Wire, k: str) -> None:
    first, second = (wire.s3("GET", f"{k}?partNumber={number}") for number in (1, 2))

    assert (first.status, first.headers["content-range"], first.body) == (206, "bytes 0-99/100", _BODY)
    assert "x-amz-mp-parts-count" not in first.headers
    assert (second.outcome, second.text("ActualPartCount")) == ((416, "InvalidPartNumber"), "1")
    assert wire.s3("GET", f"{k}?partNumber=1", headers={"Range": "bytes=0-1"}).outcome == (400, "InvalidRequest")
    assert wire.s3("GET", f"{k}?partNumber=0").outcome == (400, "InvalidArgument")


def test_response_headers_can_be_overridden(wire: Wire, k: str) -> None:
    query = "response-cache-control=no-store&response-content-disposition=a%20b&response-content-encoding=gzip"
    query += "&response-content-language=de&response-content-type=text%2Fx&response-expires=never"

    answer = wire.s3("GET", f"{k}?{query}")

    assert [answer.headers[name] for name in ("cache-control", "content-disposition", "content-encoding")] == [
        "no-store", "a b", "gzip",
    ]  # fmt: skip
    assert [answer.headers[name] for name in ("content-language", "content-type", "expires")] == [
        "de",
        "text/x",
        "never",
    ]
    assert answer.body == _BODY


def test_content_types_where_the_client_sent_none(wire: Wire, k: str) -> None:
    assert wire.s3("HEAD", k).headers["content-type"] == "binary/octet-stream"
    assert wire.oss("HEAD", k).headers["content-type"] == "application/octet-stream"


def test_user_metadata_has_a_limit(wire: Wire, bucket: str) -> None:
    def put(prefix: str, size: int) -> tuple[int, str]:
        send = wire.s3 if prefix == "x-amz" else wire.oss
        return send("PUT", f"/{bucket}/k", b"", {f"{prefix}-meta-a": "v" * (size - 1)}).outcome

    assert (put("x-amz", 2048), put("x-oss", 8192)) == ((200, ""), (200, ""))
    assert put("x-amz", 2049) == (400, "MetadataTooLarge")
    assert put("x-oss", 8193) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "header",
    [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-copy-source-server-side-encryption-customer-key",
    ],
)
@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
def test_any_word_of_encryption_is_refused(wire: Wire, k: str, header: str, method: str) -> None:
    assert wire.s3(method, k, headers={header: "AES256"}).status == 501
    own = header.replace("x-amz", "x-oss")
    assert wire.oss(method, k, headers={own: "AES256"}).status == 400
    assert wire.oss(method, k, headers={"X-OSS-server-side-encrpytion": "AES256"}).status == 400


@pytest.mark.parametrize(
    "header", ["x-amz-write-offset-bytes", "x-amz-object-lock-mode", "x-amz-grant-read", "x-oss-callback"]
)
def test_what_the_store_cannot_do_is_refused(wire: Wire, bucket: str, header: str) -> None:
    send = wire.s3 if header.startswith("x-amz") else wire.oss

    assert send("PUT", f"/{bucket}/k", b"", {header: "0"}).status in (400, 501)
    assert wire.s3("HEAD", f"/{bucket}/k").status == 404


def test_missing_buckets_keys_and_versions_have_their_errors(s3: Any, oss: oss2.Bucket, wire: Wire, k: str) -> None:
    assert wire.s3("GET", "/no-such-bucket/k").outcome == (404, "NoSuchBucket")
    assert wire.s3("GET", k + "x").outcome == (404, "NoSuchKey")
    assert wire.s3("PUT", "/no-such-bucket/k", b"x").outcome == (404, "NoSuchBucket")
    assert wire.s3("GET", k + "?versionId=abc").outcome == (400, "InvalidArgument")
    assert wire.s3("GET", k + "?versionId=null").status == 200
    with pytest.raises(oss2.exceptions.NoSuchKey):
        oss.head_object("nothing")
    assert not oss.object_exists("nothing")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="no-such-bucket", Key="k")


def test_large_bodies_come_out_whole_at_any_range(s3: Any, wire: Wire, bucket: str) -> None:
    rng = random.Random(3)
    body = rng.randbytes(3_000_001)
    s3.put_object(Bucket=bucket, Key="large", Body=body)

    assert wire.s3("GET", f"/{bucket}/large").body == body
    for _ in range(20):
        first = rng.randrange(len(body))
        last = rng.randrange(first, len(body))
        answer = wire.s3("GET", f"/{bucket}/large", headers={"Range": f"bytes={first}-{last}"})
        assert answer.body == body[first : last + 1]


def test_tags_come_along_with_a_put(wire: Wire, bucket: str) -> None:
    wire.s3("PUT", f"/{bucket}/k", b"", {"x-amz-tagging": "a=1&b=x%20y"})

    answer = wire.oss("GET", f"/{bucket}/k?tagging")

    assert (answer.texts("Key"), answer.texts("Value")) == (["a", "b"], ["1", "x y"])
    assert wire.s3("HEAD", f"/{bucket}/k").headers["x-amz-tagging-count"] == "2"
    assert wire.s3("PUT", f"/{bucket}/k", b"", {"x-amz-tagging": "nonsense"}).outcome == (400, "InvalidArgument")
