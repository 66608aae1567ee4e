"""Commands as processes of their own that are there at once: a process that has imported everything forks for each.

A command begins as `python -m sseproxy` would, with arguments, standard streams and an exit code of its own, but without
importing a thousand modules again. Run as `python -m tests.support.nursery`, this is that process: a line of JSON on its
standard input per command, the exit code on its standard output; it ends where its input does.
"""

import atexit
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.nonces import recording_environment

_ROOT = Path(__file__).parents[2]


class Nursery:
    """Runs commands one after the other."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=_ROOT,
        )  # fmt: skip

    def run(self, arguments: Sequence[str], *, timeout_s: float) -> tuple[int, str, str]:
        """Run `sseproxy` with these arguments; returns exit code, standard output and standard error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with TemporaryDirectory() as directory:
            out, err = Path(directory) / "out", Path(directory) / "err"
            order = {"arguments": list(arguments), "out": str(out), "err": str(err), "cwd": os.getcwd()}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], timeout_s)[0]:
                self.close()
                raise TimeoutError(f"sseproxy {' '.join(arguments)} ran for {timeout_s} seconds")
            code = int(self._process.stdout.readline())
            return code, out.read_text(), err.read_text()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


@cache
def nursery_for(nonces: Path) -> Nursery:
    """Return the one whose commands write their nonces down in a directory, for as long as this process lives."""
    nursery = Nursery(recording_environment({**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}, nonces))
    atexit.register(nursery.close)
    return nursery


def _serve() -> None:
    from sseproxy.cli.main import main

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(order["out"], order["err"], order["cwd"])
            sys.argv = ["sseproxy", *order["arguments"]]
            main()
            raise AssertionError("a command ends its process")
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(out: str, err: str, cwd: str) -> None:
    """Take standard streams of one's own, and none of the parent's."""
    os.chdir(cwd)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, path in ((1, out), (2, err)):
        sink = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(sink, number)
        os.close(sink)


if __name__ == "__main__":
    _serve()
