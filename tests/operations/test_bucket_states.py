"""What a bucket's state is, where it comes from, and what follows from it; in both dialects."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sseproxy.errors import EnvelopeRejected, SseProxyError, StateRejected, UpstreamUnavailable
from sseproxy.format import stored_size
from sseproxy.model import EtagMode
from sseproxy.operations.bucket_states import MIXED, SEALED, BucketState
from sseproxy.operations.buckets import create_bucket
from sseproxy.ports import UpstreamRequest, UpstreamResponse
from sseproxy.settings import EncryptionSettings
from tests.operations.fakes import Sent, make_request
from tests.operations.world import World
from tests.support.memory_upstream import MemoryAnswer

OPAQUE = BucketState(sealed=True, opaque_etags=True)
GREW = replace(OPAQUE, appended=True)
LISTINGS = ["", "?list-type=2", "?versions"]
_ENTRY = re.compile(r"<(Contents|Version)>(.*?)</\1>", re.DOTALL)


def _with_etags(world: World, mode: EtagMode | None) -> World:
    """Return the same process with another setting `encryption.etag`."""
    return replace(world, services=replace(world.services, encryption=EncryptionSettings(etag=mode)))


def _opaque(world: World) -> World:
    return _with_etags(world, EtagMode.OPAQUE)


async def _past(world: World, method: str, target: str, body: bytes | None = None) -> int:
    """Send a request to the storage, past the proxy; a PUT of an object writes its key unless there is a body."""
    bucket, _, key = target.removeprefix("/").partition("/")
    sent = (key.encode() if body is None else body) if method == "PUT" else None
    request = UpstreamRequest(method=method, bucket=bucket, raw_key=key, body=sent)
    async with world.storage.send(request) as response:
        return response.status


async def _state(world: World, bucket: str = "new-bucket") -> BucketState:
    return await world.services.bucket_states.read(bucket)


async def _listed(world: World, query: str, bucket: str = "new-bucket") -> dict[str, tuple[int, str]]:
    document = (await world.do("GET", f"/{bucket}{query}")).body.decode()
    return {
        _text(entry, "Key"): (int(_text(entry, "Size")), _text(entry, "ETag").replace("&quot;", '"'))
        for _, entry in _ENTRY.findall(document)
    }


def _text(document: str, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", document)
    assert found is not None, document
    return found[1]


async def _shown(world: World, key: str, bucket: str = "new-bucket", **headers: str) -> tuple[int, str]:
    """Return size and ETag as HEAD tells them; GET has to agree."""
    head = await world.do("HEAD", f"/{bucket}/{key}", headers=headers)
    got = await world.do("GET", f"/{bucket}/{key}", headers=headers)
    assert head.content_length == len(got.body)
    assert head["ETag"] == got["ETag"]
    return len(got.body), head["ETag"]


# ---- where a state comes from ----


async def test_a_bucket_that_the_proxy_created_is_sealed_and_one_that_it_found_is_mixed(world: World) -> None:
    await world.do("PUT", "/new-bucket")
    await _opaque(world).do("PUT", "/opaque-bucket")

    assert await _state(world) == SEALED
    assert await _state(world, "opaque-bucket") == OPAQUE
    assert await _state(world, "bucket") == MIXED
    assert list(map(str, (MIXED, SEALED, OPAQUE, GREW))) == [
        "mixed",
        "sealed",
        "sealed opaque",
        "sealed opaque appended",
    ]


async def test_a_storage_that_answers_200_for_a_bucket_that_is_there_makes_nothing_sealed(oss: World) -> None:
    assert await _past(oss, "PUT", "/found") == 200

    answer = await _opaque(oss).do("PUT", "/found")

    assert (answer.status, await _state(oss, "found")) == (200, MIXED)


async def test_a_second_creation_leaves_the_state_as_it_is(oss: World) -> None:
    await oss.do("PUT", "/new-bucket")
    await _opaque(oss).do("PUT", "/new-bucket")

    assert await _state(oss) == SEALED


async def test_a_bucket_that_is_not_created_gets_no_state(s3: World) -> None:
    assert await _past(s3, "PUT", "/found") == 200

    with pytest.raises(SseProxyError):
        await s3.do("PUT", "/found")

    assert await _state(s3, "found") == MIXED


async def test_a_bucket_that_somebody_filled_at_once_is_mixed(world: World) -> None:
    async def fill(sent: Sent) -> None:
        if sent.raw_query == "max-keys=1":
            assert await _past(world, "PUT", "/new-bucket/k") == 200

    world.journal.before = fill
    await world.do("PUT", "/new-bucket")
    world.journal.before = None

    assert await _state(world) == MIXED
    assert (await world.do("GET", "/new-bucket/k")).body == b"k"


_VERSION = (
    b"<ListVersionsResult><Version><Key>k</Key><VersionId>v</VersionId><IsLatest>false</IsLatest>"
    b"<ETag>e</ETag><Size>1</Size></Version></ListVersionsResult>"
)
_NO_VERSION = b"<ListVersionsResult></ListVersionsResult>"


class _Versions:
    """A storage that answers so to whoever asks for versions."""

    def __init__(self, world: World, status: int, document: bytes) -> None:
        self._behind = world.journal
        self._answer = MemoryAnswer(status, document)
        self.asked = 0

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if request.raw_query.startswith("versions"):
            self.asked += 1
            yield self._answer
        else:
            async with self._behind.send(request) as answer:
                yield answer


@pytest.mark.parametrize(
    ("status", "document", "state"),
    [
        (200, _NO_VERSION, SEALED),
        (200, _VERSION, MIXED),
        (405, b"", SEALED),
        (501, b"", SEALED),
        (403, b"", MIXED),
    ],
    ids=["none", "an old version", "not allowed", "not implemented", "nobody tells"],
)
async def test_old_versions_count_as_well(world: World, status: int, document: bytes, state: BucketState) -> None:
    answers = _Versions(world, status, document)
    services = replace(world.services, upstream=answers)

    await create_bucket(services, make_request("PUT", "/new-bucket"))

    assert await _state(world) == state
    assert answers.asked == 1


async def test_a_deleted_bucket_leaves_no_state_to_the_next_one_of_its_name(world: World) -> None:
    await world.do("PUT", "/new-bucket")
    await world.do("DELETE", "/new-bucket")
    gone = await _state(world)
    assert await _past(world, "PUT", "/new-bucket") == 200

    assert (gone, await _state(world)) == (MIXED, MIXED)


async def test_a_state_left_by_a_bucket_deleted_past_the_proxy_is_replaced_when_the_proxy_creates_one(
    world: World,
) -> None:
    await _opaque(world).do("PUT", "/new-bucket")
    assert await _past(world, "DELETE", "/new-bucket") == 204
    await world.do("PUT", "/new-bucket")

    assert await _state(world) == SEALED


async def test_a_bucket_deleted_and_created_past_the_proxy_serves_nothing_plain_until_it_is_marked(
    world: World,
) -> None:
    await _opaque(world).do("PUT", "/new-bucket")
    assert await _past(world, "DELETE", "/new-bucket") == 204
    assert await _past(world, "PUT", "/new-bucket") == 200
    assert await _past(world, "PUT", "/new-bucket/plain") == 200

    with pytest.raises(EnvelopeRejected):
        await world.do("GET", "/new-bucket/plain")
    await world.services.bucket_states.put("new-bucket", MIXED)

    assert (await world.do("GET", "/new-bucket/plain")).body == b"plain"


# ---- records ----


@pytest.mark.parametrize("state", [MIXED, SEALED, OPAQUE, GREW, replace(SEALED, appended=True)], ids=str)
async def test_a_state_is_kept_whole(world: World, state: BucketState) -> None:
    await world.services.bucket_states.put("bucket", state)

    assert await _state(world.other_process(), "bucket") == state


async def test_records_of_the_first_release_mean_what_they_meant(world: World) -> None:
    store = world.services.state
    for word, state in (("mixed", MIXED), ("sealed", SEALED)):
        await store.put("buckets/bucket/state", word.encode(), purpose="bucket-state", bucket="bucket")
        assert await _state(world, "bucket") == state


@pytest.mark.parametrize("payload", [b"", b"opaque", b"mixed opaque", b"sealed appended opaque", b"sealed\n", b"\xff"])
async def test_a_record_that_says_something_else_is_refused(world: World, payload: bytes) -> None:
    await world.services.state.put("buckets/bucket/state", payload, purpose="bucket-state", bucket="bucket")

    with pytest.raises(StateRejected):
        await _state(world, "bucket")


async def test_a_record_of_another_bucket_is_refused(world: World) -> None:
    await world.services.state.put("buckets/bucket/state", b"mixed", purpose="bucket-state", bucket="another")

    with pytest.raises(StateRejected):
        await _state(world, "bucket")


async def test_another_process_sees_a_state_after_its_lifetime(world: World) -> None:
    other = world.other_process()
    assert await other.services.bucket_states.get("bucket") == MIXED
    await world.services.bucket_states.put("bucket", SEALED)

    early = await other.services.bucket_states.get("bucket")
    other.clock.advance(31)

    assert (early, await other.services.bucket_states.get("bucket")) == (MIXED, SEALED)


# ---- what has no envelope ----


@pytest.mark.parametrize("state", [SEALED, OPAQUE], ids=str)
async def test_an_object_without_an_envelope_is_not_served_from_a_sealed_bucket(
    world: World, state: BucketState
) -> None:
    await world.services.bucket_states.put("bucket", state)
    await world.seed("plain", b"x" * 5000)

    for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-3"})):
        with pytest.raises(EnvelopeRejected, match="has no envelope"):
            await world.do(method, "/bucket/plain", headers=headers)
    with pytest.raises(EnvelopeRejected):
        await world.put("copy", b"", own_copy_source="/bucket/plain")
    assert not await world.has("copy")


async def test_an_envelope_that_was_removed_is_noticed_in_a_sealed_bucket_also_when_the_bytes_are_replaced(
    world: World,
) -> None:
    await world.do("PUT", "/new-bucket")
    await world.do("PUT", "/new-bucket/k", b"secret")
    assert await _past(world, "PUT", "/new-bucket/k") == 200

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
    assert await _past(world, "PUT", "/new-bucket/plain") == 200

    listed = await _listed(world.other_process(), query)

    assert listed["good"] == await _shown(world, "good")
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
    assert (await _listed(oss, ""))["link"][0] == 0


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
    upload_id = _text(document, "UploadId")
    parts = []
    for number, size in ((1, 5 * 1024 * 1024), (2, 100)):
        answer = await world.do("PUT", f"/new-bucket/{key}?partNumber={number}&uploadId={upload_id}", bytes(size))
        parts.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{answer['ETag']}</ETag></Part>")
    listed = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
    done = await (completing or world).do("POST", f"/new-bucket/{key}?uploadId={upload_id}", listed)
    return _text(done.body.decode(), "ETag").replace("&quot;", '"')


async def test_every_listing_of_a_sealed_bucket_with_opaque_etags_costs_one_request_and_says_what_head_says(
    world: World,
) -> None:
    world = _opaque(world)
    await world.do("PUT", "/new-bucket")
    kinds = await _varied(world)
    shown = {key: await _shown(world, key, **headers) for key, headers in kinds.items()}
    cold = _opaque(world.other_process())
    await cold.services.bucket_states.get("new-bucket")

    for query in LISTINGS:
        world.journal.sent.clear()
        assert await _listed(cold, query) == shown
        assert [str(sent) for sent in world.journal.sent] == [f"GET /new-bucket/{query}"]


async def test_the_state_itself_is_asked_for_once_in_its_lifetime(world: World) -> None:
    await _opaque(world).do("PUT", "/new-bucket")
    cold = world.other_process()
    await cold.services.state.open_key()
    world.journal.sent.clear()

    for _ in range(3):
        await _listed(cold, "?list-type=2")
    cold.clock.advance(31)
    await _listed(cold, "?list-type=2")

    asked = [str(sent) for sent in world.journal.sent if sent.bucket != "new-bucket"]
    assert asked == ["GET /sseproxy-state/buckets/new-bucket/state"] * 2


@pytest.mark.parametrize("query", LISTINGS)
@pytest.mark.parametrize("state", [MIXED, SEALED, OPAQUE, GREW], ids=str)
async def test_listings_say_what_head_says_whatever_the_state_and_whoever_wrote(
    world: World, state: BucketState, query: str
) -> None:
    """Half of the objects have an MD5 in their footer, half have not: by the setting of the process that wrote them."""
    assert await _past(world, "PUT", "/new-bucket") == 200
    await world.do("PUT", "/new-bucket/md5", b"x" * 100)
    await _opaque(world).do("PUT", "/new-bucket/opaque", b"x" * 200)
    await world.services.bucket_states.put("new-bucket", state)
    await world.do("PUT", "/new-bucket/later", b"x" * 300)

    shown = {key: await _shown(world, key) for key in ("later", "md5", "opaque")}

    assert await _listed(world, query) == shown
    assert await _listed(world.other_process(), query) == shown
    assert [size for size, _ in shown.values()] == [300, 100, 200]
    assert shown["md5"][1].endswith('-0"') == state.opaque_etags
    assert shown["later"][1].endswith('-0"') == state.opaque_etags


async def test_a_bucket_with_opaque_etags_keeps_them_when_the_setting_changes(world: World) -> None:
    await _opaque(world).do("PUT", "/new-bucket")

    put = await _with_etags(world, EtagMode.MD5).do("PUT", "/new-bucket/k", b"x")
    await world.services.bucket_states.put("new-bucket", MIXED)

    assert put["ETag"].endswith('-0"')
    assert (await world.do("HEAD", "/new-bucket/k"))["ETag"] == put["ETag"]


async def test_an_upload_that_was_begun_for_an_md5_gets_the_etag_that_the_bucket_shows_when_it_is_completed(
    world: World,
) -> None:
    assert await _past(world, "PUT", "/new-bucket") == 200
    completing = world.other_process()
    await completing.services.bucket_states.put("new-bucket", OPAQUE)

    etag = await _uploaded(world, "k", completing)

    world.clock.advance(31)
    assert await _shown(world, "k") == (5 * 1024 * 1024 + 100, etag)
    assert (await _listed(world, ""))["k"][1] == etag


async def test_what_a_writer_with_a_stale_state_left_is_shown_alike_by_all_who_know_the_state(world: World) -> None:
    assert await _past(world, "PUT", "/new-bucket") == 200
    stale = world.other_process()
    await stale.services.bucket_states.get("new-bucket")
    await world.services.bucket_states.put("new-bucket", OPAQUE)

    await stale.do("PUT", "/new-bucket/k", b"x")
    here = await _shown(world, "k")
    stale.clock.advance(31)

    assert await _listed(world, "") == await _listed(stale, "") == {"k": here}
    assert await _shown(stale, "k") == here
    assert here[1].endswith('-0"')


async def test_a_condition_names_the_etag_that_the_bucket_shows(s3: World) -> None:
    assert await _past(s3, "PUT", "/new-bucket") == 200
    md5 = (await s3.do("PUT", "/new-bucket/k", b"x"))["ETag"]
    await s3.services.bucket_states.put("new-bucket", OPAQUE)
    shown = (await s3.do("HEAD", "/new-bucket/k"))["ETag"]

    assert (await s3.do("GET", "/new-bucket/k", headers={"If-None-Match": md5})).status == 200
    assert (await s3.do("GET", "/new-bucket/k", headers={"If-None-Match": shown})).status == 304
    assert (await s3.do("PUT", "/new-bucket/k", b"y", headers={"If-Match": shown})).status == 200


async def test_an_appended_object_is_looked_up_where_listings_name_types_and_makes_the_others_careful(
    oss: World,
) -> None:
    await _opaque(oss).do("PUT", "/new-bucket")
    await oss.do("PUT", "/new-bucket/k", b"x" * 50)
    for position in (0, 70_000):
        await oss.do("POST", f"/new-bucket/grown?append&position={position}", bytes(70_000))

    listed = await _listed(oss.other_process(), "")

    assert await _state(oss) == GREW
    assert listed == {key: await _shown(oss, key) for key in ("grown", "k")}
    assert listed["grown"][0] == 140_000


async def test_a_process_that_knows_an_older_state_records_that_an_object_grows(oss: World) -> None:
    stale = oss.other_process()
    await stale.services.bucket_states.get("new-bucket")
    await _opaque(oss).do("PUT", "/new-bucket")

    await stale.do("POST", "/new-bucket/grown?append&position=0", b"x")

    assert await _state(oss) == GREW


# ---- without the record ----


async def test_without_the_state_bucket_sealed_objects_stay_readable_and_plain_ones_wait_for_it(world: World) -> None:
    await world.put("sealed", b"sealed")
    await world.seed("plain", b"plain")
    cold = world.other_process()

    async def gone(sent: Sent) -> None:
        if sent.bucket == "sseproxy-state":
            raise UpstreamUnavailable

    world.journal.before = gone
    shown = await _shown(cold, "sealed", "bucket")
    listed = await _listed(cold, "", "bucket")
    with pytest.raises(UpstreamUnavailable):
        await cold.get("plain")
    world.journal.before = None

    assert listed["sealed"] == shown
    assert (await cold.get("plain")).body == b"plain"
    assert world.observer.events.count("bucket_state_unreadable") == 1


async def test_a_damaged_record_hides_plain_objects_until_it_is_set_anew(world: World) -> None:
    await world.put("sealed", b"sealed")
    await world.seed("plain", b"plain")
    await world.services.state.put("buckets/bucket/state", b"nonsense", purpose="bucket-state", bucket="bucket")
    cold = world.other_process()

    assert (await _listed(cold, "", "bucket"))["sealed"] == await _shown(cold, "sealed", "bucket")
    with pytest.raises(StateRejected, match="sseproxy buckets mark"):
        await cold.get("plain")
    await cold.services.bucket_states.put("bucket", MIXED)

    assert (await cold.get("plain")).body == b"plain"


async def test_an_unsealed_object_whose_size_a_sealed_one_could_have_is_never_served(world: World) -> None:
    await _opaque(world).do("PUT", "/new-bucket")
    assert await _past(world, "PUT", "/new-bucket/plain", bytes(stored_size(100))) == 200

    assert (await _listed(world, ""))["plain"][0] == 100
    with pytest.raises(EnvelopeRejected):
        await world.do("HEAD", "/new-bucket/plain")
