"""AppendObject between two requests to the storage: answers that got lost, others who were quicker, other objects."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sseproxy.errors import EntityTooLarge, InvalidArgument, ObjectNotAppendable, PositionNotEqualToLength
from sseproxy.ports import Upstream, UpstreamRequest, UpstreamResponse
from tests.operations.world import Answer, World

_NEXT = "x-oss-next-append-position"


class Meddling:
    """An Upstream in which something happens before the first append of each kind arrives."""

    def __init__(self, behind: Upstream, before: Callable[[UpstreamRequest], Awaitable[None]]) -> None:
        self._behind = behind
        self._before = before
        self._is_done = False

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if "append" in request.raw_query and not self._is_done:
            self._is_done = True
            await self._before(request)
        async with self._behind.send(request) as response:
            yield response


def _meddled(oss: World, before: Callable[[UpstreamRequest], Awaitable[None]]) -> World:
    return replace(oss, services=replace(oss.services, upstream=Meddling(oss.journal, before)))


async def _append(world: World, position: int, body: bytes) -> Answer:
    return await world.do("POST", f"/bucket/log?append&position={position}", body)


@pytest.mark.parametrize("position", [0, 3])
async def test_an_append_whose_answer_got_lost_is_in_the_object_once(oss: World, position: int) -> None:
    if position:
        await _append(oss, 0, b"abc")

    async def arrive(request: UpstreamRequest) -> None:
        async with oss.journal.send(request) as response:
            assert response.status == 200

    answer = await _append(_meddled(oss, arrive), position, b"defg")

    expected = (b"abc" if position else b"") + b"defg"
    got = await oss.get("log")
    assert (answer.status, answer[_NEXT], got.body) == (200, str(len(expected)), expected)
    assert (answer["ETag"], answer["x-oss-hash-crc64ecma"]) == (got["ETag"], got["x-oss-hash-crc64ecma"])


@pytest.mark.parametrize("position", [0, 3])
async def test_who_comes_second_is_told_the_length(oss: World, position: int) -> None:
    if position:
        await _append(oss, 0, b"abc")

    async def be_quicker(_: UpstreamRequest) -> None:
        await _append(oss, position, b"quick")

    with pytest.raises(PositionNotEqualToLength) as refused:
        await _append(_meddled(oss, be_quicker), position, b"late")

    assert refused.value.headers == {_NEXT: str(position + 5)}
    assert (await oss.get("log")).body == (b"abc" if position else b"") + b"quick"


async def test_an_object_that_was_deleted_meanwhile_has_no_length(oss: World) -> None:
    await _append(oss, 0, b"abc")

    async def delete(_: UpstreamRequest) -> None:
        await oss.do("DELETE", "/bucket/log")

    with pytest.raises(PositionNotEqualToLength) as refused:
        await _append(_meddled(oss, delete), 3, b"late")

    assert refused.value.headers == {_NEXT: "0"}
    assert not await oss.has("log")


async def test_an_object_that_was_replaced_meanwhile_cannot_be_appended_to(oss: World) -> None:
    await _append(oss, 0, b"abc")

    async def put(_: UpstreamRequest) -> None:
        await oss.put("log", b"in one piece")

    with pytest.raises(Exception, match="The object is not appendable") as refused:
        await _append(_meddled(oss, put), 3, b"late")

    assert oss.dialect.error_code(refused.value).code == "ObjectNotAppendable"  # type: ignore[arg-type]
    assert (await oss.get("log")).body == b"in one piece"


async def test_an_object_that_was_appended_to_past_the_proxy_is_not_sealed_and_stays_so(oss: World) -> None:
    request = UpstreamRequest(method="POST", bucket="bucket", raw_key="log", raw_query="append&position=0", body=b"abc")
    async with oss.storage.send(request) as response:
        assert response.status == 200

    with pytest.raises(ObjectNotAppendable, match="its bytes are not sealed"):
        await _append(oss, 3, b"def")
    got = await oss.get("log")
    assert (got.body, got["x-oss-object-type"]) == (b"abc", "Appendable")


async def test_an_append_beyond_what_the_storage_takes_is_refused(oss: World) -> None:
    await _append(oss, 0, b"abc")
    taken = len(await oss.stored("log"))
    limits = replace(oss.dialect.limits, largest_stored_object=2 * taken)
    small = replace(oss, services=replace(oss.services, dialect=replace(oss.dialect, limits=limits)))

    with pytest.raises(EntityTooLarge) as refused:
        await _append(small, 3, bytes(taken))

    assert refused.value.details["ProposedSize"] == str(3 + taken)
    assert (await oss.get("log")).body == b"abc"


@pytest.mark.parametrize("position", ["", "-1", "1e3", "9" * 30, "9" * 5000])
async def test_a_position_that_is_no_number_is_refused_before_anything_is_asked(oss: World, position: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await oss.do("POST", f"/bucket/log?append&position={position}", b"x")

    assert refused.value.details == {"ArgumentName": "position", "ArgumentValue": position}
    assert oss.journal.sent == []


async def test_an_append_costs_two_requests_however_long_the_object_is(oss: World) -> None:
    for position in range(14):
        await _append(oss, position, b"x")
    oss.journal.sent.clear()

    await _append(oss, 14, b"x")

    assert [(one.method, one.raw_query) for one in oss.journal.sent] == [
        ("GET", ""),
        ("POST", f"append&position={oss.journal.sent[1].raw_query.rpartition('=')[2]}"),
    ]
