"""Listings through the front door of the operations."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from sseproxy.errors import AccessRefused
from sseproxy.format import stored_size
from sseproxy.operations.dispatch import handle
from sseproxy.operations.known_entries import KnownEntries
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import CacheUnavailable
from tests.operations.fakes import Sent, make_request
from tests.operations.world import World, read

_ENTRY = re.compile(r"<Contents>.*?</Contents>", re.DOTALL)


async def _listed(world: World, query: str = "?list-type=2") -> dict[str, tuple[int, str]]:
    document = (await world.do("GET", f"/bucket{query}")).body.decode()
    return {
        _text(entry, "Key"): (int(_text(entry, "Size")), _text(entry, "ETag").replace("&quot;", '"'))
        for entry in _ENTRY.findall(document)
    }


def _text(document: str, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", document)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("query", ["", "?list-type=2"])
async def test_sizes_and_etags_are_those_that_clients_know(world: World, query: str) -> None:
    sizes = {"empty": 0, "small": 11, "large": 1024 * 1024 + 1}
    etags = {key: (await world.put(key, b"x" * size))["ETag"] for key, size in sizes.items()}
    await world.seed("old", b"plain")

    listed = await _listed(world, query)

    assert {key: listed[key] for key in sizes} == {key: (size, etags[key]) for key, size in sizes.items()}
    assert listed["old"][0] == 5


async def test_an_unsealed_object_of_a_sealed_size_is_shown_as_it_is(world: World) -> None:
    await world.seed("old", bytes(stored_size(100)))

    assert (await _listed(world))["old"][0] == stored_size(100)


async def test_no_listing_fails_for_one_object(world: World) -> None:
    await world.put("good", b"x" * 10)
    await world.put("bad", b"x" * 20)
    await world.seed("bad", await world.stored("bad"), {world.dialect.envelope_header: "AAAA"})

    listed = await _listed(world.other_process())

    assert listed["good"][0] == 10
    assert listed["bad"][0] == 20
    assert listed["bad"][1].endswith('-0"')
    assert "entry_not_opened" in world.observer.events


@pytest.mark.parametrize("query", ["", "?list-type=2", "?versions"])
async def test_an_object_that_was_deleted_since_it_was_listed_is_left_out(world: World, query: str) -> None:
    for key in ("a", "b", "c"):
        await world.put(key, b"x")
    before = (await world.do("GET", f"/bucket{query}")).body.decode()
    world = world.other_process()

    async def delete(sent: Sent) -> None:
        if sent.method == "HEAD":
            world.journal.before = None
            await read(await handle(world.services, make_request("DELETE", "/bucket/b")))

    world.journal.before = delete
    document = (await world.do("GET", f"/bucket{query}")).body.decode()

    assert re.findall("<Key>(.*?)</Key>", document) == ["a", "c"]
    assert re.findall("<KeyCount>(.*?)</KeyCount>", document) == ["2"] * ("KeyCount" in before)


async def test_a_key_that_is_away_costs_the_etag_and_not_the_listing(world: World) -> None:
    await world.put("k", b"x" * 10)

    world.kms.disabled.add(SERVICE_KEY_ALIAS)

    assert (await _listed(world.other_process()))["k"][0] == 10


async def test_many_objects_are_looked_up_a_few_at_a_time_however_many_listings_there_are(world: World) -> None:
    async def pause(_: Sent) -> None:
        await asyncio.sleep(0)

    for number in range(50):
        await world.put(f"k{number:02d}", bytes(number))
    world = world.other_process()
    world.journal.before, world.journal.most_open = pause, 0

    requests = [make_request("GET", "/bucket?list-type=2") for _ in range(5)]
    answers = await asyncio.gather(*(handle(world.services, request) for request in requests))

    documents = {(await read(answer)).body for answer in answers}
    assert len(documents) == 1
    assert re.findall(rb"<Size>(\d+)</Size>", documents.pop()) == [str(number).encode() for number in range(50)]
    assert world.journal.most_open < world.services.limits.lookups + len(requests)  # the last listing is waited for


async def test_the_state_bucket_cannot_be_listed(world: World) -> None:
    for target in ("/sseproxy-state", "/sseproxy-state?list-type=2", "/sseproxy-state/buckets/x"):
        with pytest.raises(AccessRefused):
            await world.do("GET", target)


async def test_the_state_bucket_is_not_among_the_buckets(world: World) -> None:
    document = (await world.do("GET", "/")).body

    assert b"<Name>bucket</Name>" in document
    assert b"sseproxy-state" not in document


def _looks(world: World) -> int:
    return sum(sent.method == "HEAD" or bool(sent.raw_key) for sent in world.journal.sent if sent.bucket == "bucket")


async def test_what_was_written_here_or_listed_before_is_not_looked_up(world: World) -> None:
    sizes = {f"k{number}": 100 + number for number in range(5)}
    for key, size in sizes.items():
        await world.put(key, bytes(size))
    other = world.other_process()
    world.journal.sent.clear()

    here = await _listed(world)
    looks_here = _looks(world)
    there = await _listed(other)
    looks_there = _looks(world)
    again = await _listed(other)

    assert here == there == again
    assert {key: size for key, (size, _) in here.items()} == sizes
    assert (looks_here, looks_there, _looks(world)) == (0, 5, 5)


async def test_an_overwritten_object_is_shown_as_it_is_now(world: World) -> None:
    await world.put("k", bytes(100))
    await _listed(world)
    etag = (await world.other_process().put("k", b"x" * 100))["ETag"]

    assert await _listed(world) == {"k": (100, etag)}


async def test_plain_objects_are_remembered_once_they_are_old_until_they_change(world: World) -> None:
    await world.seed("old", bytes(stored_size(100)))
    world.clock.time = datetime.now(UTC)  # the storage's time is the true one
    await _listed(world)
    young = _looks(world)
    world.clock.advance(3600)
    await _listed(world)
    world.journal.sent.clear()

    listed = await _listed(world)

    assert young == 1
    assert listed["old"][0] == stored_size(100)
    assert _looks(world) == 0


async def test_a_cache_that_fails_costs_look_ups_and_nothing_else(world: World) -> None:
    await world.put("k", bytes(100))
    known = await _listed(world)
    cache = FailingCache()
    secret = partial(world.services.state.derive, "x")
    entries = KnownEntries(cache, secret, clock=world.clock, observer=world.observer)
    failing = replace(world, services=replace(world.services, known_entries=entries))

    first, second = await _listed(failing), await _listed(failing)
    put = await failing.put("k2", bytes(5))
    world.clock.advance(6)
    await _listed(failing)

    assert first == second == known
    assert put.status == 200
    assert cache.asked == 2  # a failure is waited out: once at first, once after a while


async def test_a_cache_that_is_away_is_in_no_way_of_a_write(world: World) -> None:
    cache = FailingCache()
    known = KnownEntries(
        cache, partial(world.services.state.derive, "listing-entries"), clock=world.clock, observer=world.observer
    )
    world.services = replace(world.services, known_entries=known)

    assert (await world.put("k", b"x")).status == 200

    assert cache.asked == 1
    assert (await world.get("k")).body == b"x"


class FailingCache:
    """A cache whose server is away."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_many(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        self.asked += 1
        raise CacheUnavailable

    async def put_many(self, entries: Mapping[bytes, bytes]) -> None:
        self.asked += 1
        raise CacheUnavailable
