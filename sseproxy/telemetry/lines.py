"""Lines of several processes on one output: each is whole, also where it is longer than a pipe takes at once."""

import fcntl
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_MOST_AT_ONCE = 1024 * 1024  # bytes; a line is far shorter
_PLACES = 2**31


class LineLock:
    """Lets one process after the other write to an output. `fd` is a file that they all have inherited.

    The lock belongs to a process (POSIX record locks), so that one that is killed holds nobody up.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._threads = threading.Lock()  # of this process, to which the other lock is no obstacle

    @contextmanager
    def held(self, output: int) -> Iterator[None]:
        """Hold the lock of the file behind a descriptor, by whatever descriptors others have it."""
        place = os.fstat(output).st_ino % _PLACES
        with self._threads:
            fcntl.lockf(self.fd, fcntl.LOCK_EX, 1, place)
            try:
                yield
            finally:
                fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, place)


@contextmanager
def open_line_lock() -> Iterator[LineLock]:
    """Make a lock for this process and those that inherit its descriptor. Nothing is left of it on a disk."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("sseproxy-lines"), "wb") as file:
            yield LineLock(file.fileno())
    else:
        with tempfile.TemporaryFile() as file:
            yield LineLock(file.fileno())


def line_stream(output: int, lock: LineLock) -> TextIO:
    """Return a stream on a descriptor that stays open; what is written between two flushes goes out in one piece."""
    raw = _Pieces(output, lock)
    return io.TextIOWrapper(io.BufferedWriter(raw, _MOST_AT_ONCE), encoding="utf-8", errors="backslashreplace")


class _Pieces(io.RawIOBase):
    """A descriptor on which every write is whole before another process's begins."""

    def __init__(self, output: int, lock: LineLock) -> None:
        self._output = output
        self._lock = lock

    def writable(self) -> bool:
        """Whether it can be written to: yes."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._output

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # any buffer; Python 3.11 has no name for it
        """Write all of it."""
        rest = memoryview(data)
        with self._lock.held(self._output):
            while rest:
                rest = rest[os.write(self._output, rest) :]
        return memoryview(data).nbytes
