"""Killing a process in the midst of its work."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.forked import Process


def run_until_killed(process: Process, reached: Callable[[], bool], log: Path, *, tries: int = 60_000) -> None:
    """Kill a process with SIGKILL as soon as it has reached a point; fails where it ends or never gets there.

    `log` is what it writes, told where it ends by itself.
    """
    for _ in range(tries):
        if reached():
            process.kill()
            process.wait()
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the process ended by itself with {process.returncode}:\n{log.read_text()}")
    process.kill()
    raise AssertionError("the process did not get there")
