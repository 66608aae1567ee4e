"""Answers on the wire, and those that fail on the way."""

import asyncio

import pytest

from sseproxy.errors import (
    FrameRejected,
    IncompleteBody,
    RequestTimeout,
)
from sseproxy.exchange import Body, Request, Response, body_of
from tests.server.gateway_world import data_port, echo, ok

_KIB = 1024


async def test_an_empty_answer_has_no_type_and_every_header_that_clients_look_for() -> None:
    async with data_port(ok) as port:
        answer = await port.ask(port.signed("PUT", "/b/k", {"Content-Length": "0"}))

    assert answer["content-length"] == "0"
    assert answer["etag"] == '"e"'
    assert answer["server"] == "AmazonS3"
    assert answer["date"].endswith("GMT")
    assert len(answer["x-amz-request-id"]) == 24
    assert answer["x-amz-id-2"]
    assert "content-type" not in answer.headers


async def test_a_streamed_answer_has_its_length_and_a_type() -> None:
    async def handler(_request: Request) -> Response:
        return Response(status=206, body=body_of(b"abc", memoryview(b"def"), bytearray(b"g")), content_length=7)

    async with data_port(handler) as port:
        answer = await port.ask(port.signed("GET", "/b/k"))

    assert (answer.status, answer["content-length"], answer.body) == (206, "7", b"abcdefg")
    assert answer["content-type"] == "binary/octet-stream"


async def test_an_answer_of_unknown_length_is_chunked() -> None:
    async def handler(_request: Request) -> Response:
        return Response(status=200, body=body_of(b"abc", b"de"))

    async with data_port(handler) as port, port.connect() as wire:
        await wire.say(port.signed("GET", "/b/k", {"Connection": "close"}))
        _, headers = await wire.head()

        assert headers["transfer-encoding"] == "chunked"
        assert await wire.rest() == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "status", "length"), [("HEAD", 200, "1234"), ("GET", 304, None), ("DELETE", 204, None)]
)
async def test_answers_without_a_body_leave_the_connection_usable(method: str, status: int, length: str | None) -> None:
    async def handler(_request: Request) -> Response:
        return Response(status=status, content_length=1234)

    async with data_port(handler) as port, port.connect() as wire:
        for _ in range(2):
            await wire.say(port.signed(method, "/b/k"))
            answer = await wire.answer(method)
            assert (answer.status, answer.headers.get("content-length")) == (status, length)
            assert "transfer-encoding" not in answer.headers


async def test_a_stream_that_must_not_be_sent_is_closed() -> None:
    closed = []

    async def body() -> Body:
        try:
            yield b"abc"
        finally:
            closed.append(True)

    async def handler(_request: Request) -> Response:
        return Response(status=200, body=body(), content_length=3)

    async with data_port(handler) as port:
        answer = await port.ask(port.signed("HEAD", "/b/k"))

    assert (answer["content-length"], closed) == ("3", [True])


def _stream(length: int | None, *pieces: bytes, error: Exception | None = None) -> Response:
    async def body() -> Body:
        for piece in pieces:
            yield piece
        if error is not None:
            raise error

    return Response(status=200, body=body(), content_length=length)


@pytest.mark.parametrize("length", [10, None], ids=["with length", "chunked"])
async def test_an_answer_that_fails_on_the_way_never_looks_complete(length: int | None) -> None:
    async def handler(_request: Request) -> Response:
        return _stream(length, b"abc", error=FrameRejected())

    async with data_port(handler) as port, port.connect() as wire:
        await wire.say(port.signed("GET", "/b/k"))
        try:
            status, _ = await wire.head()
            rest = await wire.rest()
        except (asyncio.IncompleteReadError, ConnectionError):
            status, rest = 200, b""  # the connection was cut before anything left

    assert status == 200
    assert rest in {b"", b"abc", b"3\r\nabc\r\n"}
    assert port.notes.total("integrity_errors_total", kind="frame_rejected") == 1
    assert port.notes.total("frames_rejected_total") == 1
    ((name, fields),) = port.notes.events
    assert (name, fields["bucket"], fields["key"]) == ("frame_rejected", "b", "k")
    (line,) = port.lines
    assert (line["status"], line["code"], line["aborted"], line["bytes_out"]) == (200, "InternalError", True, 3)


@pytest.mark.parametrize("pieces", [(b"abc",), (b"abcd", b"efghijkl")], ids=["shorter", "longer"])
async def test_an_answer_of_another_length_is_cut(pieces: tuple[bytes, ...]) -> None:
    async def handler(_request: Request) -> Response:
        return _stream(10, *pieces)

    async with data_port(handler) as port, port.connect() as wire:
        await wire.say(port.signed("GET", "/b/k"))
        rest = await wire.rest()

    assert b"efghijkl" not in rest
    assert port.lines[0]["aborted"]
    assert port.notes.events[0][0] == "request_failed"


async def test_what_fails_before_the_first_byte_is_still_an_error_document() -> None:
    async def handler(_request: Request) -> Response:
        return _stream(10, error=FrameRejected())

    async with data_port(handler) as port:
        answer = await port.ask(port.signed("GET", "/b/k"))

    assert (answer.status, answer.code) == (500, "InternalError")
    assert not port.lines[0]["aborted"]


async def test_a_body_is_closed_when_its_reader_goes_away() -> None:
    closed = asyncio.Event()

    async def body() -> Body:
        try:
            while True:
                yield bytes(64 * _KIB)
                await asyncio.sleep(0)
        finally:
            closed.set()

    async def handler(_request: Request) -> Response:
        return Response(status=200, body=body(), content_length=1 << 40)

    async with data_port(handler) as port:
        async with port.connect() as wire:
            await wire.say(port.signed("GET", "/b/k"))
            await wire.head()
        async with asyncio.timeout(5):
            await closed.wait()
        await port.server.shutdown(1)

    assert port.lines[0]["aborted"]
    assert port.lines[0]["code"] is None
    assert port.notes.events == []


async def test_a_reader_that_takes_nothing_is_given_up() -> None:
    closed = asyncio.Event()
    pulled = 0

    async def body() -> Body:
        nonlocal pulled
        try:
            while True:
                pulled += 1
                yield bytes(64 * _KIB)
        finally:
            closed.set()

    async def handler(_request: Request) -> Response:
        return Response(status=200, body=body(), content_length=1 << 40)

    async with data_port(handler, limits={"body_timeout": 0.2}) as port, port.connect() as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads too
        await wire.say(port.signed("GET", "/b/k"))
        async with asyncio.timeout(5):
            await closed.wait()

    assert pulled * 64 * _KIB < 16 * 1024 * _KIB  # what the kernel's buffers hold


async def _reads(errors: list[type[Exception]], request: Request) -> Response:
    try:
        return await echo(request)
    except (IncompleteBody, RequestTimeout) as error:
        errors.append(type(error))
        raise


async def test_a_client_that_falls_silent_within_its_body_is_told_so() -> None:
    async with data_port(limits={"body_timeout": 0.05}) as port:
        answer = await port.ask(port.signed("PUT", "/b/k", {"Content-Length": "10"}), b"abc")

    assert (answer.status, answer.code, answer["connection"]) == (400, "RequestTimeout", "close")


async def test_a_body_that_breaks_off_is_incomplete() -> None:
    errors: list[type[Exception]] = []

    async with data_port(lambda request: _reads(errors, request)) as port:
        async with port.connect() as wire:
            await wire.say(port.signed("PUT", "/b/k", {"Content-Length": "10"}) + "abc")
            wire.writer.write_eof()
            await wire.rest()
        await port.server.shutdown(1)

    assert errors == [IncompleteBody]


async def test_a_body_with_broken_chunks_is_incomplete() -> None:
    async with data_port() as port, port.connect() as wire:
        await wire.say(port.signed("PUT", "/b/k", {"Transfer-Encoding": "chunked"}) + "3\r\nabc\r\n")
        while not port.requests:
            await asyncio.sleep(0)
        await wire.say("zz\r\n")
        answer = await wire.answer()

    assert (answer.status, answer.code) == (400, "IncompleteBody")


async def test_a_body_with_another_hash_is_refused_before_its_end_is_passed_on() -> None:
    async with data_port() as port:
        answer = await port.ask(port.signed("PUT", "/b/k", {"Content-Length": "3"}, payload="0" * 64), b"abc")
        nothing = await port.ask(port.signed("GET", "/b/k", payload="0" * 64))

    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert (nothing.status, nothing.code) == (400, "XAmzContentSHA256Mismatch")
