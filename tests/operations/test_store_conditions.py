"""Promise: a write whose condition the storage would overlook is done in another way, or refused; never carried out bare."""

from base64 import b64encode
from dataclasses import replace
from hashlib import md5

import pytest

from sseproxy.errors import UnsupportedFeature, UpstreamAnswered, UpstreamUnavailable
from sseproxy.model import WriteCondition
from sseproxy.operations.condition_probe import KnownConditions
from sseproxy.operations.store_conditions import StoreConditions
from tests.operations.fakes import Sent
from tests.operations.overlooking import LikeCeph, on_storage, overlooking
from tests.operations.world import World

_MIB = 1024 * 1024
_COMPLETE = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>"
_TO_KMS = b"<ObjectEncryption><SSE-KMS><KMSKeyArn>arn:aws:kms:us-east-1:000000000000:key/k2</KMSKeyArn></SSE-KMS></ObjectEncryption>"


async def _known(world: World) -> StoreConditions:
    return await world.services.conditions.get()


def _writes(world: World) -> list[Sent]:
    return [sent for sent in world.journal.sent if sent.bucket == "bucket" and sent.method in {"PUT", "POST", "DELETE"}]


async def _state_keys(world: World) -> list[str]:
    return [entry.key async for entry in world.services.state.list("probes/")]


# ---- finding out ----


async def test_a_storage_that_keeps_everything_is_found_to_lack_nothing(s3: World) -> None:
    world = overlooking(s3)

    assert await _known(world) == StoreConditions()
    assert await _state_keys(s3) == []


@pytest.mark.parametrize("condition", WriteCondition)
async def test_what_is_overlooked_is_found_out(s3: World, condition: WriteCondition) -> None:
    world = overlooking(s3, condition)

    assert await _known(world) == StoreConditions(lacks=frozenset({condition}))
    assert await _state_keys(s3) == []


async def test_cephs_own_ways_are_found_out(s3: World) -> None:
    world = on_storage(s3, LikeCeph(s3.storage))

    assert await _known(world) == StoreConditions(
        bare_etags=True, copy_source_header="copy-if-match", copies_tags=False
    )


async def test_it_is_found_out_once(s3: World) -> None:
    world = overlooking(s3, WriteCondition.COPY_IF_MATCH)
    await _known(world)
    world.journal.sent.clear()

    await _known(world)

    assert world.journal.sent == []
    assert world.observer.events.count("storage_overlooks") == 1


async def test_what_is_configured_is_not_tried(s3: World) -> None:
    lacks = [WriteCondition.DELETE_IF_MATCH]
    services = s3.services
    known = KnownConditions(s3.journal, s3.dialect, services.state_settings, services.observer, lacks=lacks)

    assert await known.get() == StoreConditions(lacks=frozenset(lacks))
    assert s3.journal.sent == []


async def test_a_dialect_without_such_conditions_is_not_tried(oss: World) -> None:
    services = oss.services
    known = KnownConditions(oss.journal, oss.dialect, services.state_settings, services.observer)

    assert await known.get() == StoreConditions()
    assert oss.journal.sent == []


async def test_a_storage_that_fails_is_asked_again_later(s3: World) -> None:
    world = overlooking(s3)

    async def fail(_sent: Sent) -> None:
        raise UpstreamUnavailable

    world.journal.before = fail
    with pytest.raises(UpstreamUnavailable):
        await _known(world)
    world.journal.before = None

    assert await _known(world) == StoreConditions()


# ---- refusing ----


@pytest.mark.parametrize(
    ("condition", "header", "value"),
    [
        (WriteCondition.PUT_IF_NONE_MATCH, "If-None-Match", "*"),
        (WriteCondition.PUT_IF_MATCH, "If-Match", f'"{md5(b"old").hexdigest()}"'),
    ],
)
async def test_a_put_with_an_overlooked_condition_is_refused(
    s3: World, condition: WriteCondition, header: str, value: str
) -> None:
    world = overlooking(s3, condition)
    await world.put("k", b"old")
    world.journal.sent.clear()

    with pytest.raises(UnsupportedFeature, match=f"does not keep {header} on PutObject"):
        await world.put("k", b"new", **{header.replace("-", "_"): value})

    assert (await world.get("k")).body == b"old"
    assert _writes(world) == []


async def test_a_long_body_of_unknown_length_needs_the_condition_at_its_end(s3: World) -> None:
    world = overlooking(s3, WriteCondition.COMPLETE_IF_NONE_MATCH)
    trusting = replace(world.services, dialect=replace(world.dialect, chunked_upload_allowed=True))
    world = replace(world, services=trusting)

    with pytest.raises(UnsupportedFeature, match="If-None-Match on CompleteMultipartUpload"):
        await world.do("PUT", "/bucket/k", [b"x" * _MIB, b"y"], {"If-None-Match": "*"}, length=None)

    assert _writes(world) == []


async def test_a_delete_with_an_overlooked_condition_is_refused(s3: World) -> None:
    world = overlooking(s3, WriteCondition.DELETE_IF_MATCH)
    put = await world.put("k", b"x")

    with pytest.raises(UnsupportedFeature, match="If-Match on DeleteObject"):
        await world.do("DELETE", "/bucket/k", headers={"If-Match": put["ETag"]})

    assert await world.has("k")


@pytest.mark.parametrize("condition", ["<ETag>x</ETag>", "<Size>1</Size>"])
async def test_a_batch_that_deletes_on_conditions_is_refused(s3: World, condition: str) -> None:
    await s3.put("k", b"x")
    document = f"<Delete><Object><Key>k</Key>{condition}</Object></Delete>".encode()
    headers = {"Content-MD5": b64encode(md5(document).digest()).decode()}

    with pytest.raises(UnsupportedFeature, match="use DeleteObject with If-Match"):
        await s3.do("POST", "/bucket?delete", document, headers)

    assert await s3.has("k")


async def test_a_complete_with_an_overlooked_condition_is_refused_and_the_upload_stays(s3: World) -> None:
    world = overlooking(s3, WriteCondition.COMPLETE_IF_NONE_MATCH)
    created = await world.do("POST", "/bucket/k?uploads")
    upload = created.body.decode().partition("<UploadId>")[2].partition("<")[0]
    part = await world.do("PUT", f"/bucket/k?partNumber=1&uploadId={upload}", b"x")
    document = _COMPLETE.format(part["ETag"]).encode()

    with pytest.raises(UnsupportedFeature, match="If-None-Match on CompleteMultipartUpload"):
        await world.do("POST", f"/bucket/k?uploadId={upload}", document, {"If-None-Match": "*"})
    assert not await world.has("k")

    await world.do("POST", f"/bucket/k?uploadId={upload}", document)
    assert (await world.get("k")).body == b"x"


# ---- doing it in another way ----


@pytest.mark.parametrize("size", [0, 10, 2 * _MIB])
async def test_a_copy_whose_source_cannot_be_named_goes_through_the_proxy(s3: World, size: int) -> None:
    world = overlooking(s3, WriteCondition.COPY_SOURCE_IF_MATCH)
    put = await world.put("from", b"x" * size, own_meta_colour="blue", own_tagging="a=b")
    await _known(world)
    world.journal.sent.clear()

    copied = await world.do("PUT", "/bucket/to", headers={"own_copy_source": "/bucket/from"})

    got = await world.get("to")
    [written] = _writes(world)
    assert "x-amz-copy-source" not in written.headers
    assert written.headers["x-amz-tagging"] == "a=b"
    assert (got.body, got["ETag"], got["x-amz-meta-colour"]) == (b"x" * size, put["ETag"], "blue")
    assert put["ETag"].strip('"') in copied.body.decode()


async def test_a_copys_condition_on_its_destination_is_kept_by_a_put_where_copies_overlook_it(s3: World) -> None:
    world = overlooking(s3, WriteCondition.COPY_IF_NONE_MATCH)
    await world.put("from", b"new")
    await world.put("there", b"old")
    source = {"own_copy_source": "/bucket/from", "If-None-Match": "*"}

    with pytest.raises(UpstreamAnswered) as raised:
        await world.do("PUT", "/bucket/there", headers=source)
    await world.do("PUT", "/bucket/free", headers=source)

    assert raised.value.status == 412
    assert (await world.get("there")).body == b"old"
    assert (await world.get("free")).body == b"new"


async def test_a_copys_condition_that_nothing_keeps_is_refused(s3: World) -> None:
    world = overlooking(s3, WriteCondition.COPY_IF_NONE_MATCH, WriteCondition.PUT_IF_NONE_MATCH)
    await world.put("from", b"new")

    with pytest.raises(UnsupportedFeature, match="If-None-Match on CopyObject"):
        await world.do("PUT", "/bucket/to", headers={"own_copy_source": "/bucket/from", "If-None-Match": "*"})

    assert not await world.has("to")


async def test_ceph_is_told_the_etag_in_its_own_ways(s3: World) -> None:
    world = on_storage(s3, LikeCeph(s3.storage))
    old = await world.put("k", b"old")

    await world.put("k", b"new", If_Match=old["ETag"])
    await world.do("PUT", "/bucket/to", headers={"own_copy_source": "/bucket/k"})

    copy = _writes(world)[-1]
    etag = (await world.stored_headers("k"))["ETag"]
    assert (copy.headers["x-amz-copy-if-match"], "x-amz-copy-source-if-match" in copy.headers) == (etag, False)
    assert (await world.get("to")).body == b"new"


async def test_tags_that_a_copy_would_lose_go_through_the_proxy(s3: World) -> None:
    world = on_storage(s3, LikeCeph(s3.storage))
    await world.put("k", b"x", own_tagging="a=b")

    await world.do("PUT", "/bucket/to", headers={"own_copy_source": "/bucket/k"})

    assert _writes(world)[-1].headers["x-amz-tagging"] == "a=b"
    assert b"<Key>a</Key><Value>b</Value>" in (await world.do("GET", "/bucket/to?tagging")).body
    assert (await world.get("to")).body == b"x"


@pytest.mark.parametrize("size", [7, 2 * _MIB])
async def test_an_object_gets_another_key_by_a_guarded_put_where_copies_replace_whatever_is_there(
    s3: World, size: int
) -> None:
    world = overlooking(s3, WriteCondition.COPY_IF_MATCH)
    await world.put("k", b"x" * size, own_meta_colour="blue", own_tagging="a=b", Content_Type="text/x")
    before, etag = await world.get("k"), (await world.stored_headers("k"))["ETag"]
    await _known(world)
    world.journal.sent.clear()

    await _update(world)

    [written] = _writes(world)
    after = await world.get("k")
    assert (written.headers["If-Match"], "x-amz-copy-source" in written.headers) == (etag, False)
    assert written.headers["x-amz-tagging"] == "a=b"
    assert after["x-amz-server-side-encryption"] == "aws:kms"
    assert (after.body, after["ETag"], after["x-amz-meta-colour"], after["Content-Type"]) == (
        before.body, before["ETag"], "blue", "text/x",
    )  # fmt: skip


async def test_what_is_written_meanwhile_is_not_buried(s3: World) -> None:
    world = overlooking(s3, WriteCondition.COPY_IF_MATCH)
    await world.put("k", b"first")
    await _known(world)
    begun = False

    async def interfere(sent: Sent) -> None:
        nonlocal begun
        if sent.method == "PUT" and "If-Match" in sent.headers and not begun:
            begun = True
            await world.put("k", b"second")

    world.journal.before = interfere
    await _update(world)
    world.journal.before = None

    after = await world.get("k")
    assert (begun, after.body, after["x-amz-server-side-encryption"]) == (True, b"second", "aws:kms")


async def test_an_object_does_not_get_another_key_where_nothing_is_guarded(s3: World) -> None:
    world = overlooking(s3, WriteCondition.COPY_IF_MATCH, WriteCondition.PUT_IF_MATCH)
    await world.put("k", b"x")
    await _known(world)
    world.journal.sent.clear()

    with pytest.raises(UnsupportedFeature, match="If-Match on PutObject"):
        await _update(world)

    assert _writes(world) == []


async def _update(world: World) -> None:
    digest = b64encode(md5(_TO_KMS).digest()).decode()
    await world.do("PUT", "/bucket/k?encryption", _TO_KMS, {"Content-MD5": digest})
