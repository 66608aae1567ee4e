"""What supervisor and worker say to each other: messages over the socket that is the worker's standard input.

A message is its length, four bytes, and its body. The first one is the supervisor's release, the second the worker's
task, pickled; all others are JSON objects, in both directions. The end of the stream tells each that the other has
ended, however it did.
"""

import asyncio
import json
import pickle
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from sseproxy import __version__
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.settings import Settings

_LENGTH = 4
_STANDARD_INPUT = 0
_BY_HAND = "a worker is started by `sseproxy serve --workers`, and by nothing else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a worker is told: its number, from 1, the settings in force, and the descriptor of the lock of lines."""

    number: int
    settings: Settings
    line_lock: int


class Channel:
    """JSON messages to and from the process at the other end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send_task(self, task: Task) -> None:
        """Give a worker its task, before anything else."""
        self._writer.write(_framed(__version__.encode()) + _framed(pickle.dumps(task)))

    def send(self, message: dict[str, object]) -> None:
        """Send a message; nothing happens where the other process has ended."""
        if not self._writer.is_closing():
            self._writer.write(_framed(json.dumps(message).encode()))

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the other process says, until it ends."""
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(_LENGTH))
                yield json.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return


@asynccontextmanager
async def open_channel(end: socket.socket) -> AsyncGenerator[Channel, None]:
    """Speak through a socket, which is closed in the end."""
    reader, writer = await asyncio.open_unix_connection(sock=end)
    try:
        yield Channel(reader, writer)
    finally:
        writer.close()


def receive_task() -> tuple[socket.socket, Task]:
    """Return this worker's end of the channel and its task.

    Raises `StartFailed` where no supervisor started it, or one of another release.
    """
    try:
        end = socket.socket(fileno=_STANDARD_INPUT)
        with end.makefile("rb") as source:  # nothing follows the task until this worker has said that it serves
            release = _read(source).decode("ascii", "replace")
            packed = _read(source)
    except OSError as cause:
        raise StartFailed(_BY_HAND) from cause
    if not packed:
        raise StartFailed(_BY_HAND)
    if release != __version__:
        raise StartFailed(
            f"release {__version__} is installed, but the supervisor is of release {release}; restart `sseproxy serve`"
        )
    task: Task = pickle.loads(packed)  # noqa: S301  # what is on the other end started this process
    return end, task


def _read(source: BinaryIO) -> bytes:
    """Return the next message's body, empty at the end."""
    return source.read(int.from_bytes(source.read(_LENGTH)))


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(_LENGTH) + body
