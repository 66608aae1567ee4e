"""The client against storages that behave badly."""

import asyncio

import pytest
from multidict import CIMultiDict

from sseproxy.errors import DigestMismatch, UpstreamError, UpstreamUnavailable
from sseproxy.exchange import Body, body_of
from sseproxy.ports import UpstreamRequest
from tests.upstream.peers import Connection, Counter, client_of, running_peer

_KIB = 1024


def _get(key: str = "k", query: str = "", **headers: str) -> UpstreamRequest:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return UpstreamRequest(method="GET", bucket="b", raw_key=key, raw_query=query, headers=named)


def _put(body: bytes | Body, length: int | None = None) -> UpstreamRequest:
    return UpstreamRequest(method="PUT", bucket="b", raw_key="k", body=body, content_length=length)


class Tracked:
    """A body that tells whether it was closed, and that can fail."""

    def __init__(self, *pieces: bytes, failure: Exception | None = None, endless: bool = False) -> None:
        self._pieces = pieces
        self._failure = failure
        self._endless = endless
        self.pulled = 0
        self.ended = asyncio.Event()

    async def body(self) -> Body:
        try:
            for piece in self._pieces:
                self.pulled += 1
                yield piece
            while self._endless:
                self.pulled += 1
                yield bytes(64 * _KIB)
                await asyncio.sleep(0)
            if self._failure is not None:
                raise self._failure
        finally:
            self.ended.set()


async def _answer_ok(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.answer(200, b"ok")


# ---- what goes out ----


@pytest.mark.parametrize(
    "key",
    ["a//b", "a/../b", "a%2Fb", "a+b", "%20x", "caf%C3%A9", "a/./b/", "//", "..", "%FF", "a~b", "a:b@c", "%2E%2e"],
)
async def test_a_key_goes_over_the_wire_byte_for_byte(key: str) -> None:
    targets = []

    async def note(connection: Connection) -> None:
        targets.append((await connection.head()).target)
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(_get(key, "x=%2F+&y")):
        pass

    assert targets == [f"/b/{key}?x=%2F+&y"]


async def test_nothing_is_added_that_was_not_asked_for() -> None:
    heads = []

    async def note(connection: Connection) -> None:
        heads.append((await connection.head()).headers)
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(_get()):
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
    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(_put(body, 9)) as answer:
        assert answer.status == 200

    assert bodies == [("9", False, b"abcdefghi")]


async def test_a_stream_of_unknown_length_goes_out_chunked() -> None:
    bodies = []

    async def note(connection: Connection) -> None:
        heard = await connection.head()
        bodies.append((heard.headers["transfer-encoding"], await connection.reader.readuntil(b"0\r\n\r\n")))
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(_put(body_of(b"abc"))):
        pass

    assert bodies == [("chunked", b"3\r\nabc\r\n0\r\n\r\n")]


async def test_more_than_a_mebibyte_may_be_held() -> None:
    held = bytes(1024 * _KIB + 70_000)
    bodies = []

    async def note(connection: Connection) -> None:
        bodies.append((await connection.request())[1])
        await connection.answer()

    async with running_peer(note) as peer, client_of(peer.url) as client, client.send(_put(held, len(held))):
        pass

    assert bodies == [held]


# ---- what comes back ----


async def test_an_answer_is_not_decompressed_and_its_redirect_not_followed() -> None:
    async def redirect(connection: Connection) -> None:
        await connection.head()
        await connection.answer(307, b"\x1f\x8bnot gzip", Location="http://127.0.0.1:1/", Content_Encoding="gzip")

    async with running_peer(redirect) as peer, client_of(peer.url) as client, client.send(_get()) as answer:
        assert (answer.status, await answer.read()) == (307, b"\x1f\x8bnot gzip")


@pytest.mark.parametrize(("raw", "text"), [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café")], ids=["utf-8", "latin-1"])
async def test_headers_come_back_as_text_that_can_be_sent_on(raw: bytes, text: str) -> None:
    async def say(connection: Connection) -> None:
        await connection.head()
        await connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-amz-meta-a: " + raw + b"\r\n\r\n")

    async with running_peer(say) as peer, client_of(peer.url) as client, client.send(_get()) as answer:
        assert answer.headers["x-amz-meta-a"] == text


async def test_an_answer_longer_than_wanted_is_not_collected() -> None:
    async def long(connection: Connection) -> None:
        await connection.head()
        await connection.answer(200, bytes(100))

    async with running_peer(long) as peer, client_of(peer.url) as client, client.send(_get()) as answer:
        with pytest.raises(UpstreamUnavailable):
            await answer.read(99)


async def test_a_body_that_breaks_off_is_no_body() -> None:
    async def half(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async with running_peer(half) as peer, client_of(peer.url) as client, client.send(_get()) as answer:
        with pytest.raises(UpstreamUnavailable):
            await answer.read()


async def test_a_chunked_body_without_its_last_chunk_is_no_body() -> None:
    async def half(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")

    async with running_peer(half) as peer, client_of(peer.url) as client, client.send(_get()) as answer:
        with pytest.raises(UpstreamUnavailable):
            await answer.read()


async def test_a_storage_that_falls_silent_is_given_up() -> None:
    async def silent(connection: Connection) -> None:
        await connection.head()
        await connection.rest()

    async with running_peer(silent) as peer, client_of(peer.url, read_timeout=0.05) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(_get()):
                pass
    assert peer.connections == 1


async def test_a_storage_that_falls_silent_within_its_answer_is_given_up() -> None:
    async def silent(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await connection.rest()

    async with running_peer(silent) as peer, client_of(peer.url, read_timeout=0.05) as client:
        async with client.send(_get()) as answer:
            with pytest.raises(UpstreamUnavailable):
                await answer.read()


async def test_something_that_is_no_http_is_no_answer() -> None:
    async def babble(connection: Connection) -> None:
        await connection.head()
        await connection.say("SSH-2.0-OpenSSH\r\n\r\n")

    async with running_peer(babble) as peer, client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(_get()):
                pass


# ---- connections ----


async def test_a_connection_is_used_again_once_its_answer_was_read() -> None:
    async with running_peer(_answer_ok) as peer, client_of(peer.url) as client:
        for _ in range(3):
            async with client.send(_get()) as answer:
                await answer.read()
        async with client.send(_put(body_of(b"abc"), 3)) as answer:
            await answer.read()
        async with client.send(_put(b"abc")) as answer:
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
        async with client.send(_get()):
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
            async with client.send(_get()):
                raise KeyError
        async with asyncio.timeout(5):
            await closed.wait()


# ---- bodies that fail ----


async def test_what_a_body_raises_is_raised_unchanged_and_the_storage_gets_no_whole_body() -> None:
    received = []

    async def collect(connection: Connection) -> None:
        heard = await connection.head()
        received.append((heard.headers["content-length"], await connection.rest()))

    failure = DigestMismatch("so be it")
    tracked = Tracked(b"abc", b"def", failure=failure)
    async with running_peer(collect) as peer:
        async with client_of(peer.url) as client:
            with pytest.raises(DigestMismatch) as raised:
                async with client.send(_put(tracked.body(), 9)):
                    pass
        assert tracked.ended.is_set()

    assert raised.value is failure
    assert received == [("9", b"abcdef")]


async def test_what_a_chunked_body_raises_leaves_it_without_its_last_chunk() -> None:
    received = []

    async def collect(connection: Connection) -> None:
        await connection.head()
        received.append(await connection.rest())

    tracked = Tracked(b"abc", failure=DigestMismatch())
    async with running_peer(collect) as peer:
        async with client_of(peer.url) as client:
            with pytest.raises(DigestMismatch):
                async with client.send(_put(tracked.body())):
                    pass

    assert received == [b"3\r\nabc\r\n"]


@pytest.mark.parametrize("pieces", [(b"abc",), (b"abc", b"defghijk")], ids=["shorter", "longer"])
async def test_a_body_of_another_length_than_announced_is_never_completed(pieces: tuple[bytes, ...]) -> None:
    received = []

    async def collect(connection: Connection) -> None:
        await connection.head()
        received.append(await connection.rest())

    tracked = Tracked(*pieces)
    async with running_peer(collect) as peer:
        async with client_of(peer.url) as client:
            with pytest.raises(UpstreamError):
                async with client.send(_put(tracked.body(), 9)):
                    pass

    assert tracked.ended.is_set()
    assert received == [b"abc"]


async def test_a_body_is_closed_when_there_is_no_connection() -> None:
    async with running_peer(_answer_ok) as peer:
        pass
    started = asyncio.Event()

    async def body() -> Body:
        started.set()
        yield b"abc"

    unread = body()
    async with client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(_put(unread, 3)):
                pass

    assert not started.is_set()
    assert [data async for data in unread] == []


async def test_a_body_is_closed_when_the_caller_goes_away() -> None:
    tracked = Tracked(endless=True)
    arrived = asyncio.Event()

    async def swallow(connection: Connection) -> None:
        await connection.head()
        arrived.set()
        await connection.rest()

    async def upload() -> None:
        async with client_of(peer.url) as client, client.send(_put(tracked.body(), 1 << 40)):
            pass

    async with running_peer(swallow) as peer:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(upload())
            await arrived.wait()
            task.cancel()
        assert tracked.ended.is_set()


async def test_a_storage_that_stops_reading_is_given_up_and_the_body_closed() -> None:
    tracked = Tracked(endless=True)
    over = asyncio.Event()

    async def deaf(connection: Connection) -> None:
        await connection.head()
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads too
        await over.wait()

    async with running_peer(deaf) as peer, client_of(peer.url, read_timeout=0.2) as client:
        with pytest.raises(UpstreamUnavailable, match="stopped reading"):
            async with client.send(_put(tracked.body(), 1 << 40)):
                pass
        over.set()

    assert tracked.ended.is_set()


async def test_bytes_are_pulled_no_faster_than_the_storage_takes_them() -> None:
    tracked = Tracked(endless=True)
    over = asyncio.Event()

    async def deaf(connection: Connection) -> None:
        await connection.head()
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads too
        await over.wait()

    async with running_peer(deaf) as peer, client_of(peer.url, read_timeout=0.2) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(_put(tracked.body(), 1 << 40)):
                pass
        over.set()

    assert tracked.pulled * 64 * _KIB < 16 * 1024 * _KIB  # what the kernel's buffers hold


# ---- early answers ----


@pytest.mark.parametrize("closes", [False, True], ids=["stays open", "closes"])
async def test_an_answer_before_the_body_has_ended_is_returned(*, closes: bool) -> None:
    async def refuse(connection: Connection) -> None:
        await connection.head()
        await connection.answer(403, b"<Error/>")
        if not closes:
            await connection.rest()

    tracked = Tracked(b"abc", endless=True)
    async with running_peer(refuse) as peer, client_of(peer.url) as client:
        async with client.send(_put(tracked.body(), 1 << 40)) as answer:
            assert (answer.status, await answer.read()) == (403, b"<Error/>")

    assert tracked.ended.is_set()


async def test_a_connection_whose_request_was_not_finished_is_not_used_again() -> None:
    async def refuse(connection: Connection) -> None:
        await connection.head()
        await connection.answer(403, b"<Error/>")
        await connection.rest()

    tracked = Tracked(b"abc", endless=True)
    async with running_peer(refuse, _answer_ok) as peer, client_of(peer.url) as client:
        async with client.send(_put(tracked.body(), 1 << 40)) as answer:
            await answer.read()
        async with client.send(_get()) as answer:
            assert await answer.read() == b"ok"

    assert peer.connections == 2


# ---- repeating ----


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
    async with running_peer(_drop, _answer_ok) as peer, client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(request):
                pass

    assert peer.connections == 1


async def test_a_stream_is_not_repeated() -> None:
    tracked = Tracked(b"abc")
    async with running_peer(_drop, _answer_ok) as peer, client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(_put(tracked.body(), 3)):
                pass

    assert peer.connections == 1
    assert tracked.ended.is_set()


async def test_a_connection_that_was_dropped_between_two_requests_does_not_fail_the_second() -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.answer(200, b"ok")

    async with running_peer(once) as peer, client_of(peer.url) as client:
        for _ in range(5):
            async with client.send(_get()) as answer:
                assert await answer.read() == b"ok"


async def test_a_storage_that_is_not_there_is_tried_three_times_with_pauses() -> None:
    pauses: list[float] = []
    counter = Counter()
    async with running_peer(_answer_ok) as peer:
        pass
    request = UpstreamRequest(method="POST", bucket="b", raw_key="k", raw_query="uploads")
    async with client_of(peer.url, pauses=pauses, observer=counter) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(request):
                pass

    assert len(pauses) == 2
    assert counter.counts == [("upstream_requests_total", {"method": "POST", "status": "none"})] * 3


async def test_every_request_is_counted_under_its_method_and_status() -> None:
    counter = Counter()

    async def missing(connection: Connection) -> None:
        await connection.request()
        await connection.answer(404)

    async with running_peer(missing) as peer, client_of(peer.url, observer=counter) as client:
        async with client.send(_get()):
            pass

    assert counter.counts == [("upstream_requests_total", {"method": "GET", "status": "404"})]
    assert counter.observed == ["upstream_seconds"]
