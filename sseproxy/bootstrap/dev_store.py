"""The store of a dev directory: served by one process, reached by others of the same user while it runs."""

import json
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sseproxy.bootstrap.failures import StartFailed
from sseproxy.store import serve_store
from sseproxy.store.files import StoreInUse

_ACCESS_FILE = "store-access.json"  # in the dev directory, mode 0600, while a process serves the store


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAccess:
    """Where an embedded store listens and the access key that it takes, drawn anew at every start."""

    endpoint: str
    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"StoreAccess({self.endpoint})"


@asynccontextmanager
async def serving_store(data: Path, region: str) -> AsyncGenerator[StoreAccess, None]:
    """Serve the store of a dev directory, and tell other processes of this user how to reach it.

    Raises `StartFailed` where another process serves it.
    """
    access_key, secret_key = secrets.token_hex(10), secrets.token_hex(20)
    try:
        async with serve_store(data / "store", "127.0.0.1", 0, {access_key: secret_key}, region=region) as bound:
            access = StoreAccess(endpoint=f"http://{bound[0]}:{bound[1]}", access_key=access_key, secret_key=secret_key)
            _write(data / _ACCESS_FILE, access)
            try:
                yield access
            finally:
                (data / _ACCESS_FILE).unlink(missing_ok=True)
    except StoreInUse as cause:
        raise StartFailed(f"{data} is in use by another process; stop it, or give another --data") from cause


@asynccontextmanager
async def reaching_store(data: Path, region: str) -> AsyncGenerator[StoreAccess, None]:
    """Reach the store of a dev directory: through the process that serves it, else by serving it meanwhile.

    Raises `StartFailed`.
    """
    try:
        async with serving_store(data, region) as access:
            yield access
            return
    except StartFailed as cause:
        if not isinstance(cause.__cause__, StoreInUse):
            raise
    yield _read(data / _ACCESS_FILE)


def _write(path: Path, access: StoreAccess) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(asdict(access), file)


def _read(path: Path) -> StoreAccess:
    try:
        return StoreAccess(**json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError) as cause:
        raise StartFailed(
            f"{path.parent} is in use by another process that does not say how to reach it; stop it, and try again"
        ) from cause
