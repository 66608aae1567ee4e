"""What is relayed, and how the storage's refusals are told."""

import zlib
from base64 import b64encode
from hashlib import md5

import pytest

from sseproxy.errors import BodyTooLarge, ChecksumMismatch, PreconditionFailed, UnsupportedFeature, UpstreamAnswered
from tests.operations.world import World

_DELETE = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"


async def test_objects_are_deleted_in_batches_with_a_content_md5(s3: World) -> None:
    for key in "abc":
        await s3.put(key, b"x")
    with pytest.raises(ChecksumMismatch):
        await s3.do("POST", "/bucket?delete", _DELETE, {"own_checksum_crc32": "AAAAAA=="})

    await s3.do("POST", "/bucket?delete", _DELETE, {"Content_MD5": b64encode(md5(_DELETE).digest()).decode()})

    assert s3.journal.sent[-1].headers["Content-MD5"] == b64encode(md5(_DELETE).digest()).decode()
    assert [await s3.has(key) for key in "abc"] == [False, False, True]


async def test_an_object_is_deleted(world: World) -> None:
    await world.put("k", b"x")

    assert (await world.do("DELETE", "/bucket/k")).status == 204
    assert not await world.has("k")


async def test_a_delete_may_name_the_object_that_it_means(s3: World) -> None:
    etag = (await s3.put("k", b"x"))["ETag"]

    with pytest.raises(PreconditionFailed):
        await s3.do("DELETE", "/bucket/k", headers={"If-Match": '"other"'})
    await s3.do("DELETE", "/bucket/k", headers={"If-Match": etag})

    assert not await s3.has("k")


async def test_a_request_document_beyond_the_limit_is_refused(s3: World) -> None:
    with pytest.raises(BodyTooLarge):
        await s3.do("POST", "/bucket?delete", b"x" * (4 * 1024 * 1024 + 1))


async def test_operations_on_stored_bytes_are_refused(s3: World, oss: World) -> None:
    with pytest.raises(UnsupportedFeature):
        await s3.do("POST", "/bucket/k?select&select-type=2", b"<x/>")
    with pytest.raises(UnsupportedFeature):
        await oss.do("GET", "/bucket/k?x-oss-process=image/resize,w_100")
    assert s3.journal.said() == oss.journal.said() == []


async def test_a_buckets_head_is_passed_on(world: World) -> None:
    assert (await world.do("HEAD", "/bucket")).status == 200
    with pytest.raises(UpstreamAnswered) as missing:
        await world.do("HEAD", "/nowhere-at-all")
    assert missing.value.status == 404


async def test_a_trailing_checksum_of_a_document_goes_up_as_a_header(s3: World) -> None:
    await s3.put("a", b"x")
    value = b64encode(zlib.crc32(_DELETE).to_bytes(4, "big")).decode()

    await s3.do(
        "POST",
        "/bucket?delete",
        _DELETE,
        {"own_trailer": "x-amz-checksum-crc32", "own_sdk_checksum_algorithm": "CRC32"},
        trailers={"x-amz-checksum-crc32": value},
    )

    assert s3.journal.sent[-1].headers["x-amz-checksum-crc32"] == value
    assert not await s3.has("a")


async def test_a_redirecting_location_does_not_name_the_storage(s3: World) -> None:
    created = await s3.do("PUT", "/another-bucket")

    assert created["Location"] == "/another-bucket"
