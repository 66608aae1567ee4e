"""What a bucket's state is, where it comes from, and what follows from it; in both dialects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sseproxy.errors import EnvelopeRejected, SseProxyError, StateRejected, UpstreamUnavailable
from sseproxy.operations.bucket_states import MIXED, SEALED, BucketState
from sseproxy.operations.buckets import create_bucket
from sseproxy.ports import UpstreamRequest, UpstreamResponse
from tests.operations.bucket_walks import GREW, OPAQUE, entries_of, opaque, past, state_of, told_of
from tests.operations.fakes import Sent, make_request
from tests.operations.world import World
from tests.support.memory_upstream import MemoryAnswer

# ---- where a state comes from ----


async def test_a_bucket_that_the_proxy_created_is_sealed_and_one_that_it_found_is_mixed(world: World) -> None:
    await world.do("PUT", "/new-bucket")
    await opaque(world).do("PUT", "/opaque-bucket")

    assert await state_of(world) == SEALED
    assert await state_of(world, "opaque-bucket") == OPAQUE
    assert await state_of(world, "bucket") == MIXED
    assert list(map(str, (MIXED, SEALED, OPAQUE, GREW))) == [
        "mixed",
        "sealed",
        "sealed opaque",
        "sealed opaque appended",
    ]


async def test_a_storage_that_answers_200_for_a_bucket_that_is_there_makes_nothing_sealed(oss: World) -> None:
    assert await past(oss, "PUT", "/found") == 200

    answer = await opaque(oss).do("PUT", "/found")

    assert (answer.status, await state_of(oss, "found")) == (200, MIXED)


async def test_a_second_creation_leaves_the_state_as_it_is(oss: World) -> None:
    await oss.do("PUT", "/new-bucket")
    await opaque(oss).do("PUT", "/new-bucket")

    assert await state_of(oss) == SEALED


async def test_a_bucket_that_is_not_created_gets_no_state(s3: World) -> None:
    assert await past(s3, "PUT", "/found") == 200

    with pytest.raises(SseProxyError):
        await s3.do("PUT", "/found")

    assert await state_of(s3, "found") == MIXED


async def test_a_bucket_that_somebody_filled_at_once_is_mixed(world: World) -> None:
    async def fill(sent: Sent) -> None:
        if sent.raw_query == "max-keys=1":
            assert await past(world, "PUT", "/new-bucket/k") == 200

    world.journal.before = fill
    await world.do("PUT", "/new-bucket")
    world.journal.before = None

    assert await state_of(world) == MIXED
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

    assert await state_of(world) == state
    assert answers.asked == 1


async def test_a_deleted_bucket_leaves_no_state_to_the_next_one_of_its_name(world: World) -> None:
    await world.do("PUT", "/new-bucket")
    await world.do("DELETE", "/new-bucket")
    gone = await state_of(world)
    assert await past(world, "PUT", "/new-bucket") == 200

    assert (gone, await state_of(world)) == (MIXED, MIXED)


async def test_a_state_left_by_a_bucket_deleted_past_the_proxy_is_replaced_when_the_proxy_creates_one(
    world: World,
) -> None:
    await opaque(world).do("PUT", "/new-bucket")
    assert await past(world, "DELETE", "/new-bucket") == 204
    await world.do("PUT", "/new-bucket")

    assert await state_of(world) == SEALED


async def test_a_bucket_deleted_and_created_past_the_proxy_serves_nothing_plain_until_it_is_marked(
    world: World,
) -> None:
    await opaque(world).do("PUT", "/new-bucket")
    assert await past(world, "DELETE", "/new-bucket") == 204
    assert await past(world, "PUT", "/new-bucket") == 200
    assert await past(world, "PUT", "/new-bucket/plain") == 200

    with pytest.raises(EnvelopeRejected):
        await world.do("GET", "/new-bucket/plain")
    await world.services.bucket_states.put("new-bucket", MIXED)

    assert (await world.do("GET", "/new-bucket/plain")).body == b"plain"


# ---- records ----


@pytest.mark.parametrize("state", [MIXED, SEALED, OPAQUE, GREW, replace(SEALED, appended=True)], ids=str)
async def test_a_state_is_kept_whole(world: World, state: BucketState) -> None:
    await world.services.bucket_states.put("bucket", state)

    assert await state_of(world.other_process(), "bucket") == state


async def test_records_of_the_first_release_mean_what_they_meant(world: World) -> None:
    store = world.services.state
    for word, state in (("mixed", MIXED), ("sealed", SEALED)):
        await store.put("buckets/bucket/state", word.encode(), purpose="bucket-state", bucket="bucket")
        assert await state_of(world, "bucket") == state


@pytest.mark.parametrize("payload", [b"", b"opaque", b"mixed opaque", b"sealed appended opaque", b"sealed\n", b"\xff"])
async def test_a_record_that_says_something_else_is_refused(world: World, payload: bytes) -> None:
    await world.services.state.put("buckets/bucket/state", payload, purpose="bucket-state", bucket="bucket")

    with pytest.raises(StateRejected):
        await state_of(world, "bucket")


async def test_a_record_of_another_bucket_is_refused(world: World) -> None:
    await world.services.state.put("buckets/bucket/state", b"mixed", purpose="bucket-state", bucket="another")

    with pytest.raises(StateRejected):
        await state_of(world, "bucket")


async def test_another_process_sees_a_state_after_its_lifetime(world: World) -> None:
    other = world.other_process()
    assert await other.services.bucket_states.get("bucket") == MIXED
    await world.services.bucket_states.put("bucket", SEALED)

    early = await other.services.bucket_states.get("bucket")
    other.clock.advance(31)

    assert (early, await other.services.bucket_states.get("bucket")) == (MIXED, SEALED)


# ---- without the record ----


async def test_without_the_state_bucket_sealed_objects_stay_readable_and_plain_ones_wait_for_it(world: World) -> None:
    await world.put("sealed", b"sealed")
    await world.seed("plain", b"plain")
    cold = world.other_process()

    async def gone(sent: Sent) -> None:
        if sent.bucket == "sseproxy-state":
            raise UpstreamUnavailable

    world.journal.before = gone
    shown = await told_of(cold, "sealed", "bucket")
    listed = await entries_of(cold, "", "bucket")
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

    assert (await entries_of(cold, "", "bucket"))["sealed"] == await told_of(cold, "sealed", "bucket")
    with pytest.raises(StateRejected, match="sseproxy buckets mark"):
        await cold.get("plain")
    await cold.services.bucket_states.put("bucket", MIXED)

    assert (await cold.get("plain")).body == b"plain"
