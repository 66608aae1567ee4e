"""CopyObject and UploadPartCopy."""

import hashlib
import random
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.store.test_completion import Upload
from tests.store.test_multipart import part
from tests.store.wire import Wire

_MIB = 1024 * 1024
_BODY = b"0123456789"
_ETAG = f'"{hashlib.md5(_BODY).hexdigest()}"'
_PAST, _FUTURE = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.fixture
def source(wire: Wire, bucket: str) -> str:
    headers = {"x-amz-meta-a": "1", "content-type": "text/x", "x-amz-tagging": "t=1", "cache-control": "no-cache"}
    wire.s3("PUT", f"/{bucket}/src", _BODY, headers)
    return f"{bucket}/src"


def _copy(wire: Wire, source: str, target: str, **headers: str) -> tuple[int, str]:
    full = {"x-amz-copy-source": source} | {name.replace("_", "-"): value for name, value in headers.items()}
    return wire.s3("PUT", target, b"", full).outcome


def test_a_copy_keeps_metadata_and_tags(wire: Wire, bucket: str, source: str) -> None:
    assert _copy(wire, source, f"/{bucket}/dst") == (200, "")

    got = wire.s3("GET", f"/{bucket}/dst").headers
    assert wire.s3("GET", f"/{bucket}/dst").body == _BODY
    assert (got["x-amz-meta-a"], got["content-type"], got["cache-control"], got["etag"]) == (
        "1",
        "text/x",
        "no-cache",
        _ETAG,
    )
    assert got["x-amz-tagging-count"] == "1"


def test_replace_takes_everything_from_the_request(wire: Wire, bucket: str, source: str) -> None:
    directives = {"x_amz_metadata_directive": "REPLACE", "x_amz_tagging_directive": "REPLACE"}

    assert _copy(wire, source, f"/{bucket}/dst", **directives, x_amz_meta_b="2") == (200, "")

    got = wire.s3("HEAD", f"/{bucket}/dst").headers
    assert got["x-amz-meta-b"] == "2"
    assert not {"x-amz-meta-a", "cache-control", "x-amz-tagging-count"} & got.keys()
    assert got["content-type"] == "binary/octet-stream"


def test_the_copy_outlives_its_source(wire: Wire, bucket: str, source: str) -> None:
    _copy(wire, source, f"/{bucket}/dst")
    wire.s3("PUT", f"/{source}", b"overwritten")
    wire.s3("DELETE", f"/{source}")

    assert wire.s3("GET", f"/{bucket}/dst").body == _BODY


@pytest.mark.parametrize("form", ["{}", "/{}", "{}?versionId=null", "%2F{}"])
def test_forms_of_the_source(wire: Wire, bucket: str, source: str, form: str) -> None:
    assert _copy(wire, form.format(source), f"/{bucket}/dst") == (200, "")


@pytest.mark.parametrize("key", ["a b", "a+b", "ü/%", "a//b", "?"])
def test_the_source_key_is_decoded_once(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

    s3.copy_object(Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": key})

    assert s3.get_object(Bucket=bucket, Key="dst")["Body"].read() == key.encode()


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("nothing", (400, "InvalidArgument")),
        ("/", (400, "InvalidArgument")),
        ("no-such-bucket/k", (404, "NoSuchBucket")),
        ("{}x", (404, "NoSuchKey")),
        ("{}?versionId=abc", (400, "InvalidArgument")),
    ],
)
def test_a_source_that_is_not_there(wire: Wire, bucket: str, source: str, text: str, outcome: tuple[int, str]) -> None:
    assert _copy(wire, text.format(source), f"/{bucket}/dst") == outcome


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"if_match": _ETAG}, 200),
        ({"if_match": '"x"'}, 412),
        ({"if_none_match": _ETAG}, 412),
        ({"if_none_match": '"x"'}, 200),
        ({"if_modified_since": _FUTURE}, 412),
        ({"if_modified_since": _PAST}, 200),
        ({"if_unmodified_since": _PAST}, 412),
        ({"if_match": _ETAG, "if_unmodified_since": _PAST}, 200),
        ({"if_none_match": _ETAG, "if_modified_since": _PAST}, 412),
    ],
)
def test_conditions_on_the_source(
    wire: Wire, bucket: str, source: str, conditions: dict[str, str], status: int
) -> None:
    headers = {f"x_amz_copy_source_{name}": value for name, value in conditions.items()}

    assert _copy(wire, source, f"/{bucket}/dst", **headers)[0] == status


def test_oss_answers_304_for_a_source_not_modified(wire: Wire, bucket: str, source: str) -> None:
    headers = {"x-oss-copy-source": f"/{source}", "x-oss-copy-source-if-none-match": _ETAG.upper()}

    assert wire.oss("PUT", f"/{bucket}/dst", b"", headers).status == 304
    assert wire.s3("HEAD", f"/{bucket}/dst").status == 404


def test_conditions_on_the_target(wire: Wire, bucket: str, source: str) -> None:
    wire.s3("PUT", f"/{bucket}/dst", b"old")

    assert _copy(wire, source, f"/{bucket}/dst", if_none_match="*") == (412, "PreconditionFailed")
    assert wire.s3("GET", f"/{bucket}/dst").body == b"old"


def test_onto_itself_s3_wants_a_change(wire: Wire, source: str) -> None:
    assert _copy(wire, source, f"/{source}") == (400, "InvalidRequest")
    assert _copy(wire, source, f"/{source}", x_amz_metadata_directive="REPLACE", x_amz_meta_b="2") == (200, "")
    got = wire.s3("GET", f"/{source}")
    assert (got.body, got.headers["x-amz-meta-b"], "x-amz-meta-a" in got.headers) == (_BODY, "2", False)
    assert _copy(wire, source, f"/{source}", x_amz_metadata_directive="HALF") == (400, "InvalidArgument")


def test_onto_itself_oss_always_replaces_and_keeps_the_content_type(oss: oss2.Bucket) -> None:
    oss.put_object("k", _BODY, headers={"x-oss-meta-a": "1", "Content-Type": "text/x"})
    before = oss.head_object("k")

    oss.update_object_meta("k", {"x-oss-meta-b": "2"})

    after = oss.head_object("k")
    assert "x-oss-meta-a" not in after.headers
    assert (after.headers["x-oss-meta-b"], after.headers["Content-Type"]) == ("2", "text/x")
    assert (after.etag, after.server_crc) == (before.etag, before.server_crc)
    assert oss.get_object("k").read() == _BODY


def test_on_s3_a_copy_of_a_multipart_object_is_in_one_piece(wire: Wire, bucket: str) -> None:
    upload = Upload(wire, bucket, **{"x-amz-checksum-algorithm": "CRC32"})
    body = bytes(5 * _MIB) + b"x"
    sums = {n: upload.send(n, piece).headers["x-amz-checksum-crc32"] for n, piece in ((1, body[:-1]), (2, b"x"))}
    entries = "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>{upload.etags[n]}</ETag><ChecksumCRC32>{sums[n]}</ChecksumCRC32></Part>"
        for n in sums
    )
    document = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
    assert wire.s3("POST", upload.target, document).status == 200

    answer = wire.s3("PUT", f"/{bucket}/dst", b"", {"x-amz-copy-source": f"{bucket}/k"})

    assert answer.text("ETag") == f"&quot;{hashlib.md5(body).hexdigest()}&quot;"
    assert answer.text("ChecksumType") == "FULL_OBJECT"
    got = wire.s3("GET", f"/{bucket}/dst?partNumber=1")
    assert (got.body, "x-amz-mp-parts-count" in got.headers) == (body, False)


def test_oss_copies_between_keys(oss: oss2.Bucket, v2: oss_v2.Client, bucket: str) -> None:
    oss.put_object("src", _BODY)

    copied = oss.copy_object(bucket, "src", "dst")
    v2.copy_object(oss_v2.CopyObjectRequest(bucket=bucket, key="dst2", source_key="src"))

    assert oss.get_object("dst").read() == oss.get_object("dst2").read() == _BODY
    assert copied.etag == oss.head_object("dst").etag


@pytest.fixture
def large(wire: Wire, bucket: str) -> bytes:
    body = random.Random(5).randbytes(6 * _MIB)
    wire.s3("PUT", f"/{bucket}/large", body)
    return body


def test_parts_can_be_taken_from_an_object(wire: Wire, bucket: str, large: bytes) -> None:
    upload = Upload(wire, bucket)
    source = {"x-amz-copy-source": f"{bucket}/large"}
    first = wire.s3("PUT", part(upload.target, 1), b"", source)
    second = wire.s3("PUT", part(upload.target, 2), b"", source | {"x-amz-copy-source-range": "bytes=10-19"})
    upload.etags = {1: first.text("ETag"), 2: second.text("ETag")}

    assert upload.complete(1, 2).status == 200
    assert wire.s3("GET", upload.path).body == large + large[10:20]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("bytes=0-", (400, "InvalidArgument")),
        ("bytes=-5", (400, "InvalidArgument")),
        ("bytes=5-4", (400, "InvalidArgument")),
        ("0-5", (400, "InvalidArgument")),
        (f"bytes=0-{6 * _MIB}", (400, "InvalidArgument")),
        (f"bytes={6 * _MIB}-{6 * _MIB}", (400, "InvalidRequest")),
        ("bytes=0-0", (200, "")),
    ],
)
def test_ranges_of_part_copies(wire: Wire, bucket: str, large: bytes, text: str, outcome: tuple[int, str]) -> None:
    upload = Upload(wire, bucket)
    headers = {"x-amz-copy-source": f"{bucket}/large", "x-amz-copy-source-range": text}

    assert wire.s3("PUT", part(upload.target, 1), b"", headers).outcome == outcome


def test_oss2_copies_parts(oss: oss2.Bucket, bucket: str, large: bytes) -> None:
    upload = oss.init_multipart_upload("dst").upload_id
    made = oss.upload_part_copy(bucket, "large", (0, 200_000), "dst", upload, 1)

    oss.complete_multipart_upload("dst", upload, [oss2.models.PartInfo(1, made.etag)])

    assert oss.get_object("dst").read() == large[:200_001]
