"""Servers that the end-to-end tests share, and the check that no (key, nonce) pair was used twice."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import make_certificates
from tests.support.command_line import Tool, make_tool
from tests.support.moto_kms import MotoKms, running_moto
from tests.support.openbao import OpenBao, running_openbao
from tests.support.oss_clients import created_bucket
from tests.support.places import OSS_PROXIES, S3_PROXIES, STORE
from tests.support.servers import Launcher, Server, own_state
from tests.support.sessions import launching, without_settings_of_this_machine


@pytest.fixture(scope="session", autouse=True)
def clients_see_no_settings_of_this_machine() -> Iterator[None]:
    """Take away what SDKs read from the environment and the home directory: defaults are what is tested."""
    with without_settings_of_this_machine():
        yield


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts servers for the whole session; at its end no nonce may have repeated, in any of them."""
    with launching(tmp_path_factory.mktemp("servers")) as launcher:
        yield launcher


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A real OpenBao server with a transit engine."""
    with running_openbao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoKms]:
    """moto's KMS and STS."""
    with running_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def dev(launcher: Launcher) -> Server:
    """`sseproxy dev` over http: both dialects, embedded store."""
    return launcher.dev()


@pytest.fixture(scope="session")
def dev_https(launcher: Launcher, certificates: tuple[Path, Path, Path]) -> Server:
    return launcher.dev(tls=certificates)


@pytest.fixture(scope="session")
def store(launcher: Launcher) -> Server:
    """The embedded store alone."""
    return launcher.store()


@pytest.fixture(scope="session")
def weed(launcher: Launcher) -> Server:
    return launcher.weed()


@pytest.fixture(scope="session")
def on_weed(launcher: Launcher, weed: Server) -> Server:
    """A proxy in front of SeaweedFS over http."""
    return launcher.proxy(weed)


@pytest.fixture(scope="session")
def on_weed_https(launcher: Launcher, weed: Server, on_weed: Server, certificates: tuple[Path, Path, Path]) -> Server:
    """A second replica over https: replicas share the state bucket, so they share the keys too."""
    return launcher.proxy(weed, on_weed.data, tls=certificates)


@pytest.fixture(scope="session")
def oss_alone(launcher: Launcher, store: Server) -> Server:
    """A proxy that speaks OSS alone, so that even what has no field is answered in OSS's words."""
    return launcher.proxy(store, dialect="oss", extra=own_state("oss-alone"))


@pytest.fixture(params=[*S3_PROXIES, STORE])
def s3(request: pytest.FixtureRequest) -> Server:
    """Every place where an S3 client may be used, one after the other (tests/support/places.py)."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=[*OSS_PROXIES, STORE])
def oss(request: pytest.FixtureRequest) -> Server:
    """Every place where an OSS client may be used."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["dev", STORE])
def dev_or_store(request: pytest.FixtureRequest) -> Server:
    """The same embedded store sealed and as it is: the reference for what clients of OSS see."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def bucket(dev_or_store: Server, bucket_name: str) -> Iterator[Any]:
    """An oss2 bucket of this test's own, in both; files for other clients have a `bucket` of their own."""
    with created_bucket(dev_or_store, bucket_name) as bucket:
        yield bucket


@pytest.fixture
def sealed(dev: Server, bucket_name: str) -> Iterator[Any]:
    """The same where it is sealed alone."""
    with created_bucket(dev, bucket_name) as bucket:
        yield bucket


@pytest.fixture
def form_bucket(oss_alone: Server, bucket_name: str) -> Iterator[Any]:
    """The same where only OSS is spoken, for forms, which are posted to its URL."""
    with created_bucket(oss_alone, bucket_name) as bucket:
        yield bucket


@pytest.fixture
def bucket_name(request: pytest.FixtureRequest) -> str:
    """A bucket name of this test's own, the same in every run."""
    return f"b-{zlib.crc32(request.node.nodeid.encode()):08x}"


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str, Server], Tool]:
    """Make a command-line client: `tool("aws", server)`."""
    return lambda name, server: make_tool(name, server, tmp_path)
