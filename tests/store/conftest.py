"""One store for all tests here, and the clients that talk to it."""

import zlib
from collections.abc import Iterator
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.store.wire import Wire
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, s3_client


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path_factory.mktemp("stores"))
    yield launcher
    launcher.stop_all()


@pytest.fixture(scope="session")
def store(launcher: Launcher) -> Server:
    return launcher.store()


@pytest.fixture(scope="session")
def wire(store: Server) -> Wire:
    return Wire(store)


@pytest.fixture(scope="session")
def s3(store: Server) -> Any:
    return s3_client(store)


@pytest.fixture
def bucket(request: pytest.FixtureRequest, s3: Any) -> str:
    """A new bucket of this test's own."""
    name = f"b-{zlib.crc32(request.node.nodeid.encode()):08x}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def oss(store: Server, bucket: str) -> Iterator[oss2.Bucket]:
    session = oss2.Session()
    yield oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), store.url, bucket, session=session)
    session.session.close()


@pytest.fixture(scope="session")
def v2(store: Server) -> oss_v2.Client:
    config = oss_v2.config.load_default()
    config.credentials_provider = oss_v2.credentials.StaticCredentialsProvider(ACCESS_KEY, SECRET_KEY)
    config.region = REGION
    config.endpoint = store.url
    config.use_path_style = True
    return oss_v2.Client(config)
