"""Small tools for bodies."""

from collections.abc import Sequence

import pytest

from sseproxy.errors import BodyTooLarge, IncompleteBody
from sseproxy.exchange import Body, body_of
from sseproxy.operations.bodies import PartCutter, collect, collect_head, preceded, start


class Watched:
    """Makes a body that tells whether it was closed."""

    def __init__(self, *buffers: bytes, failure: Exception | None = None) -> None:
        self._buffers = buffers
        self._failure = failure
        self.closed = False
        self.given = 0

    async def body(self) -> Body:
        try:
            for buffer in self._buffers:
                self.given += 1
                yield buffer
            if self._failure is not None:
                raise self._failure
        finally:
            self.closed = True


async def _read(body: Body) -> bytes:
    return b"".join([bytes(data) async for data in body])


async def test_a_body_is_collected_whole_and_closed() -> None:
    watched = Watched(b"ab", b"", b"c")

    assert await collect(watched.body(), 3) == b"abc"
    assert watched.closed


async def test_a_body_longer_than_the_limit_is_refused_and_closed() -> None:
    watched = Watched(b"ab", b"cd", b"ef")

    with pytest.raises(BodyTooLarge):
        await collect(watched.body(), 3)
    assert watched.closed
    assert watched.given == 2


@pytest.mark.parametrize(
    ("buffers", "limit", "held", "ended"),
    [
        ((), 3, [], True),
        ((b"abc",), 3, [b"abc"], True),
        ((b"ab", b"cd", b"ef"), 3, [b"ab", b"cd"], False),
        ((b"abcd",), 3, [b"abcd"], False),
    ],
)
async def test_the_head_of_a_body_says_whether_it_was_all(
    buffers: Sequence[bytes], limit: int, held: list[bytes], *, ended: bool
) -> None:
    assert await collect_head(body_of(*buffers), limit) == (held, ended)


async def test_what_was_collected_goes_before_the_rest() -> None:
    watched = Watched(b"ab", b"cd", b"ef")
    body = watched.body()
    buffers, _ = await collect_head(body, 1)

    assert await _read(preceded(buffers, body)) == b"abcdef"
    assert watched.closed


async def test_a_started_body_gives_everything() -> None:
    assert await _read(await start(body_of(b"a", b"b", b"c"))) == b"abc"
    assert await _read(await start(body_of())) == b""


async def test_a_started_body_is_closed_even_if_nobody_reads_it() -> None:
    watched = Watched(b"a", b"b")

    await (await start(watched.body())).aclose()

    assert watched.closed


async def test_a_failure_before_the_first_buffer_is_raised_at_the_start() -> None:
    watched = Watched(failure=IncompleteBody())

    with pytest.raises(IncompleteBody):
        await start(watched.body())
    assert watched.closed


async def test_a_later_failure_is_raised_where_it_happens() -> None:
    watched = Watched(b"a", failure=IncompleteBody())
    body = await start(watched.body())

    assert await anext(body) == b"a"
    with pytest.raises(IncompleteBody):
        await anext(body)


async def test_an_exception_thrown_into_a_started_body_reaches_its_source() -> None:
    watched = Watched(b"a", b"b")
    body = await start(watched.body())

    with pytest.raises(IncompleteBody):
        await body.athrow(IncompleteBody())
    assert watched.closed


@pytest.mark.parametrize(
    ("buffers", "parts"),
    [
        ((), [b""]),
        ((b"abc",), [b"abc"]),
        ((b"abcd",), [b"abcd"]),
        ((b"abcd", b"e"), [b"abcd", b"e"]),
        ((b"a", b"", b"bcdefgh", b"ij"), [b"abcd", b"efgh", b"ij"]),
        ((b"abcdefgh", b""), [b"abcd", b"efgh"]),
        ((b"abcdefghijklm",), [b"abcd", b"efgh", b"ijkl", b"m"]),
    ],
)
async def test_a_body_is_cut_into_parts_and_only_the_last_is_shorter(
    buffers: Sequence[bytes], parts: list[bytes]
) -> None:
    cutter = PartCutter(body_of(*buffers), 4)
    found = []
    while not cutter.ended:
        found.append(await _read(cutter.part()))

    assert found == parts
