"""The data port as an HTTP server: what it refuses to parse, and how it ends."""

import asyncio

import pytest

from tests.server.gateway_world import data_port, ok


@pytest.mark.parametrize(
    "lines",
    [
        "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n",
        "PUT /b/k HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n folded\r\n\r\n",
        "GET /b/k HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        "GET /b/k\x00 HTTP/1.1\r\nHost: h\r\n\r\n",
        "nonsense\r\n\r\n",
        f"GET /b/k HTTP/1.1\r\nHost: h\r\nAuthorization: {'s' * 40000}\r\n\r\n",
        f"GET /b/{'k' * 40000} HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
    ids=["te", "te+cl", "cl cl", "cl sign", "fold", "hosts", "nul", "nonsense", "long header", "long line"],
)
async def test_what_could_be_read_in_two_ways_is_refused_and_its_connection_closed(
    lines: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with data_port(clients={"trust_unsigned": True}) as port, port.connect() as wire:
        await wire.say(lines)
        answer = await wire.answer()
        rest = await wire.rest()

    assert (answer.status, answer.code, rest) == (400, "BadRequest", b"")
    assert answer["server"] == "AmazonS3"
    assert len(answer["x-amz-request-id"]) == 24
    assert port.requests == []
    assert caplog.records == []


@pytest.mark.parametrize("target", ["http://evil.test/b/k", "/b/k#f"])
async def test_a_target_that_is_not_ours_is_refused(target: str) -> None:
    async with data_port() as port:
        answer = await port.ask(port.plain("GET", target))

    assert (answer.status, answer.code) == (400, "InvalidURI")


async def test_long_headers_within_the_limit_pass() -> None:
    async with data_port(ok) as port:
        answer = await port.ask(port.signed("GET", "/b/k?prefix=" + "p" * 20000, {"x-amz-meta-a": "v" * 20000}))

    assert answer.status == 200


async def test_draining_lets_an_upload_end_and_closes_idle_connections() -> None:
    async with data_port() as port, port.connect() as idle, port.connect() as busy:
        await idle.say(port.signed("GET", "/b/k"))
        await idle.answer()
        await busy.say(port.signed("PUT", "/b/k", {"Content-Length": "6"}) + "abc")
        while len(port.requests) < 2:
            await asyncio.sleep(0)

        port.server.pre_shutdown()
        assert await idle.rest() == b""
        async with asyncio.TaskGroup() as group:
            ended = group.create_task(port.server.shutdown(5))
            await asyncio.sleep(0)
            assert not ended.done()
            await busy.say("def")
            answer = await busy.answer()

    assert (answer.status, answer.body, answer["connection"]) == (200, b"abcdef", "close")


async def test_draining_does_not_wait_for_ever() -> None:
    async with data_port() as port, port.connect() as wire:
        await wire.say(port.signed("PUT", "/b/k", {"Content-Length": "6"}) + "abc")
        while not port.requests:
            await asyncio.sleep(0)
        port.server.pre_shutdown()

        async with asyncio.timeout(10):
            await port.server.shutdown(0.05)
            await wire.rest()


async def test_a_connection_that_is_new_when_draining_begins_brings_its_first_request() -> None:
    async with data_port() as port, port.connect() as wire:
        while not port.server.connections:
            await asyncio.sleep(0)

        port.server.pre_shutdown()
        async with asyncio.TaskGroup() as group:
            group.create_task(port.server.shutdown(5))
            await wire.say(port.signed("PUT", "/b/k", {"Content-Length": "3"}) + "abc")
            answer = await wire.answer()

    assert (answer.status, answer.body, answer["connection"]) == (200, b"abc", "close")


async def test_a_connection_that_brings_no_request_does_not_hold_up_the_end() -> None:
    async with data_port() as port, port.connect() as wire:
        while not port.server.connections:
            await asyncio.sleep(0)
        port.server.pre_shutdown()

        await port.server.shutdown(0.05)

        assert await wire.rest() == b""
