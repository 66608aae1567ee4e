"""A store with a proxy in front, for each dialect, and the tools beside it."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.nonces import find_repeats
from tests.support.objects_tool import Done, ObjectsTool, tool_of
from tests.support.servers import Launcher, Server, s3_client


@dataclass(frozen=True, slots=True)
class Place:
    """A proxy, the store behind it and the tools; clients of both speak S3, whatever the proxy's upstream speaks."""

    proxy: Server
    store: Server
    tool: ObjectsTool
    bucket: str

    @property
    def through(self) -> Any:
        """A client of the proxy."""
        return s3_client(self.proxy)

    @property
    def past(self) -> Any:
        """A client of the store, past the proxy."""
        return s3_client(self.store)

    def run(self, name: str, *arguments: str, report: Path | None = None) -> Done:
        return self.tool.run(name, "--bucket", self.bucket, *arguments, report=report)

    def stored(self, key: str) -> bytes:
        body: bytes = self.past.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def read(self, key: str) -> bytes:
        body: bytes = self.through.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts servers for the whole session; at its end no nonce may have repeated, in servers and tools."""
    directory = tmp_path_factory.mktemp("bulk")
    launcher = Launcher(directory, nonce_log=directory / "nonces")
    yield launcher
    launcher.stop_all()
    assert find_repeats(directory / "nonces") == []


@pytest.fixture(scope="session")
def store(launcher: Launcher) -> Server:
    return launcher.store()


@pytest.fixture(scope="session")
def proxy(launcher: Launcher, store: Server) -> Server:
    return launcher.proxy(store)


@pytest.fixture
def place(launcher: Launcher, store: Server, proxy: Server, request: pytest.FixtureRequest) -> Place:
    """A fresh bucket on a store that speaks S3, with a proxy and the tools."""
    assert launcher.nonce_log is not None
    bucket = f"b-{zlib.crc32(request.node.nodeid.encode()):08x}"
    made = Place(proxy, store, tool_of(proxy, launcher.nonce_log), bucket)
    made.through.create_bucket(Bucket=bucket)
    return made
