"""How fast one connection may move an object (OSS dossier §3.4)."""

import asyncio

import pytest

from sseproxy.dialect.base import Operation
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import IncompleteBody, InvalidArgument
from sseproxy.exchange import Body, Response, body_of
from sseproxy.operations.traffic_limit import paced, paced_response, traffic_limit
from tests.operations.fakes import make_request
from tests.operations.world import World

_NAME = "x-oss-traffic-limit"


def _limit(target: str, operation: Operation = Operation.GET_OBJECT, **headers: str) -> int | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return traffic_limit(OSS.traffic_limit, make_request("GET", target, headers=named), operation)


def test_a_limit_is_in_bits_and_stands_in_a_header_or_in_the_query() -> None:
    assert _limit("/b/k", x_oss_traffic_limit="819200") == 102_400
    assert _limit(f"/b/k?{_NAME}=838860800") == 104_857_600
    assert _limit(f"/b/k?{_NAME}=819200", x_oss_traffic_limit="1638400") == 102_400
    assert _limit("/b/k") is None


@pytest.mark.parametrize("text", ["819199", "838860801", "", "0", "-819200", "819200.5", "1e6", "٨١٩٢٠٠", "9" * 5000])
def test_a_limit_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _limit("/b/k", x_oss_traffic_limit=text)

    assert refused.value.message == "x-oss-traffic-limit must be a number of bits per second from 819200 to 838860800."
    assert refused.value.details == {"ArgumentName": _NAME, "ArgumentValue": text}


def test_what_moves_no_object_is_not_limited_and_s3_has_no_such_thing() -> None:
    assert _limit("/b/k", Operation.HEAD_OBJECT, x_oss_traffic_limit="1") is None
    assert traffic_limit(S3.traffic_limit, make_request("GET", "/b/k"), Operation.GET_OBJECT) is None


async def _elapsed(body: Body) -> tuple[bytes, float]:
    now = asyncio.get_running_loop().time
    begun = now()
    data = b"".join([bytes(buffer) async for buffer in body])
    return data, now() - begun


async def test_bytes_come_no_faster_than_they_may() -> None:
    data, elapsed = await _elapsed(paced(body_of(b"a" * 400, b"b" * 600, b"c"), 10_000))

    assert data == b"a" * 400 + b"b" * 600 + b"c"
    assert elapsed >= 0.09  # the last buffer comes when the thousand bytes before it have had their time


async def test_a_body_that_fails_fails_behind_the_pace_as_well_and_is_closed() -> None:
    closed = []

    async def body() -> Body:
        try:
            yield b"a"
            raise IncompleteBody
        finally:
            closed.append(True)

    with pytest.raises(IncompleteBody):
        await _elapsed(paced(body(), 10_000))
    assert closed == [True]


async def test_an_answer_that_is_held_whole_goes_out_as_it_is() -> None:
    response = Response(status=200, body=b"short")

    assert paced_response(response, 1) is response


async def test_both_ways_are_limited_and_the_storage_is_told(oss: World) -> None:
    now = asyncio.get_running_loop().time
    pieces, slow = [bytes([number]) * 5120 for number in range(13)], {"own_traffic_limit": "819200"}

    begun = now()
    await oss.do("PUT", "/bucket/k", pieces, slow)
    put = now()
    got = await oss.do("GET", "/bucket/k", headers=slow)
    read = now()

    assert got.body == b"".join(pieces)
    assert put - begun >= 12 * 5120 / 102_400 - 0.01
    assert read - put >= 65_536 / 102_400 - 0.01  # the first frame is verified, and comes at once
    assert {sent.headers.get(_NAME) for sent in oss.journal.sent if (sent.method, sent.raw_key) == ("PUT", "k")} == {
        "819200"
    }
