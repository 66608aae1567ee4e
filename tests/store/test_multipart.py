"""Multipart uploads: parts, their listings, and what goes wrong with them."""

import io
import random
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from boto3.s3.transfer import TransferConfig

from tests.store.wire import Wire, md5_b64

_MIB = 1024 * 1024


@pytest.fixture
def upload(wire: Wire, bucket: str) -> str:
    """The target of an upload without parts, `/bucket/k?uploadId=…`."""
    return f"/{bucket}/k?uploadId={wire.s3('POST', f'/{bucket}/k?uploads').text('UploadId')}"


def part(upload: str, number: int | str) -> str:
    path, _, query = upload.partition("?")
    return f"{path}?partNumber={number}&{query}"


def test_boto3_uploads_and_downloads_in_parts(s3: Any, bucket: str) -> None:
    body = random.Random(1).randbytes(18 * _MIB + 3)
    config = TransferConfig(multipart_threshold=5 * _MIB, multipart_chunksize=5 * _MIB)

    s3.upload_fileobj(io.BytesIO(body), bucket, "k", Config=config, ExtraArgs={"Metadata": {"a": "1"}})
    out = io.BytesIO()
    s3.download_fileobj(bucket, "k", out, Config=config)

    assert out.getvalue() == body
    head = s3.head_object(Bucket=bucket, Key="k", PartNumber=2, ChecksumMode="ENABLED")
    assert (head["PartsCount"], head["ContentLength"], head["Metadata"]) == (4, 5 * _MIB, {"a": "1"})
    assert head["ETag"].endswith('-4"')


def test_oss2_uploads_in_parts_with_its_crc_check(oss: oss2.Bucket) -> None:
    body = random.Random(2).randbytes(300_001)
    upload = oss.init_multipart_upload("k").upload_id
    parts = []
    pieces = {1: body[:102_400], 2: body[102_400:204_800], 3: body[204_800:]}
    for number in (3, 1, 2):
        piece = pieces[number]
        done = oss.upload_part("k", upload, number, piece)
        parts.append(oss2.models.PartInfo(number, done.etag, size=len(piece), part_crc=done.crc))
    parts.sort(key=lambda info: info.part_number)

    finished = oss.complete_multipart_upload("k", upload, parts)

    got = oss.get_object("k")
    assert got.read() == body
    assert (got.headers["x-oss-object-type"], got.server_crc) == ("Multipart", finished.crc)
    assert "Content-MD5" not in got.headers
    assert got.headers["ETag"].endswith('-3"')
    assert got.headers["ETag"] == got.headers["ETag"].upper()


def test_the_second_oss_sdk_uploads_and_downloads_in_parts(v2: oss_v2.Client, bucket: str, tmp_path: Any) -> None:
    body = random.Random(3).randbytes(700_000)
    (tmp_path / "up").write_bytes(body)
    request = oss_v2.PutObjectRequest(bucket=bucket, key="k")

    v2.uploader(part_size=200 * 1024).upload_file(request, filepath=str(tmp_path / "up"))
    v2.downloader(part_size=256 * 1024).download_file(
        oss_v2.GetObjectRequest(bucket=bucket, key="k"), filepath=str(tmp_path / "down")
    )

    assert (tmp_path / "down").read_bytes() == body


@pytest.mark.parametrize("number", ["0", "10001", "x", "", "-1"])
def test_part_numbers_are_from_1_to_10000(wire: Wire, upload: str, number: str) -> None:
    assert wire.s3("PUT", part(upload, number), b"x").outcome == (400, "InvalidArgument")


def test_an_upload_belongs_to_its_key(wire: Wire, bucket: str, upload: str) -> None:
    other = upload.replace("/k?", "/other?")

    for method, target in (("PUT", part(other, 1)), ("GET", other), ("DELETE", other), ("POST", other)):
        assert wire.s3(method, target, b"x" if method == "PUT" else b"").outcome == (404, "NoSuchUpload")
        assert wire.oss(method, target, b"x" if method == "PUT" else b"").outcome == (404, "NoSuchUpload")
    assert wire.s3("PUT", f"/{bucket}/k?partNumber=1", b"x").outcome == (400, "InvalidArgument")


def test_parts_are_listed_in_pages(wire: Wire, upload: str) -> None:
    for number in (5, 1, 3):
        wire.s3("PUT", part(upload, number), bytes(number))

    first = wire.s3("GET", f"{upload}&max-parts=2")
    second = wire.s3("GET", f"{upload}&max-parts=2&part-number-marker={first.text('NextPartNumberMarker')}")

    assert (first.texts("PartNumber"), first.texts("Size"), first.text("IsTruncated")) == (
        ["1", "3"],
        ["1", "3"],
        "true",
    )
    assert (second.texts("PartNumber"), second.text("IsTruncated")) == (["5"], "false")


def test_a_part_sent_again_replaces_the_first(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    where = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1}
    first = s3.upload_part(**where, Body=b"first")["ETag"]
    second = s3.upload_part(**where, Body=b"second")["ETag"]

    listed = oss.list_parts("k", upload).parts
    assert [(info.part_number, info.size, info.etag) for info in listed] == [(1, 6, second.strip('"').upper())]
    with pytest.raises(s3.exceptions.ClientError, match="InvalidPart"):
        s3.complete_multipart_upload(
            Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": first}]}
        )


def test_uploads_are_listed_in_pages_with_prefix_and_delimiter(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    keys = ["a", "dir/x", "dir/y", "z", "z", "z"]
    for key in keys:
        s3.create_multipart_upload(Bucket=bucket, Key=key)

    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    listed = [entry["Key"] for page in pages for entry in page.get("Uploads", [])]
    assert listed == keys
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in grouped["CommonPrefixes"]] == ["dir/"]
    assert [entry["Key"] for entry in grouped["Uploads"]] == ["a", "z", "z", "z"]
    assert [info.key for info in oss2.MultipartUploadIterator(oss, max_uploads=2)] == keys
    assert [info.key for info in oss.list_multipart_uploads(prefix="dir/").upload_list] == ["dir/x", "dir/y"]
    everything = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    assert [e["Key"] for page in everything for e in page.get("Uploads", [])] == ["a", "z", "z", "z"]


def test_an_aborted_upload_is_gone(wire: Wire, upload: str) -> None:
    wire.s3("PUT", part(upload, 1), b"x")

    assert wire.s3("DELETE", upload).status == 204
    assert wire.s3("DELETE", upload).outcome == (404, "NoSuchUpload")
    assert wire.s3("PUT", part(upload, 1), b"x").outcome == (404, "NoSuchUpload")


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"x-amz-checksum-algorithm": "CRC32"}, (200, "")),
        ({"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"}, (200, "")),
        ({"x-amz-checksum-algorithm": "CRC64NVME"}, (200, "")),
        ({"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"}, (400, "InvalidRequest")),
        ({"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"}, (400, "InvalidRequest")),
        ({"x-amz-checksum-algorithm": "MD4"}, (400, "InvalidRequest")),
        ({"x-amz-checksum-type": "COMPOSITE"}, (400, "InvalidRequest")),
        ({"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "HALF"}, (400, "InvalidRequest")),
        ({"Content-MD5": md5_b64(b"other")}, (400, "BadDigest")),
    ],
)
def test_only_checksums_that_exist_can_be_chosen(
    wire: Wire, bucket: str, headers: dict[str, str], outcome: tuple[int, str]
) -> None:
    assert wire.s3("POST", f"/{bucket}/k?uploads", b"", headers).outcome == outcome


def test_a_part_has_the_checksum_of_its_upload(wire: Wire, bucket: str) -> None:
    made = wire.s3("POST", f"/{bucket}/k?uploads", b"", {"x-amz-checksum-algorithm": "SHA256"})
    upload = f"/{bucket}/k?uploadId={made.text('UploadId')}"

    plain = wire.s3("PUT", part(upload, 1), b"hello world")
    other = wire.s3("PUT", part(upload, 1), b"hello world", {"x-amz-checksum-crc32": "DUoRhQ=="})

    assert plain.headers["x-amz-checksum-sha256"] == "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="
    assert other.outcome == (400, "InvalidRequest")
    assert wire.s3("GET", upload).text("ChecksumSHA256") == plain.headers["x-amz-checksum-sha256"]
