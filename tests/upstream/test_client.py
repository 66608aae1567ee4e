"""The client: what goes out, which connection is used, what is repeated."""

import asyncio

import pytest

from sseproxy.errors import UpstreamUnavailable
from sseproxy.exchange import body_of
from sseproxy.ports import UpstreamRequest
from tests.upstream.peers import (
    Connection,
    Counter,
    Tracked,
    answer_ok,
    client_of,
    get_request,
    put_request,
    running_peer,
)

_KIB = 1024


@pytest.mark.parametrize(
    "key",
    ["a//b", "a/../b", "a%2Fb", "a+b", "%20x", "caf%C3%A9", "a/./b/", "//", "..", "%FF", "a~b", "a:b@c", "%2E%2e"],
)
async def test_a_key_goes_over_the_wire_byte_for_byte(key: str) -> None:
    targets = []

    async def note(connection: Connection) -> None:
        targets.append((await connection.head()).target)
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(get_request(key, "x=%2F+&y")):
        pass

    assert targets == [f"/b/{key}?x=%2F+&y"]


async def test_nothing_is_added_that_was_not_asked_for() -> None:
    heads = []

    async def note(connection: Connection) -> None:
        heads.append((await connection.head()).headers)
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(get_request()):
        pass

    assert set(heads[0]) == {
        "host",
        "accept-encoding",
        "user-agent",
        "authorization",
        "x-amz-date",
        "x-amz-content-sha256",
    }
    assert heads[0]["accept-encoding"] == "identity"
    assert heads[0]["host"] == f"127.0.0.1:{peer.port}"


async def test_an_upload_without_a_body_announces_that_it_has_none() -> None:
    heads = []

    async def note(connection: Connection) -> None:
        heads.append((await connection.head()).headers)
        await connection.answer()

    request = UpstreamRequest(method="POST", bucket="b", raw_key="k", raw_query="uploads")
    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(request):
        pass

    assert heads[0]["content-length"] == "0"
    assert "transfer-encoding" not in heads[0]
    assert "content-type" not in heads[0]


async def test_a_stream_goes_out_under_its_announced_length() -> None:
    bodies = []

    async def note(connection: Connection) -> None:
        heard, body = await connection.request()
        bodies.append((heard.headers["content-length"], "transfer-encoding" in heard.headers, body))
        await connection.answer()

    body = body_of(b"abc", bytearray(b"def"), memoryview(b"xghix")[1:4])
    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(put_request(body, 9)) as answer:
        assert answer.status == 200

    assert bodies == [("9", False, b"abcdefghi")]


async def test_a_stream_of_unknown_length_goes_out_chunked() -> None:
    bodies = []

    async def note(connection: Connection) -> None:
        heard = await connection.head()
        bodies.append((heard.headers["transfer-encoding"], await connection.reader.readuntil(b"0\r\n\r\n")))
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(put_request(body_of(b"abc"))):
        pass

    assert bodies == [("chunked", b"3\r\nabc\r\n0\r\n\r\n")]


async def test_more_than_a_mebibyte_may_be_held() -> None:
    held = bytes(1024 * _KIB + 70_000)
    bodies = []

    async def note(connection: Connection) -> None:
        bodies.append((await connection.request())[1])
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(put_request(held, len(held))):
        pass

    assert bodies == [held]


async def test_a_connection_is_used_again_once_its_answer_was_read() -> None:
    async with running_peer(answer_ok) as peer, client_of(peer.url) as client:
        for _ in range(3):
            async with client.send(get_request()) as answer:
                await answer.read()
        async with client.send(put_request(body_of(b"abc"), 3)) as answer:
            await answer.read()
        async with client.send(put_request(b"abc")) as answer:
            await answer.read()

    assert peer.connections == 1


async def test_a_connection_with_an_unread_answer_is_closed() -> None:
    closed = asyncio.Event()

    async def much(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome")
        await connection.rest()
        closed.set()

    async with running_peer(much) as peer, client_of(peer.url) as client:
        async with client.send(get_request()):
            pass
        async with asyncio.timeout(5):
            await closed.wait()


async def test_an_exception_of_the_reader_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def much(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome")
        await connection.rest()
        closed.set()

    async with running_peer(much) as peer, client_of(peer.url) as client:
        with pytest.raises(KeyError):
            async with client.send(get_request()):
                raise KeyError
        async with asyncio.timeout(5):
            await closed.wait()


async def _drop(connection: Connection) -> None:
    await connection.request()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT"])
async def test_a_request_that_can_be_repeated_is_repeated_when_its_connection_is_lost(method: str) -> None:
    request = UpstreamRequest(method=method, bucket="b", raw_key="k", body=b"abc" if method == "PUT" else None)

    async def done(connection: Connection) -> None:
        await connection.request()
        await connection.answer(204)

    async with running_peer(_drop, _drop, done) as peer, client_of(peer.url) as client:
        async with client.send(request) as answer:
            assert answer.status == 204


async def test_a_post_is_not_repeated_because_it_may_have_been_done() -> None:
    request = UpstreamRequest(method="POST", bucket="b", raw_key="k", raw_query="uploadId=1", body=b"<Complete/>")
    async with running_peer(_drop, answer_ok) as peer, client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(request):
                pass

    assert peer.connections == 1


async def test_a_stream_is_not_repeated() -> None:
    tracked = Tracked(b"abc")
    async with running_peer(_drop, answer_ok) as peer, client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(put_request(tracked.body(), 3)):
                pass

    assert peer.connections == 1
    assert tracked.ended.is_set()


async def test_a_connection_that_was_dropped_between_two_requests_does_not_fail_the_second() -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.answer(200, b"ok")

    async with running_peer(once) as peer, client_of(peer.url) as client:
        for _ in range(5):
            async with client.send(get_request()) as answer:
                assert await answer.read() == b"ok"


async def test_a_storage_that_is_not_there_is_tried_three_times_with_pauses() -> None:
    pauses: list[float] = []
    counter = Counter()
    async with running_peer(answer_ok) as peer:
        pass
    request = UpstreamRequest(method="POST", bucket="b", raw_key="k", raw_query="uploads")
    async with client_of(peer.url, pauses=pauses, observer=counter) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(request):
                pass

    assert len(pauses) == 2
    assert counter.counts == [("upstream_requests_total", {"method": "POST", "status": "none"})] * 3
    assert counter.events == [("storage_failed", {"method": "POST", "error": "ClientConnectorError"})] * 3


async def test_every_request_is_counted_under_its_method_and_status() -> None:
    counter = Counter()

    async def missing(connection: Connection) -> None:
        await connection.request()
        await connection.answer(404)

    async with running_peer(missing) as peer, client_of(peer.url, observer=counter) as client:
        async with client.send(get_request()):
            pass

    assert counter.counts == [("upstream_requests_total", {"method": "GET", "status": "404"})]
    assert counter.observed == ["upstream_seconds"]
