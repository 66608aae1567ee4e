"""The stores that `test_backends*.py` run in front of: how each is found and started.

By hand: `python -m tests.interop.backends rgw` starts one and says where it listens, until Ctrl-C.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.interop import ceph
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, free_ports, wait_for_answer


def cache() -> Path:
    """Return where the install scripts put what is not a package of the system."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("SSEPROXY_INTEROP_CACHE") or home / "sseproxy-interop")


def find(name: str) -> str | None:
    """Return the path of a program that was installed there, or that is on the PATH."""
    return shutil.which(name, path=f"{cache() / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")


@dataclass(frozen=True, slots=True)
class Backend:
    """A store: `missing` says what keeps it from being started, `lacks` which conditions on writes it overlooks."""

    missing: Callable[[], str | None]
    start: Callable[[Launcher], Server]
    lacks: frozenset[str] = frozenset()


def _not_found(name: str) -> Callable[[], str | None]:
    return lambda: None if find(name) else f"{name} is not installed: tests/interop/install-{name}.sh"


def _minio(launcher: Launcher) -> Server:
    port, console = free_ports(2)
    return _started(
        launcher,
        "minio",
        ["server", "--quiet", f"--address=127.0.0.1:{port}", f"--console-address=127.0.0.1:{console}"],
        port,
        {
            "MINIO_ROOT_USER": ACCESS_KEY,
            "MINIO_ROOT_PASSWORD": SECRET_KEY,
            "MINIO_UPDATE": "off",
            "MINIO_BROWSER": "off",
        },
    )


def _versitygw(launcher: Launcher) -> Server:
    [port] = free_ports(1)
    versions = launcher.fresh("versions")
    versions.mkdir(parents=True)
    arguments = [f"--port=127.0.0.1:{port}", f"--region={REGION}", "--quiet", "posix", f"--versioning-dir={versions}"]
    keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    return _started(launcher, "versitygw", arguments, port, keys)


def _started(launcher: Launcher, name: str, arguments: list[str], port: int, env: Mapping[str, str]) -> Server:
    """Start a program that serves a directory, which is its last argument."""
    data = launcher.fresh(name)
    data.mkdir(parents=True)
    log = data.with_suffix(".log")
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [find(name) or name, *arguments, str(data)],
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=data.parent, env={**os.environ, **env},
        )  # fmt: skip
    server = Server(process, "127.0.0.1", port, data, log=log, seals=False)
    launcher.servers.append(server)
    wait_for_answer(server)
    return server


_COPIES = frozenset({"copy-if-match", "copy-if-none-match"})
_COMPLETES = frozenset({"complete-if-match", "complete-if-none-match"})

BACKENDS: Mapping[str, Backend] = {
    "rgw": Backend(ceph.missing, ceph.start, _COPIES | _COMPLETES | {"delete-if-match"}),
    "minio": Backend(_not_found("minio"), _minio, _COPIES | {"delete-if-match"}),
    "versitygw": Backend(_not_found("versitygw"), _versitygw, _COPIES),
    "weed": Backend(lambda: None, Launcher.weed),
}


def _serve(name: str) -> None:
    """Run a store until Ctrl-C."""
    problem = BACKENDS[name].missing()
    if problem:
        sys.exit(problem)
    with tempfile.TemporaryDirectory() as directory:
        launcher = Launcher(Path(directory))
        try:
            print(f"{name}: {BACKENDS[name].start(launcher).url} access key {ACCESS_KEY} secret {SECRET_KEY}")  # noqa: T201
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        finally:
            launcher.stop_all()


if __name__ == "__main__":
    _serve(sys.argv[1])
