"""Walks through both OSS SDKs: files, transfer managers, listings, deletions; and what sealed objects cannot do."""

import random
from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import oss2_refusal, v2_client
from tests.support.servers import ACCESS_KEY, SECRET_KEY, Server

_MIB = 1024 * 1024
_CRC = "x-oss-hash-crc64ecma"
_CONTROL = "a\tb\x01&<>+% ü"  # a name that XML can only tell url-encoded


# oss2


def test_oss2_puts_and_gets_files(bucket: Any, tmp_path: Path) -> None:
    body = random.Random(1).randbytes(3 * _MIB + 7)
    source, back = tmp_path / "source.json", tmp_path / "back"
    source.write_bytes(body)

    bucket.put_object_from_file("file.json", str(source))
    got = bucket.get_object_to_file("file.json", str(back))

    assert back.read_bytes() == body
    assert got.headers["Content-Type"] == "application/json"
    assert got.client_crc == got.server_crc


def test_oss2_resumes_a_download_that_was_interrupted(bucket: Any, tmp_path: Path) -> None:
    body = random.Random(2).randbytes(2 * _MIB + 1)
    bucket.put_object("big", body)
    back, kept = tmp_path / "back", oss2.ResumableDownloadStore(root=str(tmp_path))
    options = {"multiget_threshold": 1, "part_size": 300_000, "num_threads": 1, "store": kept}

    def stop(consumed: int, _: int) -> None:
        if consumed > _MIB:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        oss2.resumable_download(bucket, "big", str(back), progress_callback=stop, **options)
    oss2.resumable_download(bucket, "big", str(back), **options)

    assert back.read_bytes() == body


@pytest.mark.parametrize("auth", [oss2.Auth, oss2.AuthV4], ids=["V1", "V4"])
def test_presigned_urls_put_get_and_head(dev_or_store: Server, bucket: Any, auth: Any) -> None:
    signer = oss2.Bucket(auth(ACCESS_KEY, SECRET_KEY), dev_or_store.url, bucket.bucket_name, region="us-east-1")
    headers = {"Content-Type": "text/plain", "x-oss-meta-a": "b"}
    key = "a b+ü/c"

    bucket.put_object_with_url(signer.sign_url("PUT", key, 60, headers=headers), b"by url", headers=headers)
    got = bucket.get_object_with_url(signer.sign_url("GET", key, 60, params={"response-content-type": "text/x"}))

    assert (got.read(), got.headers["Content-Type"], got.headers["x-oss-meta-a"]) == (b"by url", "text/x", "b")
    assert [entry.size for entry in oss2.ObjectIterator(bucket)] == [6]


def test_big_files_are_copied_part_by_part(bucket: Any) -> None:
    body = random.Random(3).randbytes(2 * _MIB + 5)
    bucket.put_object("source", body)
    upload = bucket.init_multipart_upload("target").upload_id
    parts = []
    for number, first in enumerate(range(0, len(body), 700_000), 1):
        last = min(first + 700_000, len(body)) - 1
        copied = bucket.upload_part_copy(bucket.bucket_name, "source", (first, last), "target", upload, number)
        parts.append(oss2.models.PartInfo(number, copied.etag))
    bucket.complete_multipart_upload("target", upload, parts)

    assert bucket.get_object("target").read() == body
    assert bucket.head_object("target").headers[_CRC] == bucket.head_object("source").headers[_CRC]


def test_uploads_and_parts_are_listed_page_by_page(bucket: Any) -> None:
    uploads = {key: bucket.init_multipart_upload(key).upload_id for key in ("a", "b/1", "b/2")}
    for number in range(1, 6):
        bucket.upload_part("a", uploads["a"], number, b"x" * 100 * 1024)

    parts = [(part.part_number, part.size) for part in oss2.PartIterator(bucket, "a", uploads["a"], max_parts=2)]
    found = [(one.key, one.upload_id) for one in oss2.MultipartUploadIterator(bucket, max_uploads=1)]

    assert parts == [(number, 102_400) for number in range(1, 6)]
    assert found == sorted(uploads.items())
    bucket.abort_multipart_upload("a", uploads["a"])
    assert oss2_refusal(bucket.list_parts, "a", uploads["a"])[:2] == (404, "NoSuchUpload")


def test_listings_page_group_and_encode(bucket: Any) -> None:
    sizes = {_CONTROL: 1, "dir/x": 65_537, "dir/y": 0, "dir2/z": 3, "e": 2}
    for key, size in sizes.items():
        bucket.put_object(key, b"x" * size)
    expected = [(key, sizes[key]) for key in sorted(sizes, key=str.encode)]

    v1 = [(one.key, one.size) for one in oss2.ObjectIterator(bucket, max_keys=2)]
    v2 = [(one.key, one.size) for one in oss2.ObjectIteratorV2(bucket, max_keys=2)]
    grouped = [one.key for one in oss2.ObjectIterator(bucket, delimiter="/", max_keys=2)]
    within = [(one.key, one.size) for one in oss2.ObjectIterator(bucket, prefix="dir/", marker="dir/x")]
    after = [one.key for one in oss2.ObjectIteratorV2(bucket, start_after="dir/y")]

    assert v1 == v2 == expected
    assert sorted(grouped) == sorted([_CONTROL, "dir/", "dir2/", "e"])
    assert within == [("dir/y", 0)]
    assert after == ["dir2/z", "e"]


def test_deleting_many_tells_what_was_deleted(bucket: Any) -> None:
    keys = ["a&<>+% ü", "a", "b"]
    for key in keys:
        bucket.put_object(key, b"x")

    done = bucket.batch_delete_objects([*keys[:2], "missing"])

    assert sorted(done.deleted_keys) == sorted([*keys[:2], "missing"])
    assert [one.key for one in oss2.ObjectIterator(bucket)] == ["b"]
    assert bucket.delete_object("missing").status == 204


# alibabacloud-oss-v2


def test_the_v2_managers_move_files_with_their_crc_checks(dev_or_store: Server, bucket: Any, tmp_path: Path) -> None:
    client, name = v2_client(dev_or_store), bucket.bucket_name
    body = random.Random(4).randbytes(3 * _MIB + 11)
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(body)
    small = {"part_size": 500_000, "parallel_num": 2}

    put = client.uploader(**small).upload_file(oss_v2.PutObjectRequest(bucket=name, key="up"), str(source))
    client.downloader(**small).download_file(oss_v2.GetObjectRequest(bucket=name, key="up"), str(back))
    copy = oss_v2.CopyObjectRequest(bucket=name, key="copy", source_bucket=name, source_key="up")
    copied = client.copier(multipart_copy_threshold=_MIB, **small).copy(copy)

    assert back.read_bytes() == body
    assert put.hash_crc64 == bucket.head_object("up").headers[_CRC] == bucket.head_object("copy").headers[_CRC]
    assert copied.hash_crc64 in {None, put.hash_crc64}
    assert bucket.get_object("copy").read() == body
    with client.open_file(name, "up") as file:
        file.seek(_MIB)
        assert file.read(100) == body[_MIB : _MIB + 100]


def test_the_v2_paginators_see_every_entry_once(dev_or_store: Server, bucket: Any) -> None:
    client, name = v2_client(dev_or_store), bucket.bucket_name
    for number in range(5):
        bucket.put_object(f"k{number}", b"x" * number)
    upload = bucket.init_multipart_upload("m").upload_id
    for number in (1, 2, 3):
        bucket.upload_part("m", upload, number, b"x")

    v1 = client.list_objects_paginator(limit=2).iter_page(oss_v2.ListObjectsRequest(bucket=name))
    v2 = client.list_objects_v2_paginator(limit=2).iter_page(oss_v2.ListObjectsV2Request(bucket=name))
    versions = client.list_object_versions_paginator(limit=2).iter_page(oss_v2.ListObjectVersionsRequest(bucket=name))
    parts = client.list_parts_paginator(limit=2).iter_page(
        oss_v2.ListPartsRequest(bucket=name, key="m", upload_id=upload)
    )
    uploads = client.list_multipart_uploads_paginator().iter_page(oss_v2.ListMultipartUploadsRequest(bucket=name))

    expected = [(f"k{number}", number) for number in range(5)]
    assert [(one.key, one.size) for page in v1 for one in page.contents or ()] == expected
    assert [(one.key, one.size) for page in v2 for one in page.contents or ()] == expected
    assert [(one.key, one.size) for page in versions for one in page.version or ()] == expected
    assert [(one.part_number, one.size) for page in parts for one in page.parts or ()] == [(1, 1), (2, 1), (3, 1)]
    assert [one.upload_id for page in uploads for one in page.uploads or ()] == [upload]


def test_the_v2_sdk_deletes_many_and_presigns(dev_or_store: Server, bucket: Any) -> None:
    client, name = v2_client(dev_or_store), bucket.bucket_name
    signed = client.presign(oss_v2.PutObjectRequest(bucket=name, key="a", content_type="text/plain"))
    bucket.put_object_with_url(signed.url, b"signed", headers=dict(signed.signed_headers))
    bucket.put_object("b", b"x")

    got = client.get_object(oss_v2.GetObjectRequest(bucket=name, key="a"))
    deleted = client.delete_multiple_objects(
        oss_v2.DeleteMultipleObjectsRequest(bucket=name, objects=[oss_v2.DeleteObject(key=key) for key in "ab"])
    )

    assert (got.body.read(), got.content_type) == (b"signed", "text/plain")
    assert sorted(one.key for one in deleted.deleted_objects) == ["a", "b"]


# What cannot work on sealed objects


def _refused(name: str) -> tuple[int, str, str]:
    return 400, "NotImplemented", f"This endpoint seals objects and does not support {name}."


def test_nothing_is_processed_selected_or_joined_on_sealed_bytes(sealed: Any) -> None:
    sealed.put_object("image.jpg", b"not really", headers={"x-oss-object-acl": "public-read"})

    assert oss2_refusal(sealed.get_object, "image.jpg", process="image/resize,w_100") == _refused("x-oss-process")
    assert oss2_refusal(sealed.get_object, "image.jpg", process="style/small") == _refused("x-oss-process")
    saved = "image/resize,w_100|sys/saveas,o_dGVzdA"
    assert oss2_refusal(sealed.process_object, "image.jpg", saved) == _refused("x-oss-process")
    assert oss2_refusal(sealed.async_process_object, "image.jpg", "video/convert") == _refused("x-oss-async-process")
    assert oss2_refusal(sealed.select_object, "image.jpg", "select * from ossobject") == _refused("x-oss-process")
    assert oss2_refusal(sealed.create_select_object_meta, "image.jpg") == _refused("x-oss-process")
    url = sealed.sign_url("GET", "image.jpg", 60, params={"x-oss-process": "image/info"})
    assert oss2_refusal(sealed.get_object_with_url, url) == _refused("x-oss-process")
    assert sealed.get_object("image.jpg").read() == b"not really"


def test_batch_reads_are_refused(sealed: Any) -> None:
    assert oss2_refusal(
        sealed._do, "POST", sealed.bucket_name, "", params={"x-oss-batchGet": ""}, data=b"<GetObjectsRequest/>"
    ) == _refused("x-oss-batchGet")


def test_uploads_with_a_callback_are_refused_and_store_nothing(sealed: Any) -> None:
    callback = {"x-oss-callback": "eyJjYWxsYmFja1VybCI6Imh0dHA6Ly9leGFtcGxlLmNvbSJ9"}
    upload = sealed.init_multipart_upload("k").upload_id
    part = oss2.models.PartInfo(1, sealed.upload_part("k", upload, 1, b"x").etag)
    refusal = (400, "NotImplemented", "A header you provided implies functionality that is not implemented.")

    assert oss2_refusal(sealed.put_object, "k", b"x", headers=callback) == refusal
    assert oss2_refusal(sealed.complete_multipart_upload, "k", upload, [part], headers=callback) == refusal
    assert list(oss2.ObjectIterator(sealed)) == []
