"""Bodies on their way out, past the point where an error document is possible."""

import asyncio
import socket
import uuid
from pathlib import Path

import pytest

from sseproxy.store.send import pour
from tests.store.wire import UNSIGNED, Wire
from tests.support.servers import Server


async def _received(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    out = b""
    while data := await loop.sock_recv(connection, 65536):
        out += data
    return out


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "body"
    path.write_bytes(uuid.uuid5(uuid.NAMESPACE_DNS, "x").bytes * 200_000)
    return path


async def test_a_slow_reader_gets_everything_asked_for(file: Path) -> None:
    left, right = socket.socketpair()
    left.settimeout(0)
    right.settimeout(0)
    with file.open("rb") as body, right:
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(_received(right))
            with left:
                await pour(left.fileno(), body.fileno(), 5, 3_000_000, idle_s=20)

    assert reader.result() == file.read_bytes()[5:3_000_005]


async def test_a_file_that_ends_early_raises(file: Path) -> None:
    left, right = socket.socketpair()
    left.settimeout(0)
    right.settimeout(0)
    with file.open("rb") as body, right, left, pytest.raises(ConnectionAbortedError, match="shorter"):
        await pour(left.fileno(), body.fileno(), 3_199_990, 11, idle_s=20)


async def test_a_reader_that_stops_is_given_up(file: Path) -> None:
    left, right = socket.socketpair()
    left.settimeout(0)
    with file.open("rb") as body, right, left, pytest.raises(ConnectionAbortedError, match="stopped reading"):
        await pour(left.fileno(), body.fileno(), 0, 3_000_000, idle_s=0.01)


async def test_a_reader_that_is_gone_raises(file: Path) -> None:
    left, right = socket.socketpair()
    left.settimeout(0)
    right.close()
    with file.open("rb") as body, left, pytest.raises(ConnectionError):
        await pour(left.fileno(), body.fileno(), 0, 3_000_000, idle_s=20)


def test_a_client_that_leaves_in_the_middle_costs_nobody_else(wire: Wire, store: Server, bucket: str) -> None:
    wire.s3("PUT", f"/{bucket}/k", bytes(20_000_000))
    for _ in range(5):
        signed = wire.sign_s3("GET", f"/{bucket}/k", {}, UNSIGNED)
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        with socket.create_connection((store.host, store.port), timeout=20) as connection:
            connection.sendall(f"GET /{bucket}/k HTTP/1.1\r\n{head}\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")

    assert len(wire.s3("GET", f"/{bucket}/k").body) == 20_000_000
    assert "Traceback" not in store.output()
