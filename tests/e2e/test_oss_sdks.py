"""Promise: oss2 and alibabacloud-oss-v2 work unmodified, with their CRC checks on, over http and https."""

import hashlib
import random
from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.places import sealed_oss
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server

_MIB = 1024 * 1024
_SSE = "x-oss-server-side-encryption"
_SIZES = [0, 1, 65535, 65536, 65537, _MIB - 1, _MIB, _MIB + 1, 5 * _MIB + 1]


@pytest.fixture(params=["v1", "v4"])
def bucket(oss: Server, bucket_name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An oss2 bucket, signed with V1 or V4."""
    if oss.tls_ca:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(oss.tls_ca))
    auth = oss2.Auth(ACCESS_KEY, SECRET_KEY) if request.param == "v1" else oss2.AuthV4(ACCESS_KEY, SECRET_KEY)
    bucket = oss2.Bucket(auth, oss.url, bucket_name, region=REGION)
    bucket.create_bucket()
    return bucket


@pytest.fixture
def v2(oss: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    if oss.tls_ca:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(oss.tls_ca))
    config = oss_v2.config.load_default()
    config.credentials_provider = oss_v2.credentials.StaticCredentialsProvider(ACCESS_KEY, SECRET_KEY)
    config.region = REGION
    config.endpoint = oss.url
    config.use_path_style = True
    return oss_v2.Client(config)


def _md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest().upper()


@pytest.mark.parametrize("size", _SIZES)
def test_oss2_gets_back_what_it_put(oss: Server, bucket: Any, size: int) -> None:
    body = random.Random(size).randbytes(size)

    put = bucket.put_object(f"size/{size}", body, headers={"Content-Type": "text/x-test"})
    head = bucket.head_object(f"size/{size}")
    got = bucket.get_object(f"size/{size}")
    listed = {entry.key: entry for entry in oss2.ObjectIterator(bucket)}[f"size/{size}"]

    assert got.read() == body
    assert put.etag == head.etag == got.etag == listed.etag == _md5(body)
    assert head.content_length == listed.size == size
    assert put.crc == int(head.headers["x-oss-hash-crc64ecma"]) == got.server_crc
    assert {answer.headers.get(_SSE) for answer in (put, head, got)} == {"AES256" if oss.seals else None}
    assert head.content_type == "text/x-test"


@sealed_oss
def test_oss2_kms_objects_show_algorithm_and_key_id(bucket: Any) -> None:
    put = bucket.put_object("k", b"kms", headers={"x-oss-server-side-encryption": "KMS"})
    head = bucket.head_object("k")

    assert put.headers["x-oss-server-side-encryption"] == "KMS"
    assert head.headers["x-oss-server-side-encryption"] == "KMS"
    assert put.headers["x-oss-server-side-encryption-key-id"] == head.headers["x-oss-server-side-encryption-key-id"]
    assert head.etag == _md5(b"kms")


@sealed_oss
def test_oss2_keeps_metadata_that_is_not_ascii(bucket: Any) -> None:
    note = "grün"  # signed as UTF-8, sent as Latin-1, which is all that requests can

    bucket.put_object("k", b"x", headers={"x-oss-meta-note": note})
    shown = bucket.head_object("k").headers["x-oss-meta-note"]
    bucket.copy_object(bucket.bucket_name, "k", "copy")

    assert shown.encode("latin-1").decode() == note  # requests gives headers as Latin-1
    assert bucket.head_object("copy").headers["x-oss-meta-note"] == shown


def test_oss2_reads_ranges_the_oss_way(bucket: Any) -> None:
    body = random.Random(2).randbytes(200_000)
    bucket.put_object("r", body)

    inside = bucket.get_object("r", byte_range=(65530, 65540))
    outside = bucket.get_object("r", byte_range=(199_990, 300_000))
    standard = bucket.get_object("r", byte_range=(199_990, 300_000), headers={"x-oss-range-behavior": "standard"})

    assert (inside.status, inside.read()) == (206, body[65530:65541])
    assert (outside.status, outside.read()) == (200, body)
    assert (standard.status, standard.read()) == (206, body[199_990:])


def test_oss2_uploads_and_downloads_big_files_in_parts(bucket: Any, tmp_path: Path) -> None:
    body = random.Random(3).randbytes(3 * _MIB + 12345)
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(body)

    oss2.resumable_upload(
        bucket, "big", str(source), multipart_threshold=_MIB, part_size=_MIB, num_threads=3,
        store=oss2.ResumableStore(root=str(tmp_path)),
    )  # fmt: skip
    oss2.resumable_download(
        bucket, "big", str(back), multiget_threshold=_MIB, part_size=300_000, num_threads=3,
        store=oss2.ResumableDownloadStore(root=str(tmp_path)),
    )  # fmt: skip
    head = bucket.head_object("big")

    assert back.read_bytes() == body
    assert head.content_length == len(body)
    assert head.headers["x-oss-object-type"] == "Multipart"
    assert bucket.get_object_to_file("big", str(back)).status == 200


def test_oss2_sends_a_body_of_unknown_length(bucket: Any) -> None:
    body = random.Random(4).randbytes(40 * _MIB + 3)

    put = bucket.put_object("chunked", (body[start : start + 100_000] for start in range(0, len(body), 100_000)))
    small = bucket.put_object("chunked-small", iter([b"a", b"b"]))

    assert bucket.get_object("chunked").read() == body
    assert put.etag == _md5(body)
    assert bucket.get_object("chunked-small").read() == b"ab"
    assert small.etag == _md5(b"ab")


def test_oss2_parts_can_be_small_and_sent_again(bucket: Any) -> None:
    rng = random.Random(5)
    upload = bucket.init_multipart_upload("parts").upload_id
    bodies = {1: rng.randbytes(100 * 1024), 2: rng.randbytes(150_001), 3: rng.randbytes(5)}
    bucket.upload_part("parts", upload, 2, rng.randbytes(200_000))

    parts = [
        oss2.models.PartInfo(number, bucket.upload_part("parts", upload, number, bodies[number]).etag)
        for number in (3, 2, 1)
    ]
    shown = bucket.list_parts("parts", upload).parts
    done = bucket.complete_multipart_upload("parts", upload, sorted(parts, key=lambda part: part.part_number))

    assert [(part.part_number, part.size) for part in shown] == [(n, len(bodies[n])) for n in (1, 2, 3)]
    assert bucket.get_object("parts").read() == bodies[1] + bodies[2] + bodies[3]
    assert done.etag.endswith("-3")


@sealed_oss
def test_oss2_copies_and_encrypts_in_place(bucket: Any) -> None:
    body = random.Random(6).randbytes(70_000)
    before = bucket.put_object("from", body, headers={"x-oss-meta-a": "b"})

    copied = bucket.copy_object(bucket.bucket_name, "from", "to")
    bucket.update_object_meta("from", {"x-oss-server-side-encryption": "KMS"})
    head = bucket.head_object("from")

    assert copied.etag == before.etag == head.etag
    assert bucket.get_object("to").read() == bucket.get_object("from").read() == body
    assert bucket.head_object("to").headers["x-oss-meta-a"] == "b"
    assert head.headers["x-oss-server-side-encryption"] == "KMS"
    assert head.headers["x-oss-hash-crc64ecma"] == before.headers["x-oss-hash-crc64ecma"]


def test_oss2_errors_are_typed(bucket: Any) -> None:
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.get_object("missing")
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.head_object("missing")


@sealed_oss
def test_oss2_errors_of_encryption_are_typed(bucket: Any) -> None:
    with pytest.raises(oss2.exceptions.ServerError) as unknown:
        bucket.put_object("x", b"x", headers={_SSE: "AES-256"})
    with pytest.raises(oss2.exceptions.InvalidArgument) as misplaced:
        bucket.get_object("missing", headers={_SSE: "AES256"})

    assert (unknown.value.status, unknown.value.code) == (400, "InvalidEncryptionAlgorithmError")
    assert misplaced.value.message == "x-oss-server-side-encryption header is not supported for this operation."
    assert not bucket.object_exists("x")


def test_oss2_presigned_urls_work(bucket: Any) -> None:
    url = bucket.sign_url("PUT", "signed", 60, slash_safe=True)

    bucket.put_object_with_url(url, b"through a url")
    got = bucket.get_object_with_url(bucket.sign_url("GET", "signed", 60, slash_safe=True))

    assert got.read() == b"through a url"


def test_oss2_deletes_in_batches(bucket: Any) -> None:
    for name in "ab":
        bucket.put_object(name, b"x")

    bucket.batch_delete_objects(["a", "b"])

    assert list(oss2.ObjectIteratorV2(bucket)) == []


def test_the_v2_sdk_puts_gets_lists_and_transfers(oss: Server, v2: Any, bucket_name: str, tmp_path: Path) -> None:
    v2.put_bucket(oss_v2.PutBucketRequest(bucket=bucket_name))
    body = random.Random(8).randbytes(13 * _MIB + 5)
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(body)

    put = v2.put_object(oss_v2.PutObjectRequest(bucket=bucket_name, key="dir/a b+é.txt", body=b"hello"))
    got = v2.get_object(oss_v2.GetObjectRequest(bucket=bucket_name, key="dir/a b+é.txt"))
    v2.uploader().upload_file(oss_v2.PutObjectRequest(bucket=bucket_name, key="big"), str(source))
    v2.downloader().download_file(oss_v2.GetObjectRequest(bucket=bucket_name, key="big"), str(back))
    pages = list(v2.list_objects_v2_paginator().iter_page(oss_v2.ListObjectsV2Request(bucket=bucket_name)))

    assert got.body.read() == b"hello"
    assert {answer.headers.get(_SSE) for answer in (put, got)} == {"AES256" if oss.seals else None}
    assert back.read_bytes() == body
    assert [(entry.key, entry.size) for page in pages for entry in page.contents or ()] == [
        ("big", len(body)),
        ("dir/a b+é.txt", 5),
    ]


def test_the_v2_sdk_understands_error_answers(v2: Any, bucket_name: str) -> None:
    v2.put_bucket(oss_v2.PutBucketRequest(bucket=bucket_name))

    with pytest.raises(oss_v2.exceptions.OperationError) as missing:
        v2.get_object(oss_v2.GetObjectRequest(bucket=bucket_name, key="missing"))
    exists = v2.is_object_exist(bucket=bucket_name, key="missing")

    cause = missing.value.unwrap()
    assert (cause.status_code, cause.code) == (404, "NoSuchKey")
    assert exists is False
