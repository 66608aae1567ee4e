"""A directory with a root key, and the embedded KMS on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sseproxy.kms import build_kms
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import create_root_key
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
