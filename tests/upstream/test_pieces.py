"""Taking bytes out of aiohttp's buffers."""

from collections.abc import Iterable
from unittest.mock import Mock

import aiohttp
import pytest

from sseproxy.upstream.pieces import next_piece

_KIB = 1024


def _stream(*buffers: bytes, chunks: Iterable[bytes] = ()) -> aiohttp.StreamReader:
    stream = aiohttp.StreamReader(Mock(), 1 << 20)
    for buffer in buffers:
        stream.feed_data(buffer)
    for chunk in chunks:
        stream.begin_http_chunk_receiving()
        stream.feed_data(chunk)
        stream.end_http_chunk_receiving()
    stream.feed_eof()
    return stream


async def _pieces(stream: aiohttp.StreamReader) -> list[bytes]:
    pieces = []
    while piece := await next_piece(stream):
        pieces.append(piece)
    return pieces


async def test_a_large_buffer_is_handed_out_as_it_is() -> None:
    large = [bytes(64 * _KIB), bytes(200 * _KIB)]

    pieces = await _pieces(_stream(*large))

    assert [id(piece) for piece in pieces] == [id(buffer) for buffer in large]


async def test_small_buffers_are_joined_up_to_a_bound() -> None:
    scraps = [bytes([number]) * 1000 for number in range(200)]

    pieces = await _pieces(_stream(*scraps))

    assert b"".join(pieces) == b"".join(scraps)
    assert [len(piece) for piece in pieces] == [64 * _KIB] * 3 + [200_000 - 3 * 64 * _KIB]


async def test_chunks_of_http_leave_no_trace() -> None:
    chunks = [b"a" * 10, b"b" * 100_000, b"c", b"d" * 70_000]

    assert b"".join(await _pieces(_stream(chunks=chunks))) == b"".join(chunks)


async def test_the_end_is_the_end_however_often_it_is_asked_for() -> None:
    stream = _stream(b"x")
    await next_piece(stream)

    assert [await next_piece(stream) for _ in range(3)] == [b"", b"", b""]
    assert [await next_piece(aiohttp.streams.EMPTY_PAYLOAD) for _ in range(3)] == [b"", b"", b""]


async def test_what_broke_the_stream_is_raised() -> None:
    stream = aiohttp.StreamReader(Mock(), 1 << 20)
    stream.feed_data(b"half")
    stream.set_exception(aiohttp.ClientPayloadError("broken"))

    with pytest.raises(aiohttp.ClientPayloadError):
        await next_piece(stream)
