"""The loop of the data path, and digests beside it."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from sseproxy.errors import IncompleteBody
from sseproxy.exchange import Body, body_of
from sseproxy.model import ChecksumAlgorithm
from sseproxy.operations.pump import DIGEST_BATCH, INLINE_DIGEST, BackgroundDigests, in_thread, pump
from sseproxy.stage import Buffer
from sseproxy.wire.digests import Digests


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


class AtMostTwo:
    """A stage that passes two bytes and raises for more."""

    def __init__(self) -> None:
        self._left = 2

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        self._left -= len(data)
        if self._left < 0:
            raise IncompleteBody
        return (data,)

    def finish(self) -> Sequence[Buffer]:
        return ()


class CountingPool(Executor):
    """Runs what it is given at once, and counts."""

    def __init__(self) -> None:
        self.jobs = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.jobs += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Held:
    """A stage that holds everything back until the end."""

    def __init__(self) -> None:
        self._data: list[Buffer] = []

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        self._data.append(data)
        return ()

    def finish(self) -> Sequence[Buffer]:
        return self._data


async def test_everything_goes_through_the_stage() -> None:
    assert [bytes(data) async for data in pump(body_of(b"a", b"b"), Held())] == [b"a", b"b"]


async def test_what_the_stage_raises_closes_the_source() -> None:
    closed = []

    async def source() -> Body:
        try:
            yield b"abc"
        finally:
            closed.append(True)

    with pytest.raises(IncompleteBody):
        async for _ in pump(source(), AtMostTwo()):
            pass
    assert closed == [True]


async def test_a_reader_that_goes_away_closes_the_source() -> None:
    closed = []

    async def source() -> Body:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    body = pump(source(), AtMostTwo())
    assert await anext(body) == b"a"
    await body.aclose()
    assert closed == [True]


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    given = []

    async def source() -> Body:
        for data in (b"a", b"b"):
            given.append(data)
            yield data

    body = pump(source(), AtMostTwo())
    assert given == []
    await anext(body)
    assert given == [b"a"]
    await body.aclose()


def _digests() -> Digests:
    return Digests(md5=True, crc64=True, algorithms=frozenset({ChecksumAlgorithm.SHA256}))


@pytest.mark.parametrize("step", [1000, INLINE_DIGEST, DIGEST_BATCH - 1, DIGEST_BATCH, DIGEST_BATCH + 1])
async def test_digests_made_in_threads_are_those_of_the_bytes(pool: ThreadPoolExecutor, step: int) -> None:
    data = bytes(range(256)) * 8192
    background = BackgroundDigests(_digests(), pool)

    for at in range(0, len(data), step):
        await background.update(data[at : at + step])
    found = await background.finish()

    assert found.md5 == hashlib.md5(data).digest()
    assert found.checksum(ChecksumAlgorithm.SHA256) == hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("size", "jobs"),
    [(0, 0), (INLINE_DIGEST, 0), (INLINE_DIGEST + 1, 1), (DIGEST_BATCH, 1), (DIGEST_BATCH + INLINE_DIGEST, 1)],
)
async def test_what_is_short_never_goes_to_a_thread(size: int, jobs: int) -> None:
    pool = CountingPool()
    background = BackgroundDigests(_digests(), pool)

    for at in range(0, size, INLINE_DIGEST):
        await background.update(bytes(min(INLINE_DIGEST, size - at)))
    await background.finish()

    assert pool.jobs == jobs


async def test_a_function_can_be_sent_to_a_thread(pool: ThreadPoolExecutor) -> None:
    assert await in_thread(pool, threading.get_ident) != threading.get_ident()


async def test_quick_digests_never_go_to_a_thread() -> None:
    pool = CountingPool()
    background = BackgroundDigests(Digests(md5=False, crc64=True), pool, quick=True)

    for _ in range(3):
        await background.update(b"123" * DIGEST_BATCH)
    await background.finish()

    assert pool.jobs == 0


async def test_quick_digests_are_those_of_the_bytes() -> None:
    background = BackgroundDigests(Digests(md5=False, crc64=True), CountingPool(), quick=True)

    for data in (b"1234", b"", b"56789"):
        await background.update(data)

    assert (await background.finish()).crc64 == 0x995DC9BBDF1939FA
