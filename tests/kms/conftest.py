"""A directory with a root key, and the embedded KMS on it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aioresponses import aioresponses

from sseproxy.credentials.http import open_session
from sseproxy.kms import build_kms
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import RootKey, create_root_key, read_root_key
from sseproxy.settings import EmbeddedKmsSettings
from tests.support.fake_clock import FakeClock

ALIASES = ("alias/sseproxy/service", "alias/acs/oss", "alias/aws/s3")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> EmbeddedKmsSettings:
    create_root_key(tmp_path / "root.key")
    return EmbeddedKmsSettings(database=tmp_path / "kms.sqlite3", root_key_file=tmp_path / "root.key")


@pytest.fixture
def open_kms(settings: EmbeddedKmsSettings, clock: FakeClock) -> Iterator[Callable[[], EmbeddedKms]]:
    """Open the same database as often as asked, as several processes do."""
    opened: list[EmbeddedKms] = []

    def open_one() -> EmbeddedKms:
        opened.append(build_kms(settings, clock, created_on_first_use=ALIASES))
        return opened[-1]

    yield open_one
    for kms in opened:
        kms.close()


@pytest.fixture
def kms(open_kms: Callable[[], EmbeddedKms]) -> EmbeddedKms:
    return open_kms()


# ---- remote key services ----


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections as remote key services have them."""
    async with open_session(None, 10) as session:
        yield session


@pytest.fixture
def answers() -> Iterator[aioresponses]:
    """What is answered in place of the network; a question that is not expected fails."""
    with aioresponses() as answers:
        yield answers


def root_key_of(settings: EmbeddedKmsSettings) -> RootKey:
    """Return the root key of a KMS that has it in a file."""
    assert settings.root_key_file is not None
    return read_root_key(settings.root_key_file)
