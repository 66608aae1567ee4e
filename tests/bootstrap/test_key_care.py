"""What a running proxy does with its keys by itself."""

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from sseproxy.bootstrap.key_care import maintained
from sseproxy.errors import UpstreamUnavailable
from sseproxy.kms import build_kms
from sseproxy.kms.root_key import create_root_key
from sseproxy.settings import EmbeddedKmsSettings
from tests.operations.fakes import FakeObserver
from tests.support.fake_clock import FakeClock


def _settings(directory: Path) -> EmbeddedKmsSettings:
    create_root_key(directory / "root.key")
    return EmbeddedKmsSettings(database=directory / "kms.sqlite3", root_key_file=directory / "root.key")


async def test_a_cmk_that_is_rotated_by_period_gets_its_bucket_keys_wrapped_again(tmp_path: Path) -> None:
    clock, observer, rewrapped = FakeClock(), FakeObserver(), asyncio.Queue[str]()

    async def rewrap(key_id: str) -> int:
        rewrapped.put_nowait(key_id)
        return 1

    with closing(build_kms(_settings(tmp_path), clock, created_on_first_use=())) as kms:
        key_id = (await kms.create_key()).key_id
        await kms.set_rotation_period(key_id, timedelta(days=1))
        clock.advance(24 * 60 * 60)
        async with maintained(kms, observer, rewrap), asyncio.timeout(10):
            assert await rewrapped.get() == key_id

        assert (await kms.describe(key_id)).current_version == 2
    assert observer.events == ["key_rotated"]


async def test_a_store_that_is_away_does_not_end_the_care_of_keys(tmp_path: Path) -> None:
    clock, told = FakeClock(), asyncio.Event()

    class Observer(FakeObserver):
        def event(self, name: str, /, **fields: str | float | bool | None) -> None:
            super().event(name, **fields)
            if name == "key_maintenance_failed":
                told.set()

    async def fail(_key_id: str) -> int:
        raise UpstreamUnavailable

    observer = Observer()
    with closing(build_kms(_settings(tmp_path), clock, created_on_first_use=())) as kms:
        key_id = (await kms.create_key()).key_id
        await kms.set_rotation_period(key_id, timedelta(days=1))
        clock.advance(24 * 60 * 60)
        async with maintained(kms, observer, fail), asyncio.timeout(10):
            await told.wait()

    assert observer.events == ["key_rotated", "key_maintenance_failed"]
