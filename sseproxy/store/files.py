"""Bodies and metadata as files: written aside, moved into place whole, never changed afterwards.

A file's name is random; the index says which files belong to which object. An object replaced or deleted loses its
files; a reader that has one open reads it to the end. `sweep` removes what a killed process left behind.
"""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sseproxy.store.records import Metadata

Buffer = bytes | bytearray | memoryview
_COPY_STEP = 1024 * 1024
_MOST_BUFFERS = 512  # of one `writev`; the system allows 1,024
BODY = ".body"
META = ".meta"


class StoreInUse(Exception):
    """Another process has the data directory open."""


class Files:
    """The files below `root`. `durable` syncs each file before it is named."""

    def __init__(self, root: Path, *, durable: bool = False) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._durable = durable
        self._incoming.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            (self._objects / f"{number:02x}").mkdir(parents=True, exist_ok=True)
        self._lock = (root / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            self._lock.close()
            raise StoreInUse(f"{root} is in use by another process") from problem

    def close(self) -> None:
        """Let go of the directory."""
        self._lock.close()

    def path(self, name: str) -> Path:
        """Return where the file `name` lies."""
        return self._objects / name[:2] / name

    def begin(self) -> tuple[str, int]:
        """Create an empty file aside; return its name and an open descriptor, which the caller closes."""
        name = secrets.token_hex(16) + BODY
        return name, os.open(self._incoming / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def keep(self, name: str, descriptor: int) -> None:
        """Move a file from aside to where `path` says; it is complete from its first moment there."""
        if self._durable:
            os.fsync(descriptor)
        target = self.path(name)
        os.replace(self._incoming / name, target)
        if self._durable:
            _sync_directory(target.parent)

    def drop(self, name: str) -> None:
        """Remove a file that never left aside."""
        (self._incoming / name).unlink(missing_ok=True)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that no row names any more."""
        for name in names:
            if name:
                self.path(name).unlink(missing_ok=True)

    def share(self, name: str) -> str:
        """Give an existing body a second name, without copying it."""
        other = secrets.token_hex(16) + BODY
        os.link(self.path(name), self.path(other))
        return other

    def write_metadata(self, metadata: Metadata) -> str:
        """Write a metadata file and return its name."""
        name = secrets.token_hex(16) + META
        with (self._incoming / name).open("xb") as file:
            file.write(json.dumps(metadata.to_json(), separators=(",", ":")).encode())
            file.flush()
            self.keep(name, file.fileno())
        return name

    def read_metadata(self, name: str) -> Metadata:
        """Read a metadata file; raises `ValueError`, `TypeError` or `KeyError` where it is damaged."""
        return Metadata.from_json(json.loads(self.path(name).read_bytes()))

    def join(self, pieces: Sequence[tuple[str, int, int]], feed: Callable[[memoryview], None] | None = None) -> str:
        """Write one new body from (name, offset, length) pieces and return its name; blocks.

        `feed` sees the bytes that were joined. Raises `OSError` where a piece is missing or too short.
        """
        name, descriptor = self.begin()
        try:
            for source, offset, length in pieces:
                with self.path(source).open("rb") as file:
                    _copy(file.fileno(), offset, length, descriptor)
            if feed is not None:
                read_through(descriptor, feed)
            self.keep(name, descriptor)
        except BaseException:
            self.drop(name)
            raise
        finally:
            os.close(descriptor)
        return name

    def sweep(self, needed: set[str]) -> None:
        """Remove everything that is not in `needed`, and whatever lies aside."""
        shutil.rmtree(self._incoming)
        self._incoming.mkdir()
        for directory in self._objects.iterdir():
            for name in os.listdir(directory):
                if name not in needed:
                    (directory / name).unlink()


def _copy(source: int, offset: int, length: int, target: int) -> None:
    while length:
        data = os.pread(source, min(length, _COPY_STEP), offset)
        if not data:
            raise OSError("a body is shorter than its record says")
        write_all(target, [data])
        offset += len(data)
        length -= len(data)


def write_all(descriptor: int, buffers: Sequence[Buffer]) -> None:
    """Write every byte of `buffers`; blocks."""
    for start in range(0, len(buffers), _MOST_BUFFERS):
        batch = [memoryview(data) for data in buffers[start : start + _MOST_BUFFERS]]
        written = os.writev(descriptor, batch)
        for view in batch:
            rest = view[written:]
            written = max(0, written - len(view))
            while rest:
                rest = rest[os.write(descriptor, rest) :]


def read_through(descriptor: int, feed: Callable[[memoryview], None]) -> None:
    """Hand all bytes of an open file to `feed`; blocks."""
    buffer = memoryview(bytearray(1024 * 1024))
    offset = 0
    while count := os.preadv(descriptor, [buffer], offset):
        feed(buffer[:count])
        offset += count


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
