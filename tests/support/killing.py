"""Meeting a process in the midst of its work, or killing it there."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.forked import Process


def run_until_killed(process: Process, reached: Callable[[], bool], log: Path, *, tries: int = 60_000) -> None:
    """Kill a process with SIGKILL as soon as it has reached a point; fails as `run_until` does."""
    run_until(process, reached, log, tries=tries)
    process.kill()
    process.wait()


def run_until(process: Process, reached: Callable[[], bool], log: Path, *, tries: int = 60_000) -> None:
    """Return as soon as a process has reached a point; fails where it ends or never gets there.

    `log` is what it writes, told where it ends by itself.
    """
    for _ in range(tries):
        if reached():
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the process ended by itself with {process.returncode}:\n{log.read_text()}")
    process.kill()
    raise AssertionError("the process did not get there")
