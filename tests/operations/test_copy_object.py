"""CopyObject through the front door of the operations."""

import random
from base64 import b64encode
from hashlib import md5

import pytest

from sseproxy.errors import (
    AccessRefused,
    InvalidArgument,
    InvalidBucketName,
    InvalidRequest,
    PreconditionFailed,
    UpstreamAnswered,
)
from sseproxy.format import stored_size
from tests.operations.fakes import Sent
from tests.operations.world import Answer, World

_MIB = 1024 * 1024


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def _copy(world: World, source: str, key: str, **headers: str) -> Answer:
    return await world.do("PUT", f"/bucket/{key}", headers={"own_copy_source": source, **headers})


@pytest.mark.parametrize("size", [0, 10, _MIB + 1])
async def test_a_sealed_object_is_copied_without_moving_its_bytes(world: World, size: int) -> None:
    put = await world.put("from", _bytes(size), own_meta_colour="blue", Content_Type="text/x", Cache_Control="private")
    world.journal.sent.clear()

    copied = await _copy(world, "/bucket/from", "to")
    got = await world.get("to")

    assert copied.status == 200
    assert got.body == _bytes(size)
    assert got["ETag"] == put["ETag"] == copied["ETag"]
    assert put["ETag"].strip('"') in copied.body.decode()
    assert (got[world.name("meta-colour")], got["Content-Type"], got["Cache-Control"]) == ("blue", "text/x", "private")
    assert await world.stored("to") == await world.stored("from")
    assert await world.envelope("to") != await world.envelope("from")
    copies = [sent for sent in world.journal.sent if sent.method == "PUT"]
    assert [sent.headers[world.name("metadata-directive")] for sent in copies] == ["REPLACE"]
    assert copies[0].headers[world.name("copy-source-if-match")] == f'"{await _backend_etag(world, "from")}"'


async def _backend_etag(world: World, key: str) -> str:
    return (await world.stored_headers(key))["ETag"].strip('"')


async def test_metadata_may_be_replaced(world: World) -> None:
    await world.put("from", b"x", own_meta_colour="blue", Content_Type="text/x")

    await _copy(
        world, "bucket/from", "to", own_metadata_directive="REPLACE", own_meta_size="big", Content_Type="text/y"
    )

    got = await world.get("to")
    assert got["Content-Type"] == "text/y"
    assert got[world.name("meta-size")] == "big"
    assert world.name("meta-colour") not in got


async def test_the_copy_is_encrypted_as_its_own_request_says(s3: World) -> None:
    put = await s3.put("from", b"x")

    copied = await _copy(s3, "/bucket/from", "to", own_server_side_encryption="aws:kms")
    got = await s3.get("to")

    assert copied["x-amz-server-side-encryption"] == got["x-amz-server-side-encryption"] == "aws:kms"
    assert got["ETag"] == put["ETag"]
    assert got.body == b"x"


@pytest.mark.parametrize("size", [0, 10, 2 * _MIB])
async def test_an_object_that_is_not_sealed_is_sealed_on_the_way(world: World, size: int) -> None:
    await world.seed("old", _bytes(size), {"Content-Type": "text/x", world.name("meta-colour"): "blue"})

    copied = await _copy(world, "/bucket/old", "to")
    got = await world.get("to")

    assert got.body == _bytes(size)
    assert got["ETag"] == copied["ETag"] == world.dialect.show_etag(md5(_bytes(size)).hexdigest())
    assert (got["Content-Type"], got[world.name("meta-colour")]) == ("text/x", "blue")
    assert got[world.name("server-side-encryption")] == "AES256"
    assert len(await world.stored("to")) == stored_size(size)


async def test_an_object_can_be_sealed_in_place(world: World) -> None:
    await world.seed("old", b"plain", {"Content-Type": "text/x"})

    await _copy(world, "/bucket/old", "old", own_server_side_encryption="AES256")

    got = await world.get("old")
    assert (got.body, got["Content-Type"]) == (b"plain", "text/x")
    assert got[world.name("server-side-encryption")] == "AES256"
    assert b"plain" not in await world.stored("old")


async def test_a_copy_onto_itself_that_changes_nothing_is_illegal_in_s3(s3: World) -> None:
    await s3.put("k", b"x")

    with pytest.raises(InvalidRequest, match="without changing the object's metadata"):
        await _copy(s3, "/bucket/k", "k")


@pytest.mark.parametrize(
    "headers",
    [
        {"own_metadata_directive": "REPLACE"},
        {"own_storage_class": "STANDARD_IA"},
        {"own_server_side_encryption": "AES256"},
    ],
)
async def test_a_copy_onto_itself_that_changes_something_is_legal(s3: World, headers: dict[str, str]) -> None:
    await s3.put("k", b"x")

    await _copy(s3, "/bucket/k", "k", **headers)

    assert (await s3.get("k")).body == b"x"


async def test_oss_replaces_metadata_in_a_copy_onto_itself_but_keeps_the_type(oss: World) -> None:
    await oss.put("k", b"x", Content_Type="text/x", own_meta_colour="blue")

    await _copy(oss, "/bucket/k", "k", own_meta_size="big")

    got = await oss.get("k")
    assert (got["Content-Type"], got["x-oss-meta-size"]) == ("text/x", "big")
    assert "x-oss-meta-colour" not in got


async def test_conditions_on_the_source_are_decided_on_the_clients_etag(world: World) -> None:
    etag = (await world.put("from", b"x"))["ETag"]

    await _copy(world, "/bucket/from", "to", own_copy_source_if_match=etag)

    with pytest.raises(PreconditionFailed):
        await _copy(world, "/bucket/from", "to", own_copy_source_if_match='"other"')


async def test_a_source_that_is_not_modified_is_412_in_s3_and_304_in_oss(s3: World, oss: World) -> None:
    etag = (await s3.put("from", b"x"))["ETag"]
    await oss.put("from", b"x")

    with pytest.raises(PreconditionFailed) as refused:
        await _copy(s3, "/bucket/from", "to", own_copy_source_if_none_match=etag)
    assert refused.value.details == {"Condition": "x-amz-copy-source-If-None-Match"}
    assert (await _copy(oss, "/bucket/from", "to", own_copy_source_if_none_match=etag)).status == 304


async def test_a_source_that_changes_in_between_is_copied_anew(world: World) -> None:
    await world.put("from", b"before")

    async def overwrite(sent: Sent) -> None:
        if world.name("copy-source") in sent.headers:
            world.journal.before = None
            await world.put("from", b"after")

    world.journal.before = overwrite
    await _copy(world, "/bucket/from", "to")

    assert (await world.get("to")).body == b"after"


async def test_the_storages_refusal_is_passed_on(world: World) -> None:
    with pytest.raises(UpstreamAnswered) as missing:
        await _copy(world, "/bucket/nothing", "to")
    assert missing.value.status == 404


@pytest.mark.parametrize("source", ["", "/", "bucket", "/bucket/", "/bucket"])
async def test_a_copy_source_must_name_bucket_and_key(s3: World, source: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await _copy(s3, source, "to")
    assert refused.value.details["ArgumentName"] == "x-amz-copy-source"


@pytest.mark.parametrize("source", ["/sseproxy-state/state-key", "sseproxy-state/x", "/sseproxy%2Dstate/x"])
async def test_the_state_bucket_is_no_copy_source(world: World, source: str) -> None:
    with pytest.raises(AccessRefused):
        await _copy(world, source, "to")


async def test_an_unknown_directive_is_refused(world: World) -> None:
    await world.put("from", b"x")

    with pytest.raises(InvalidArgument):
        await _copy(world, "/bucket/from", "to", own_metadata_directive="MOVE")


async def test_keys_with_every_kind_of_character_are_copied(world: World) -> None:
    await world.put("a%20b%2Bc/%C3%A9", b"x")

    await _copy(world, "/bucket/a%20b%2Bc/%C3%A9", "to")

    assert (await world.get("to")).body == b"x"


async def test_tags_go_along_with_an_object_that_is_sealed_on_the_way(s3: World) -> None:
    tagging = b"<Tagging><TagSet><Tag><Key>a b</Key><Value>c&amp;d</Value></Tag></TagSet></Tagging>"
    await s3.seed("old", b"plain")
    digest = b64encode(md5(tagging).digest()).decode()
    await s3.do("PUT", "/bucket/old?tagging", tagging, {"Content-MD5": digest})

    await _copy(s3, "/bucket/old", "kept")
    await _copy(s3, "/bucket/old", "replaced", own_tagging_directive="REPLACE", own_tagging="x=y")

    assert b"<Key>a b</Key><Value>c&amp;d</Value>" in (await s3.do("GET", "/bucket/kept?tagging")).body
    assert b"<Key>x</Key><Value>y</Value>" in (await s3.do("GET", "/bucket/replaced?tagging")).body


@pytest.mark.parametrize(
    "bucket",
    [
        "state%3Flist-type=2&x=",
        "state%23",
        "host.test%3F",
        "user@host.test",
        "host.test:80",
        "host.test%5C",
        "b%0d%0aX:1",
        "b%20",
    ],
)
@pytest.mark.parametrize("query", ["", "?partNumber=1&uploadId=x"])
async def test_a_source_bucket_that_would_be_read_as_another_place_is_refused(
    world: World, bucket: str, query: str
) -> None:
    if query:
        created = await world.do("POST", "/bucket/to?uploads")
        query = f"?partNumber=1&uploadId={created.body.decode().split('UploadId>')[1].removesuffix('</')}"
    world.journal.sent.clear()

    with pytest.raises(InvalidBucketName):
        await _copy(world, f"/{bucket}/k", f"to{query}")

    assert world.journal.sent == []
