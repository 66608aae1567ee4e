"""Answers of storages that behave badly."""

import pytest

from sseproxy.errors import UpstreamUnavailable
from tests.upstream.peers import Connection, client_of, get_request, running_peer


async def test_an_answer_is_not_decompressed_and_its_redirect_not_followed() -> None:
    async def redirect(connection: Connection) -> None:
        await connection.head()
        await connection.answer(307, b"\x1f\x8bnot gzip", Location="http://127.0.0.1:1/", Content_Encoding="gzip")

    async with running_peer(redirect) as peer, client_of(peer.url) as client, client.send(get_request()) as answer:
        assert (answer.status, await answer.read()) == (307, b"\x1f\x8bnot gzip")


@pytest.mark.parametrize(("raw", "text"), [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café")], ids=["utf-8", "latin-1"])
async def test_headers_come_back_as_text_that_can_be_sent_on(raw: bytes, text: str) -> None:
    async def say(connection: Connection) -> None:
        await connection.head()
        await connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-amz-meta-a: " + raw + b"\r\n\r\n")

    async with running_peer(say) as peer, client_of(peer.url) as client, client.send(get_request()) as answer:
        assert answer.headers["x-amz-meta-a"] == text


async def test_an_answer_longer_than_wanted_is_not_collected() -> None:
    async def long(connection: Connection) -> None:
        await connection.head()
        await connection.answer(200, bytes(100))

    async with running_peer(long) as peer, client_of(peer.url) as client, client.send(get_request()) as answer:
        with pytest.raises(UpstreamUnavailable):
            await answer.read(99)


async def test_a_body_that_breaks_off_is_no_body() -> None:
    async def half(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async with running_peer(half) as peer, client_of(peer.url) as client, client.send(get_request()) as answer:
        with pytest.raises(UpstreamUnavailable):
            await answer.read()


async def test_a_chunked_body_without_its_last_chunk_is_no_body() -> None:
    async def half(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")

    async with running_peer(half) as peer, client_of(peer.url) as client, client.send(get_request()) as answer:
        with pytest.raises(UpstreamUnavailable):
            await answer.read()


async def test_a_storage_that_falls_silent_is_given_up() -> None:
    async def silent(connection: Connection) -> None:
        await connection.head()
        await connection.rest()

    async with running_peer(silent) as peer, client_of(peer.url, read_timeout=0.05) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(get_request()):
                pass
    assert peer.connections == 1


async def test_a_storage_that_falls_silent_within_its_answer_is_given_up() -> None:
    async def silent(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await connection.rest()

    async with running_peer(silent) as peer, client_of(peer.url, read_timeout=0.05) as client:
        async with client.send(get_request()) as answer:
            with pytest.raises(UpstreamUnavailable):
                await answer.read()


async def test_something_that_is_no_http_is_no_answer() -> None:
    async def babble(connection: Connection) -> None:
        await connection.head()
        await connection.say("SSH-2.0-OpenSSH\r\n\r\n")

    async with running_peer(babble) as peer, client_of(peer.url) as client:
        with pytest.raises(UpstreamUnavailable):
            async with client.send(get_request()):
                pass
