"""Stores that are no Python packages, each with a proxy in front over http and over https.

They run where SSEPROXY_INTEROP is set, as `run.sh` does; otherwise, or where one is not installed, its tests are skipped
and the summary says why.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.backends import BACKENDS
from tests.support.certificates import make_certificates
from tests.support.objects_tool import ObjectsTool, tool_of
from tests.support.servers import Launcher, Server, s3_client
from tests.support.sessions import launching, without_settings_of_this_machine


@pytest.fixture(scope="session", autouse=True)
def clients_see_no_settings_of_this_machine() -> Iterator[None]:
    with without_settings_of_this_machine():
        yield


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts servers for the whole session; at its end no nonce may have repeated, in servers and tools."""
    with launching(tmp_path_factory.mktemp("interop")) as launcher:
        yield launcher


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session", params=list(BACKENDS))
def backend(request: pytest.FixtureRequest, launcher: Launcher) -> Iterator[Server]:
    """A real store; every test that uses one runs on all."""
    name = request.param
    if "SSEPROXY_INTEROP" not in os.environ:
        pytest.skip("real stores run by tests/interop/run.sh alone")
    problem = BACKENDS[name].missing()
    if problem:
        pytest.skip(problem)
    server = BACKENDS[name].start(launcher)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def proxy(launcher: Launcher, backend: Server) -> Server:
    """A proxy in front of the store, over http."""
    return launcher.proxy(backend)


@pytest.fixture(scope="session")
def https_proxy(launcher: Launcher, backend: Server, proxy: Server, certificates: tuple[Path, Path, Path]) -> Server:
    """A second replica, over https."""
    return launcher.proxy(backend, proxy.data, tls=certificates)


@pytest.fixture
def client(proxy: Server) -> Any:
    return s3_client(proxy)


@pytest.fixture
def past(backend: Server) -> Any:
    """A client of the store itself, past the proxy."""
    return s3_client(backend)


@pytest.fixture
def bucket(client: Any, request: pytest.FixtureRequest) -> str:
    """A fresh bucket of this test's own."""
    name = f"b-{zlib.crc32(request.node.nodeid.encode()):08x}"
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def objects(launcher: Launcher, proxy: Server) -> ObjectsTool:
    """The bulk tools beside the proxy."""
    assert launcher.nonce_log is not None
    return tool_of(proxy, launcher.nonce_log)
