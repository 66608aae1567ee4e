"""PutObject through the front door of the operations."""

import random
from base64 import b64encode
from hashlib import md5

import pytest

from sseproxy.errors import (
    ChecksumMismatch,
    DigestMismatch,
    EntityTooLarge,
    IncompleteBody,
    InvalidArgument,
    MetadataTooLarge,
    MissingContentLength,
    PreconditionFailed,
    UnsupportedFeature,
    UpstreamAnswered,
)
from sseproxy.exchange import Body
from sseproxy.format import stored_size
from sseproxy.model import Layout
from tests.operations.world import World

_MIB = 1024 * 1024
_SIZES = [0, 1, 65535, 65536, 65537, _MIB - 1, _MIB, _MIB + 1, 3 * _MIB + 5]


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", _SIZES)
async def test_what_is_stored_has_the_stored_size_and_none_of_the_bytes(world: World, size: int) -> None:
    body = _bytes(size)

    await world.put("k", body)

    stored = await world.stored("k")
    assert len(stored) == stored_size(size)
    assert size < 16 or body[:16] not in stored


async def test_an_answer_tells_etag_and_encryption(world: World) -> None:
    answer = await world.put("k", b"hello world")

    assert answer.status == 200
    assert answer["ETag"] == world.dialect.show_etag(md5(b"hello world").hexdigest())
    assert answer[world.name("server-side-encryption")] == "AES256"
    assert world.dialect.envelope_header not in answer


async def test_s3_answers_the_checksum_that_was_sent(s3: World) -> None:
    answer = await s3.put("k", b"hello world", own_checksum_crc32="DUoRhQ==")

    assert answer["x-amz-checksum-crc32"] == "DUoRhQ=="
    assert answer["x-amz-checksum-type"] == "FULL_OBJECT"


async def test_s3_computes_a_checksum_where_none_was_sent(s3: World) -> None:
    assert (await s3.put("k", b"hello world"))["x-amz-checksum-crc64nvme"] == "jSnVw/bqjr4="


async def test_oss_answers_crc_and_md5_of_the_plaintext(oss: World) -> None:
    answer = await oss.put("k", b"123456789")

    assert answer["x-oss-hash-crc64ecma"] == "11051210869376104954"
    assert answer["Content-MD5"] == b64encode(md5(b"123456789").digest()).decode()


async def test_what_the_client_says_of_its_bytes_does_not_reach_the_storage(s3: World) -> None:
    await s3.put(
        "k",
        b"hello world",
        Content_MD5=b64encode(md5(b"hello world").digest()).decode(),
        own_checksum_crc32="DUoRhQ==",
        own_sdk_checksum_algorithm="CRC32",
        own_server_side_encryption="AES256",
        Content_Type="text/plain",
        own_meta_colour="blue",
    )

    sent = next(one for one in s3.journal.sent if one.bucket == "bucket").headers
    assert not [name for name in sent if "checksum" in name.lower() or "server-side" in name.lower()]
    assert sent["Content-MD5"] == b64encode(md5(await s3.stored("k")).digest()).decode()
    assert sent["Content-Type"] == "text/plain"
    assert sent["x-amz-meta-colour"] == "blue"


async def test_a_small_objects_envelope_has_a_copy_of_the_footer(world: World) -> None:
    await world.put("k", b"x" * _MIB)

    envelope = await world.envelope("k")
    assert envelope.layout is Layout.SINGLE
    assert envelope.footer is not None
    assert (await world.stored("k")).endswith(envelope.footer)


async def test_a_large_objects_envelope_has_none(world: World) -> None:
    await world.put("k", b"x" * (_MIB + 1))

    envelope = await world.envelope("k")
    assert envelope.footer is None


async def test_the_footers_copy_goes_first_where_metadata_is_short_of_room(s3: World) -> None:
    await s3.put("k", b"x", own_meta_a="v" * 1750)

    envelope = await s3.envelope("k")
    assert envelope.footer is None
    assert (await s3.get("k")).body == b"x"


async def test_metadata_that_leaves_no_room_for_the_envelope_is_refused(s3: World) -> None:
    with pytest.raises(MetadataTooLarge):
        await s3.put("k", b"x", own_meta_a="v" * 2000)
    assert not await s3.has("k")


@pytest.mark.parametrize("size", [10, 2 * _MIB])
async def test_a_wrong_content_md5_stores_nothing(world: World, size: int) -> None:
    with pytest.raises(DigestMismatch):
        await world.put("k", _bytes(size), Content_MD5=b64encode(bytes(16)).decode())
    assert not await world.has("k")


@pytest.mark.parametrize("size", [10, 2 * _MIB])
async def test_a_wrong_trailing_checksum_stores_nothing(s3: World, size: int) -> None:
    with pytest.raises(ChecksumMismatch):
        await s3.do(
            "PUT",
            "/bucket/k",
            _bytes(size),
            {"own_trailer": "x-amz-checksum-crc32"},
            trailers={"x-amz-checksum-crc32": "AAAAAA=="},
        )
    assert not await s3.has("k")


@pytest.mark.parametrize("size", [10, 2 * _MIB])
@pytest.mark.parametrize("off", [-1, 1])
async def test_a_body_that_is_not_as_long_as_announced_stores_nothing(world: World, size: int, off: int) -> None:
    with pytest.raises(IncompleteBody):
        await world.do("PUT", "/bucket/k", _bytes(size), length=size + off)
    assert not await world.has("k")


async def _failing(size: int) -> Body:
    yield _bytes(size)
    raise IncompleteBody


@pytest.mark.parametrize("size", [10, 2 * _MIB])
async def test_a_client_that_breaks_off_leaves_nothing(world: World, size: int) -> None:
    with pytest.raises(IncompleteBody):
        await world.do("PUT", "/bucket/k", _failing(size), length=size)
    assert not await world.has("k")


async def test_an_object_beyond_the_storages_limit_is_refused_before_the_body(world: World) -> None:
    async def untouched() -> Body:
        yield b""
        raise AssertionError("the body was read")

    with pytest.raises(EntityTooLarge) as refused:
        await world.do("PUT", "/bucket/k", untouched(), length=5 * 1024**3)
    assert stored_size(int(refused.value.details["MaxSizeAllowed"])) <= 5 * 1024**3
    assert stored_size(int(refused.value.details["MaxSizeAllowed"]) + 1) > 5 * 1024**3


async def test_s3_demands_a_length(s3: World) -> None:
    with pytest.raises(MissingContentLength):
        await s3.do("PUT", "/bucket/k", b"x", length=None)


@pytest.mark.parametrize("size", [0, 1, _MIB, _MIB + 1, 16 * _MIB, 33 * _MIB + 7])
async def test_oss_takes_bodies_of_unknown_length(oss: World, size: int) -> None:
    body = _bytes(size)
    buffers = [body[at : at + 300_000] for at in range(0, size, 300_000)]

    put = await oss.do("PUT", "/bucket/k", buffers, length=None)
    got = await oss.get("k")

    assert got.body == body
    assert put["ETag"] == got["ETag"] == f'"{md5(body).hexdigest().upper()}"'
    assert got["x-oss-object-type"] == "Normal"
    assert got["Content-MD5"] == b64encode(md5(body).digest()).decode()
    assert len(await oss.stored("k")) == stored_size(size)


async def test_a_wrong_digest_of_a_long_body_of_unknown_length_leaves_no_upload(oss: World) -> None:
    with pytest.raises(DigestMismatch):
        await oss.do(
            "PUT", "/bucket/k", [_bytes(2 * _MIB)], {"Content-MD5": b64encode(bytes(16)).decode()}, length=None
        )

    assert not await oss.has("k")
    assert oss.journal.said()[-1].startswith("DELETE /bucket/k?uploadId=")


async def test_kms_objects_show_their_key(s3: World) -> None:
    answer = await s3.put(
        "k", b"x", own_server_side_encryption="aws:kms", own_server_side_encryption_aws_kms_key_id="my-key"
    )

    assert answer["x-amz-server-side-encryption"] == "aws:kms"
    assert answer["x-amz-server-side-encryption-aws-kms-key-id"] == "arn:aws:kms:::key/my-key"
    assert answer["ETag"].endswith('-0"')
    assert (await s3.head("k"))["ETag"] == answer["ETag"]


async def test_encryption_may_be_asked_for_in_a_signed_url(s3: World) -> None:
    await s3.do("PUT", "/bucket/k?x-amz-server-side-encryption=aws%3Akms&x-amz-meta-a=b", b"x")

    head = await s3.head("k")
    assert head["x-amz-server-side-encryption"] == "aws:kms"
    assert head["x-amz-meta-a"] == "b"
    assert s3.journal.said()[0] == "PUT /bucket/k"


async def test_if_none_match_is_decided_by_the_storage(s3: World) -> None:
    await s3.put("k", b"1", If_None_Match="*")

    with pytest.raises(UpstreamAnswered) as refused:
        await s3.put("k", b"2", If_None_Match="*")
    assert refused.value.code == "PreconditionFailed"
    assert (await s3.get("k")).body == b"1"


async def test_if_match_is_rewritten_to_the_storages_etag(s3: World) -> None:
    etag = (await s3.put("k", b"1"))["ETag"]

    await s3.put("k", b"2", If_Match=etag)

    assert (await s3.get("k")).body == b"2"
    with pytest.raises(PreconditionFailed):
        await s3.put("k", b"3", If_Match=etag)


@pytest.mark.parametrize(
    "headers", [{"If_None_Match": '"x"'}, {"If_Match": "*"}, {"If_Match": '"x"', "If_None_Match": "*"}]
)
async def test_conditions_that_writes_do_not_know_are_refused(s3: World, headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedFeature):
        await s3.put("k", b"1", **headers)


async def test_oss_can_forbid_overwriting(oss: World) -> None:
    await oss.put("k", b"1", own_forbid_overwrite="true")

    with pytest.raises(UpstreamAnswered) as refused:
        await oss.put("k", b"2", own_forbid_overwrite="true")
    assert refused.value.code == "FileAlreadyExists"


@pytest.mark.parametrize("name", ["x-amz-meta-sseproxy", "x-oss-meta-sseproxy", "X-Amz-Meta-SSEProxy"])
async def test_the_envelopes_header_belongs_to_the_proxy(world: World, name: str) -> None:
    with pytest.raises(InvalidArgument):
        await world.put("k", b"x", **{name: "forged"})
