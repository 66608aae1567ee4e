"""moto's KMS and STS as a server of their own. It checks no signature, and opens with disabled keys."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.support.servers import REGION, StartFailed, free_ports, pause

_DEADLINE_ROUNDS = 600  # of 50 ms


@dataclass(frozen=True)
class MotoKms:
    """A running server."""

    address: str

    def client(self, service: str = "kms") -> Any:
        """Return a boto3 client for it."""
        return boto3.client(
            service,
            endpoint_url=self.address,
            region_name=REGION,
            aws_access_key_id="operator",
            aws_secret_access_key="operator-secret",
        )


@contextmanager
def running_moto(directory: Path) -> Iterator[MotoKms]:
    """Run a server until the context ends."""
    [port] = free_ports(1)
    log = directory / "moto.log"
    arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=directory, env=environment
        )
    server = MotoKms(f"http://127.0.0.1:{port}")
    try:
        for _ in range(_DEADLINE_ROUNDS):
            if process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{server.address}/moto-api/", timeout=5).close()
            except OSError:
                pause()
            else:
                yield server
                return
        raise StartFailed(log.read_text(errors="replace"))
    finally:
        process.kill()
        process.wait()
