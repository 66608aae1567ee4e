"""What follows from a bucket's state: refusals, ETags, listings without look-ups; in both dialects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sseproxy.errors import EnvelopeRejected
from sseproxy.format import stored_size
from sseproxy.model import EtagMode
from sseproxy.operations.bucket_states import MIXED, SEALED, BucketState
from sseproxy.ports import UpstreamRequest, UpstreamResponse
from tests.operations.bucket_walks import (
    GREW,
    LISTINGS,
    OPAQUE,
    entries_of,
    opaque,
    past,
    state_of,
    text_in,
    told_of,
    with_etags,
)
from tests.operations.world import World
from tests.support.memory_upstream import MemoryAnswer

# ---- what has no envelope ----


@pytest.mark.parametrize("state", [SEALED, OPAQUE], ids=str)
async def test_an_object_without_an_envelope_is_not_served_from_a_sealed_bucket(
    world: World, state: BucketState
) -> None:
    await world.services.bucket_states.put("bucket", state)
    await world.seed("plain", b"x" * 5000)

    for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-3"})):
        with pytest.raises(EnvelopeRejected, match="marked as sealed, and the object has no envelope"):
            await world.do(method, "/bucket/plain", headers=headers)
    with pytest.raises(EnvelopeRejected):
        await world.put("copy", b"", own_copy_source="/bucket/plain")
    assert not await world.has("copy")


async def test_an_envelope_that_was_removed_is_noticed_in_a_sealed_bucket_also_when_the_bytes_are_replaced(
    world: World,
) -> None:
    await world.do("PUT", "/new-bucket")
    await world.do("PUT", "/new-bucket/k", b"secret")
    assert await past(world, "PUT", "/new-bucket/k") == 200

    with pytest.raises(EnvelopeRejected):
        await world.do("GET", "/new-bucket/k")


async def test_an_object_without_an_envelope_can_be_replaced_and_deleted(world: World) -> None:
    await world.services.bucket_states.put("bucket", SEALED)
    await world.seed("one", b"plain")
    await world.seed("two", b"plain")

    await world.put("one", b"sealed now")
    await world.do("DELETE", "/bucket/two")

    assert (await world.get("one")).body == b"sealed now"
    assert not await world.has("two")


@pytest.mark.parametrize("query", LISTINGS)
async def test_no_listing_of_a_sealed_bucket_fails_for_an_object_without_an_envelope(world: World, query: str) -> None:
    await world.do("PUT", "/new-bucket")
    await world.do("PUT", "/new-bucket/good", b"good")
    assert await past(world, "PUT", "/new-bucket/plain") == 200

    listed = await entries_of(world.other_process(), query)

    assert listed["good"] == await told_of(world, "good")
    assert list(listed) == ["good", "plain"]
    assert "entry_not_opened" in world.observer.events


async def test_a_link_is_copied_and_read_through_in_a_sealed_bucket(oss: World) -> None:
    await oss.do("PUT", "/new-bucket")
    await oss.do("PUT", "/new-bucket/k", b"target")
    await oss.do("PUT", "/new-bucket/link?symlink", headers={"own_symlink_target": "k"})

    copied = await oss.do("PUT", "/new-bucket/copy", headers={"own_copy_source": "/new-bucket/link"})

    assert copied.status == 200
    assert (await oss.do("GET", "/new-bucket/link")).body == b"target"
    assert (await oss.do("GET", "/new-bucket/copy")).body == b"target"
    assert (await entries_of(oss, ""))["link"][0] == 0


async def test_an_unsealed_object_whose_size_a_sealed_one_could_have_is_never_served(world: World) -> None:
    await opaque(world).do("PUT", "/new-bucket")
    assert await past(world, "PUT", "/new-bucket/plain", bytes(stored_size(100))) == 200

    assert (await entries_of(world, ""))["plain"][0] == 100
    with pytest.raises(EnvelopeRejected):
        await world.do("HEAD", "/new-bucket/plain")


# ---- listings without look-ups ----


async def _varied(world: World) -> dict[str, dict[str, str]]:
    """Write objects of all kinds into the new bucket; return what a HEAD of each needs besides."""
    kinds: dict[str, dict[str, str]] = {}
    for size in (0, 1, 65_536, 102_400, 1024 * 1024, 1024 * 1024 + 1, 3_000_000):
        kinds[f"size-{size}"] = {}
        await world.do("PUT", f"/new-bucket/size-{size}", bytes(size))
    if world.dialect.chunked_upload_allowed:
        await world.do("PUT", "/new-bucket/unknown-length", [bytes(1024 * 1024)] * 2, length=None)
        kinds["unknown-length"] = {}
    await world.do("PUT", "/new-bucket/copy", headers={"own_copy_source": "/new-bucket/size-65536"})
    await _uploaded(world, "parts")
    return kinds | {"copy": {}, "parts": {}}


async def _uploaded(world: World, key: str, completing: World | None = None) -> str:
    """Upload an object in two parts; return the ETag that Complete tells."""
    document = (await world.do("POST", f"/new-bucket/{key}?uploads")).body.decode()
    upload_id = text_in(document, "UploadId")
    parts = []
    for number, size in ((1, 5 * 1024 * 1024), (2, 100)):
        answer = await world.do("PUT", f"/new-bucket/{key}?partNumber={number}&uploadId={upload_id}", bytes(size))
        parts.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{answer['ETag']}</ETag></Part>")
    listed = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
    done = await (completing or world).do("POST", f"/new-bucket/{key}?uploadId={upload_id}", listed)
    return text_in(done.body.decode(), "ETag").replace("&quot;", '"')


async def test_every_listing_of_a_sealed_bucket_with_opaque_etags_costs_one_request_and_says_what_head_says(
    world: World,
) -> None:
    world = opaque(world)
    await world.do("PUT", "/new-bucket")
    kinds = await _varied(world)
    shown = {key: await told_of(world, key, **headers) for key, headers in kinds.items()}
    cold = opaque(world.other_process())
    await cold.services.bucket_states.get("new-bucket")

    for query in ("", "?list-type=2"):
        world.journal.sent.clear()
        assert await entries_of(cold, query) == shown
        assert [str(sent) for sent in world.journal.sent] == [f"GET /new-bucket/{query}"]
    world.journal.sent.clear()
    assert await entries_of(cold, "?versions") == shown
    looked_at = {sent.raw_key for sent in world.journal.sent if sent.bucket == "new-bucket"} - {""}
    assert looked_at == {"parts"} | ({"unknown-length"} & set(kinds))  # in parts, and without a version id


async def test_the_state_itself_is_asked_for_once_in_its_lifetime(world: World) -> None:
    await opaque(world).do("PUT", "/new-bucket")
    cold = world.other_process()
    await cold.services.state.open_key()
    world.journal.sent.clear()

    for _ in range(3):
        await entries_of(cold, "?list-type=2")
    cold.clock.advance(31)
    await entries_of(cold, "?list-type=2")

    asked = [str(sent) for sent in world.journal.sent if sent.bucket != "new-bucket"]
    assert asked == ["GET /sseproxy-state/buckets/new-bucket/state"] * 2


@pytest.mark.parametrize("query", LISTINGS)
@pytest.mark.parametrize("state", [MIXED, SEALED, OPAQUE, GREW], ids=str)
async def test_listings_say_what_head_says_whatever_the_state_and_whoever_wrote(
    world: World, state: BucketState, query: str
) -> None:
    """Half of the objects have an MD5 in their footer, half have not: by the setting of the process that wrote them."""
    assert await past(world, "PUT", "/new-bucket") == 200
    await world.do("PUT", "/new-bucket/md5", b"x" * 100)
    await opaque(world).do("PUT", "/new-bucket/opaque", b"x" * 200)
    await world.services.bucket_states.put("new-bucket", state)
    await world.do("PUT", "/new-bucket/later", b"x" * 300)

    shown = {key: await told_of(world, key) for key in ("later", "md5", "opaque")}

    assert await entries_of(world, query) == shown
    assert await entries_of(world.other_process(), query) == shown
    assert [size for size, _ in shown.values()] == [300, 100, 200]
    assert shown["md5"][1].endswith('-0"') == state.opaque_etags
    assert shown["later"][1].endswith('-0"') == state.opaque_etags


async def test_a_bucket_with_opaque_etags_keeps_them_when_the_setting_changes(world: World) -> None:
    await opaque(world).do("PUT", "/new-bucket")

    put = await with_etags(world, EtagMode.MD5).do("PUT", "/new-bucket/k", b"x")
    await world.services.bucket_states.put("new-bucket", MIXED)

    assert put["ETag"].endswith('-0"')
    assert (await world.do("HEAD", "/new-bucket/k"))["ETag"] == put["ETag"]


async def test_an_upload_that_was_begun_for_an_md5_gets_the_etag_that_the_bucket_shows_when_it_is_completed(
    world: World,
) -> None:
    assert await past(world, "PUT", "/new-bucket") == 200
    completing = world.other_process()
    await completing.services.bucket_states.put("new-bucket", OPAQUE)

    etag = await _uploaded(world, "k", completing)

    world.clock.advance(31)
    assert await told_of(world, "k") == (5 * 1024 * 1024 + 100, etag)
    assert (await entries_of(world, ""))["k"][1] == etag


async def test_what_a_writer_with_a_stale_state_left_is_shown_alike_by_all_who_know_the_state(world: World) -> None:
    assert await past(world, "PUT", "/new-bucket") == 200
    stale = world.other_process()
    await stale.services.bucket_states.get("new-bucket")
    await world.services.bucket_states.put("new-bucket", OPAQUE)

    await stale.do("PUT", "/new-bucket/k", b"x")
    here = await told_of(world, "k")
    stale.clock.advance(31)

    assert await entries_of(world, "") == await entries_of(stale, "") == {"k": here}
    assert await told_of(stale, "k") == here
    assert here[1].endswith('-0"')


async def test_a_condition_names_the_etag_that_the_bucket_shows(s3: World) -> None:
    assert await past(s3, "PUT", "/new-bucket") == 200
    md5 = (await s3.do("PUT", "/new-bucket/k", b"x"))["ETag"]
    await s3.services.bucket_states.put("new-bucket", OPAQUE)
    shown = (await s3.do("HEAD", "/new-bucket/k"))["ETag"]

    assert (await s3.do("GET", "/new-bucket/k", headers={"If-None-Match": md5})).status == 200
    assert (await s3.do("GET", "/new-bucket/k", headers={"If-None-Match": shown})).status == 304
    assert (await s3.do("PUT", "/new-bucket/k", b"y", headers={"If-Match": shown})).status == 200


async def test_an_appended_object_is_looked_up_where_listings_name_types_and_makes_the_others_careful(
    oss: World,
) -> None:
    await opaque(oss).do("PUT", "/new-bucket")
    await oss.do("PUT", "/new-bucket/k", b"x" * 50)
    for position in (0, 70_000):
        await oss.do("POST", f"/new-bucket/grown?append&position={position}", bytes(70_000))

    listed = await entries_of(oss.other_process(), "")

    assert await state_of(oss) == GREW
    assert listed == {key: await told_of(oss, key) for key in ("grown", "k")}
    assert listed["grown"][0] == 140_000


async def test_a_process_that_knows_an_older_state_records_that_an_object_grows(oss: World) -> None:
    stale = oss.other_process()
    await stale.services.bucket_states.get("new-bucket")
    await opaque(oss).do("PUT", "/new-bucket")

    await stale.do("POST", "/new-bucket/grown?append&position=0", b"x")

    assert await state_of(oss) == GREW


class _NoNullVersion:
    """A storage that lists the version `null` and does not find it, as versitygw does."""

    def __init__(self, world: World) -> None:
        self._behind = world.journal

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if "versionId=null" in request.raw_query:
            yield MemoryAnswer(404)
        else:
            async with self._behind.send(request) as answer:
                yield answer


@pytest.mark.parametrize("state", [MIXED, SEALED, OPAQUE], ids=str)
async def test_a_version_null_that_is_known_as_the_present_object_alone_is_listed(
    world: World, state: BucketState
) -> None:
    await world.services.bucket_states.put("bucket", state)
    await world.put("k", b"x" * 100)
    wanted = await told_of(world, "k", "bucket")
    cold = world.other_process()
    cold = replace(cold, services=replace(cold.services, upstream=_NoNullVersion(world)))

    assert await entries_of(cold, "?versions", "bucket") == {"k": wanted}
