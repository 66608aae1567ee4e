"""A store with a proxy in front, for each dialect, and the tools beside it."""

import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oss2
import pytest

from tests.support.objects_tool import Done, ObjectsTool, tool_of
from tests.support.servers import ACCESS_KEY, SECRET_KEY, Launcher, Server, s3_client
from tests.support.sessions import launching


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

    def run(self, name: str, *arguments: str, report: Path | None = None, timeout_s: float = 120) -> Done:
        return self.tool.run(name, "--bucket", self.bucket, *arguments, report=report, timeout_s=timeout_s)

    def stored(self, key: str) -> bytes:
        body: bytes = self.past.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def read(self, key: str) -> bytes:
        body: bytes = self.through.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts servers for the whole session; at its end no nonce may have repeated, in servers and tools."""
    with launching(tmp_path_factory.mktemp("bulk")) as launcher:
        yield launcher


@pytest.fixture(scope="session")
def store(launcher: Launcher) -> Server:
    return launcher.store()


@pytest.fixture(scope="session")
def proxy(launcher: Launcher, store: Server) -> Server:
    return launcher.proxy(store)


@pytest.fixture
def place(launcher: Launcher, store: Server, proxy: Server, request: pytest.FixtureRequest) -> Place:
    """A fresh bucket on a store that speaks S3, found by the proxy and the tools: mixed."""
    assert launcher.nonce_log is not None
    bucket = f"b-{zlib.crc32(request.node.nodeid.encode()):08x}"
    made = Place(proxy, store, tool_of(proxy, launcher.nonce_log), bucket)
    made.past.create_bucket(Bucket=bucket)
    return made


@pytest.fixture(scope="session")
def oss_proxy(launcher: Launcher) -> Server:
    """A proxy that speaks OSS, on a store of its own; the store itself also speaks S3."""
    return launcher.proxy(launcher.store(), dialect="oss")


@pytest.fixture
def oss_place(launcher: Launcher, oss_proxy: Server, request: pytest.FixtureRequest) -> Place:
    """A fresh bucket on a store whose proxy speaks OSS: read through it with `tests.bulk.conftest.oss_bucket`."""
    assert launcher.nonce_log is not None
    bucket = f"b-{zlib.crc32(request.node.nodeid.encode()):08x}"
    store = next(server for server in launcher.servers if server.port == _upstream_port(oss_proxy))
    made = Place(oss_proxy, store, tool_of(oss_proxy, launcher.nonce_log), bucket)
    made.past.create_bucket(Bucket=bucket)
    return made


def _upstream_port(proxy: Server) -> int:
    (config,) = proxy.data.glob("sseproxy-*.toml")
    endpoint = tomllib.loads(config.read_text())["upstream"]["endpoint"]
    return int(endpoint.rpartition(":")[2])


def oss_bucket(place: Place) -> Any:
    """An oss2 client of the place's bucket, through the proxy."""
    return oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), place.proxy.url, place.bucket)
