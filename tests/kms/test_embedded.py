"""The embedded KMS keeps the port's contract, and what is particular to it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from sseproxy.errors import (
    InvalidArgument,
    KeyDisabled,
    KeyNotFound,
    KeyPendingDeletion,
    KeyPendingImport,
    KeyServiceUnavailable,
    KeyStateRefused,
    WrappedKeyRejected,
)
from sseproxy.kms.database import Database
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.rows import KeyRow, KeyState, Origin
from sseproxy.settings import EmbeddedKmsSettings
from tests.kms.conftest import ALIASES, root_key_of
from tests.kms.suite import CONTEXT, Bench, KmsContract
from tests.support.fake_clock import FakeClock


@dataclass
class EmbeddedBench:
    """The embedded KMS, and the same database as another process has it open."""

    kms: EmbeddedKms
    other: EmbeddedKms

    async def create(self) -> str:
        return (await self.other.create_key()).key_id

    async def name(self, alias: str, key_id: str) -> None:
        await self.other.set_alias(alias, key_id)

    async def rotate(self, key_id: str) -> None:
        await self.other.rotate(key_id)

    async def disable(self, key_id: str) -> None:
        await self.other.disable(key_id)

    async def enable(self, key_id: str) -> None:
        await self.other.enable(key_id)

    async def schedule_deletion(self, key_id: str) -> None:
        await self.other.schedule_deletion(key_id, days=7)


class TestContract(KmsContract):
    """Everything is changed by another process, and holds with the very next call."""

    @pytest.fixture
    def bench(self, open_kms: Callable[[], EmbeddedKms]) -> Bench:
        return EmbeddedBench(open_kms(), open_kms())


class TestContractInOneProcess(KmsContract):
    """The same where one process does it all."""

    @pytest.fixture
    def bench(self, kms: EmbeddedKms) -> Bench:
        return EmbeddedBench(kms, kms)


@pytest.mark.parametrize("alias", ALIASES)
async def test_some_aliases_get_a_key_when_first_asked_for(kms: EmbeddedKms, alias: str) -> None:
    described = await kms.describe(alias)

    assert (described.state, described.origin, described.current_version) == ("Enabled", "generated", 1)
    assert await kms.describe(alias) == described
    assert await kms.list_keys() == [described]
    assert await kms.aliases_of(described.key_id) == [alias]


async def test_processes_that_ask_for_an_alias_at_once_get_one_key(open_kms: Callable[[], EmbeddedKms]) -> None:
    processes = [open_kms() for _ in range(4)]

    drawn = await asyncio.gather(*(kms.generate("alias/aws/s3", CONTEXT) for kms in processes * 4))

    assert len({wrapped.key_id for _, wrapped in drawn}) == 1
    assert len(await processes[0].list_keys()) == 1
    assert [await processes[-1].unwrap(wrapped, CONTEXT) for _, wrapped in drawn] == [key for key, _ in drawn]


async def test_keys_are_there_again_after_a_restart(open_kms: Callable[[], EmbeddedKms]) -> None:
    first = open_kms()
    created = await first.create_key(description="photos", alias="alias/photos")
    key, wrapped = await first.generate("alias/photos", CONTEXT)
    first.close()

    second = open_kms()

    assert await second.describe("alias/photos") == created
    assert await second.unwrap(wrapped, CONTEXT) == key


async def test_reading_does_not_wait_for_a_process_that_writes(kms: EmbeddedKms, settings: EmbeddedKmsSettings) -> None:
    key_id = (await kms.create_key()).key_id
    key, wrapped = await kms.generate(key_id, CONTEXT)
    other = Database(settings.database, root_key_of(settings))

    with other.writing() as rows:
        rows.set_state(key_id, KeyState.DISABLED)
        opened_in_between = await kms.unwrap(wrapped, CONTEXT)
    other.close()

    assert opened_in_between == key
    with pytest.raises(KeyDisabled):
        await kms.unwrap(wrapped, CONTEXT)


async def test_a_rotation_of_one_key_leaves_the_others_alone(kms: EmbeddedKms) -> None:
    first, second = (await kms.create_key()).key_id, (await kms.create_key()).key_id

    assert (await kms.rotate(first)).current_version == 2
    assert (await kms.describe(second)).current_version == 1


async def test_a_version_that_is_not_there_does_not_open(kms: EmbeddedKms, open_kms: Callable[[], EmbeddedKms]) -> None:
    key_id = (await kms.create_key()).key_id
    _, wrapped = await kms.generate(key_id, CONTEXT)
    later = bytearray(wrapped.blob)
    later[1 + 16 + 3] = 2  # the version

    with pytest.raises(WrappedKeyRejected, match="no version 2"):
        await kms.unwrap(type(wrapped)(key_id=key_id, blob=bytes(later)), CONTEXT)


async def test_a_disabled_key_cannot_be_rotated(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_key()).key_id
    await kms.disable(key_id)

    with pytest.raises(KeyDisabled):
        await kms.rotate(key_id)


async def test_a_deletion_waits_and_can_be_cancelled(
    kms: EmbeddedKms, settings: EmbeddedKmsSettings, clock: FakeClock
) -> None:
    key_id = (await kms.create_key()).key_id
    key, wrapped = await kms.generate(key_id, CONTEXT)

    await kms.schedule_deletion(key_id, days=30)

    assert (await kms.describe(key_id)).state == "PendingDeletion"
    database = Database(settings.database, root_key_of(settings))
    with database.reading() as rows:
        row = rows.key(key_id)
    database.close()
    assert row is not None
    assert row.deletion_due == (clock.now() + timedelta(days=30)).isoformat()
    with pytest.raises(KeyPendingDeletion):
        await kms.enable(key_id)
    await kms.cancel_deletion(key_id)
    assert (await kms.describe(key_id)).state == "Disabled"
    await kms.enable(key_id)
    assert await kms.unwrap(wrapped, CONTEXT) == key


@pytest.mark.parametrize("days", [0, 6, 31])
async def test_a_deletion_waits_7_to_30_days(kms: EmbeddedKms, days: int) -> None:
    key_id = (await kms.create_key()).key_id

    with pytest.raises(InvalidArgument):
        await kms.schedule_deletion(key_id, days=days)
    assert (await kms.describe(key_id)).state == "Enabled"


async def test_only_a_deletion_that_waits_can_be_cancelled(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_key()).key_id

    with pytest.raises(KeyStateRefused, match="Enabled"):
        await kms.cancel_deletion(key_id)


async def test_a_key_without_material_can_do_nothing_yet(kms: EmbeddedKms, settings: EmbeddedKmsSettings) -> None:
    key_id = "5f0c0b9e-9a39-4c54-8a8b-2b7d5a5d0c11"
    row = KeyRow(
        key_id=key_id,
        state=KeyState.PENDING_IMPORT,
        origin=Origin.EXTERNAL,
        description="",
        created="2026-11-21T12:00:00+00:00",
        current_version=0,
    )
    database = Database(settings.database, root_key_of(settings))
    with database.writing() as rows:
        rows.add_key(row)
    database.close()

    assert (await kms.describe(key_id)).state == "PendingImport"
    for use in (kms.generate(key_id, CONTEXT), kms.rotate(key_id), kms.enable(key_id), kms.disable(key_id)):
        with pytest.raises(KeyPendingImport):
            await use
    await kms.schedule_deletion(key_id, days=7)
    await kms.cancel_deletion(key_id)
    assert (await kms.describe(key_id)).state == "PendingImport"


@pytest.mark.parametrize("alias", ["photos", "alias/", "alias/a b", "alias/ü", "alias/" + "a" * 250])
async def test_an_alias_that_is_none_is_refused(kms: EmbeddedKms, alias: str) -> None:
    key_id = (await kms.create_key()).key_id

    with pytest.raises(InvalidArgument):
        await kms.set_alias(alias, key_id)
    with pytest.raises(InvalidArgument):
        await kms.create_key(alias=alias)
    assert len(await kms.list_keys()) == 1


async def test_an_alias_of_a_key_that_is_not_there_is_not_made(kms: EmbeddedKms) -> None:
    with pytest.raises(KeyNotFound):
        await kms.set_alias("alias/photos", "nothing")


async def test_what_a_key_wrapped_that_is_gone_does_not_open(kms: EmbeddedKms, clock: FakeClock) -> None:
    key_id = (await kms.create_key()).key_id
    _, wrapped = await kms.generate(key_id, CONTEXT)
    await kms.schedule_deletion(key_id, days=7)
    clock.advance(7 * 24 * 3600)
    await kms.maintain()

    for call in (kms.unwrap(wrapped, CONTEXT), kms.details(key_id), kms.generate(key_id, CONTEXT)):
        with pytest.raises(KeyNotFound):
            await call
    assert await kms.all_details() == []


async def test_a_closed_database_is_a_key_service_that_is_away(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_key()).key_id
    _, wrapped = await kms.generate(key_id, CONTEXT)
    kms.close()

    with pytest.raises(KeyServiceUnavailable):
        await kms.unwrap(wrapped, CONTEXT)
    with pytest.raises(KeyServiceUnavailable):
        await kms.create_key()
    with pytest.raises(KeyServiceUnavailable):
        await kms.healthy()


async def test_material_that_was_changed_in_the_database_does_not_serve(
    kms: EmbeddedKms, settings: EmbeddedKmsSettings
) -> None:
    ours, foreign = (await kms.create_key()).key_id, (await kms.create_key()).key_id
    _, wrapped = await kms.generate(ours, CONTEXT)
    database = Database(settings.database, root_key_of(settings))

    with database.writing() as rows:
        connection = rows._connection
        swap = "UPDATE versions SET sealed = (SELECT sealed FROM versions WHERE key_id = ?) WHERE key_id = ?"
        connection.execute(swap, (foreign, ours))
    database.close()

    with pytest.raises(WrappedKeyRejected, match="damaged"):
        await kms.unwrap(wrapped, CONTEXT)
    with pytest.raises(WrappedKeyRejected, match="damaged"):
        await kms.generate(ours, CONTEXT)
