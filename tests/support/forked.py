"""A process that another one forked for us and then ended, with the methods of `subprocess.Popen`."""

import ctypes
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_ADOPTING = threading.Lock()


class Process(Protocol):
    """What tests need of a process, whoever started it."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@contextmanager
def adopting() -> Iterator[None]:
    """Become the parent of processes below this one whose parent ends meanwhile (Linux). One thread at a time."""
    with _ADOPTING:
        _adopt(1)
        try:
            yield
        finally:
            _adopt(0)


def _adopt(orphans: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, orphans, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Forked:
    """A process that was adopted."""

    def __init__(self, pid: int, arguments: Sequence[str]) -> None:
        self.pid = pid
        self.args = arguments
        self.returncode: int | None = None
        self._reaping = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code (a negative signal's number, if that ended it), None while it runs."""
        with self._reaping:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid == self.pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended; raises `subprocess.TimeoutExpired`."""
        if (code := self.poll()) is not None:
            return code
        ends = os.pidfd_open(self.pid)
        try:
            select.select([ends], [], [], timeout)
        finally:
            os.close(ends)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)
