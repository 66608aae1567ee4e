"""Bodies towards a storage: those that fail, those that nobody takes, those that are answered early."""

import asyncio

import pytest

from sseproxy.errors import DigestMismatch, UpstreamError, UpstreamUnavailable
from sseproxy.exchange import Body
from tests.upstream.peers import Connection, Tracked, answer_ok, client_of, get_request, put_request, running_peer

_KIB = 1024


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
                async with client.send(put_request(tracked.body(), 9)):
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
                async with client.send(put_request(tracked.body())):
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
                async with client.send(put_request(tracked.body(), 9)):
                    pass

    assert tracked.ended.is_set()
    assert received == [b"abc"]


async def test_a_body_is_closed_when_there_is_no_connection() -> None:
    async with running_peer(answer_ok) as peer:
        pass
    started = asyncio.Event()

    async def body() -> Body:
        started.set()
        yield b"abc"

    unread = body()
    async with client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(put_request(unread, 3)):
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
        async with client_of(peer.url) as client, client.send(put_request(tracked.body(), 1 << 40)):
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
            async with client.send(put_request(tracked.body(), 1 << 40)):
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
            async with client.send(put_request(tracked.body(), 1 << 40)):
                pass
        over.set()

    assert tracked.pulled * 64 * _KIB < 16 * 1024 * _KIB  # what the kernel's buffers hold


@pytest.mark.parametrize("closes", [False, True], ids=["stays open", "closes"])
async def test_an_answer_before_the_body_has_ended_is_returned(*, closes: bool) -> None:
    async def refuse(connection: Connection) -> None:
        await connection.head()
        await connection.answer(403, b"<Error/>")
        if not closes:
            await connection.rest()

    tracked = Tracked(b"abc", endless=True)
    async with running_peer(refuse) as peer, client_of(peer.url) as client:
        async with client.send(put_request(tracked.body(), 1 << 40)) as answer:
            assert (answer.status, await answer.read()) == (403, b"<Error/>")

    assert tracked.ended.is_set()


async def test_a_connection_whose_request_was_not_finished_is_not_used_again() -> None:
    async def refuse(connection: Connection) -> None:
        await connection.head()
        await connection.answer(403, b"<Error/>")
        await connection.rest()

    tracked = Tracked(b"abc", endless=True)
    async with running_peer(refuse, answer_ok) as peer, client_of(peer.url) as client:
        async with client.send(put_request(tracked.body(), 1 << 40)) as answer:
            await answer.read()
        async with client.send(get_request()) as answer:
            assert await answer.read() == b"ok"

    assert peer.connections == 2
