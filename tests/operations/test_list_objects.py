"""Listings through the front door of the operations."""

import asyncio
import re

import pytest

from sseproxy.errors import AccessRefused
from sseproxy.format import stored_size
from sseproxy.operations.dispatch import handle
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
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

    listed = await _listed(world)

    assert listed["good"][0] == 10
    assert listed["bad"][0] == 20
    assert listed["bad"][1].endswith('-0"')
    assert "entry_not_opened" in world.observer.events


async def test_a_key_that_is_away_costs_the_etag_and_not_the_listing(world: World) -> None:
    await world.put("k", b"x" * 10)

    world.kms.disabled.add(SERVICE_KEY_ALIAS)

    assert (await _listed(world.other_process()))["k"][0] == 10


async def test_many_objects_are_looked_up_a_few_at_a_time_however_many_listings_there_are(world: World) -> None:
    async def pause(_: Sent) -> None:
        await asyncio.sleep(0)

    for number in range(50):
        await world.put(f"k{number:02d}", bytes(number))
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
