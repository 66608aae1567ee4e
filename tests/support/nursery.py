"""`python -m …` as processes of their own that are there at once: one that has imported everything forks for each.

They begin as they would otherwise, with arguments, environment, standard streams and an exit code of their own, but
without importing a thousand modules again. Run as `python -m tests.support.nursery`, this is the process that forks: a
line of JSON on its standard input per process, the new one's number on its standard output; it ends where its input does.
Elsewhere than on Linux processes are started as usual.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn, TypedDict, cast

from tests.support.forked import Forked, Process, adopting
from tests.support.nonces import recording_environment

_ROOT = Path(__file__).parents[2]
_MAIN_FUNCTIONS = {"sseproxy": "sseproxy.cli.main", "sseproxy.store": "sseproxy.store.__main__"}


def start_module(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None = None
) -> Process:
    """Start `python -m MODULE ARGUMENTS`, `sseproxy` or `sseproxy.store`; its output goes to files.

    Without `errors`, standard error goes where standard output does.
    """
    if hasattr(os, "pidfd_open"):
        return _nursery().fork(module, arguments, environment, output, errors)
    with ExitStack() as stack:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(output.open("wb")),
            stderr=stack.enter_context(errors.open("wb")) if errors else subprocess.STDOUT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
        )


def run_command(arguments: Sequence[str], nonces: Path, *, timeout_s: float) -> tuple[int, str, str]:
    """Run `sseproxy` to its end; returns exit code, standard output and standard error.

    What it encrypts is written down in `nonces`.
    """
    with TemporaryDirectory() as directory:
        out, err = Path(directory) / "out", Path(directory) / "err"
        process = start_module("sseproxy", arguments, command_environment(nonces), out, err)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        return code, out.read_text(), err.read_text()


def command_environment(nonces: Path) -> dict[str, str]:
    """Return the environment of a command whose output is read by a test."""
    return recording_environment({**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}, nonces)


class _Order(TypedDict):
    """What a process shall be. Without `errors`, standard error goes to `output`."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    cwd: str
    output: str
    errors: str | None


class _Nursery:
    """The process that forks, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT,
            env=recording_environment(os.environ, None),
        )  # fmt: skip

    def fork(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None
    ) -> Forked:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for path in filter(None, (output, errors)):
            path.write_bytes(b"")  # it is there, and can be read, as soon as the process is
        order = _Order(
            module=module, arguments=list(arguments), environment=dict(environment), cwd=os.getcwd(),
            output=str(output), errors=str(errors) if errors else None,
        )  # fmt: skip
        with adopting():
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, "the process that forks has ended; its standard error says why"
        return Forked(int(answer), [module, *arguments])

    def close(self) -> None:
        """End the process. Those that it forked go on."""
        with self._process:  # closes the pipes
            self._process.kill()


@cache
def _nursery() -> _Nursery:
    """Return the one of this process."""
    nursery = _Nursery()
    atexit.register(nursery.close)
    return nursery


# ---- inside ----


def _work() -> None:
    _import_everything()
    for line in sys.stdin:
        reader, writer = os.pipe()
        between = os.fork()  # ends at once: so that the process belongs to who asked for it
        if between == 0:
            child = os.fork()
            if child == 0:
                os.close(reader)
                os.close(writer)
                _become(json.loads(line))
            os.write(writer, str(child).encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(between, 0)
        sys.stdout.write(f"{int(os.read(reader, 20))}\n")
        sys.stdout.flush()
        os.close(reader)


def _import_everything() -> None:
    import sseproxy

    for module in pkgutil.walk_packages(sseproxy.__path__, "sseproxy."):
        with suppress(ImportError):  # extras that are not installed
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _become(order: _Order) -> NoReturn:
    """Be what `python -m` would be with these arguments; raises `SystemExit`."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    _open_as(0, os.devnull, os.O_RDONLY)
    _open_as(1, order["output"], os.O_WRONLY)
    if order["errors"] is None:
        os.dup2(1, 2)
    else:
        _open_as(2, order["errors"], os.O_WRONLY)
    cast("TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)
    sys.argv = [order["module"], *order["arguments"]]
    sys.exit(importlib.import_module(_MAIN_FUNCTIONS[order["module"]]).main())


def _open_as(number: int, path: str, flags: int) -> None:
    opened = os.open(path, flags)
    os.dup2(opened, number)
    os.close(opened)


if __name__ == "__main__":
    _work()
