"""Rotation by period, grants, and what time brings: once, however many processes look."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from sseproxy.errors import InvalidArgument, KeyNotFound, KeyPendingDeletion, WrappedKeyRejected
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.model import KeyUse
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from tests.kms.suite import CONTEXT
from tests.support.fake_clock import FakeClock

_DAY_S = 86400
_BOTH = (KeyUse.ENCRYPT, KeyUse.DECRYPT)


async def test_a_key_is_rotated_when_its_version_has_served_for_its_period(kms: EmbeddedKms, clock: FakeClock) -> None:
    key_id = (await kms.create_key()).key_id
    await kms.set_rotation_period(key_id, timedelta(days=90))
    key, wrapped = await kms.generate(key_id, CONTEXT)

    clock.advance(90 * _DAY_S - 1)
    assert await kms.maintain() == []
    clock.advance(1)
    assert await kms.maintain() == [key_id]
    assert await kms.maintain() == []

    assert (await kms.describe(key_id)).current_version == 2
    assert kms.version_of((await kms.generate(key_id, CONTEXT))[1]) == "2"
    assert await kms.unwrap(wrapped, CONTEXT) == key
    details = await kms.details(key_id)
    assert (details.rotated, details.next_rotation) == (clock.now(), clock.now() + timedelta(days=90))


async def test_processes_that_look_at_the_same_time_rotate_once(
    open_kms: Callable[[], EmbeddedKms], clock: FakeClock
) -> None:
    processes = [open_kms() for _ in range(4)]
    key_id = (await processes[0].create_key()).key_id
    await processes[0].set_rotation_period(key_id, timedelta(days=1))
    clock.advance(_DAY_S)

    rotated = await asyncio.gather(*(one.maintain() for one in processes))

    assert sorted(rotated) == [[], [], [], [key_id]]
    assert {(await one.describe(key_id)).current_version for one in processes} == {2}


async def test_a_rotation_by_hand_begins_the_period_anew(kms: EmbeddedKms, clock: FakeClock) -> None:
    key_id = (await kms.create_key()).key_id
    await kms.set_rotation_period(key_id, timedelta(days=2))
    clock.advance(_DAY_S)
    await kms.rotate(key_id)
    clock.advance(_DAY_S)

    assert await kms.maintain() == []


async def test_the_service_master_key_has_a_period_of_its_own(kms: EmbeddedKms, clock: FakeClock) -> None:
    service = (await kms.describe(SERVICE_KEY_ALIAS)).key_id
    await kms.create_key()

    clock.advance(365 * _DAY_S)

    assert await kms.maintain() == [service]
    assert (await kms.details(service)).rotation_period == timedelta(days=365)


async def test_keys_without_a_period_and_disabled_ones_are_left_alone(kms: EmbeddedKms, clock: FakeClock) -> None:
    plain, disabled, ended = [(await kms.create_key()).key_id for _ in range(3)]
    for key_id in (disabled, ended):
        await kms.set_rotation_period(key_id, timedelta(days=1))
    await kms.disable(disabled)
    await kms.set_rotation_period(ended, None)
    clock.advance(10 * _DAY_S)

    assert await kms.maintain() == []
    assert {(await kms.describe(key_id)).current_version for key_id in (plain, disabled, ended)} == {1}


@pytest.mark.parametrize("period", [timedelta(hours=23), timedelta(days=3651)])
async def test_a_period_is_between_a_day_and_ten_years(kms: EmbeddedKms, period: timedelta) -> None:
    key_id = (await kms.create_key()).key_id

    with pytest.raises(InvalidArgument, match="every 1 to 3650 days"):
        await kms.set_rotation_period(key_id, period)


async def test_an_imported_key_has_no_period(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id

    with pytest.raises(InvalidArgument, match="cannot be rotated"):
        await kms.set_rotation_period(key_id, timedelta(days=90))


async def test_a_key_is_deleted_with_everything_when_its_waiting_period_is_over(
    kms: EmbeddedKms, clock: FakeClock
) -> None:
    key_id = (await kms.create_key(alias="alias/gone")).key_id
    await kms.grant(key_id, "app", _BOTH)
    await kms.schedule_deletion(key_id, days=7)

    clock.advance(7 * _DAY_S)
    with pytest.raises(KeyNotFound):
        await kms.cancel_deletion(key_id)
    assert await kms.list_keys() == []
    await kms.maintain()

    with kms._database.reading() as rows:
        assert (rows.all_keys(), rows.alias_target("alias/gone"), rows.versions_of(key_id)) == ([], None, [])
        assert rows.grants_of(key_id) == frozenset()


async def test_a_deleted_version_opens_nothing_any_more_in_any_process_and_its_number_is_not_used_again(
    open_kms: Callable[[], EmbeddedKms],
) -> None:
    one, other = open_kms(), open_kms()
    key_id = (await one.create_key()).key_id
    _, first = await one.generate(key_id, CONTEXT)
    await one.rotate(key_id)
    key, second = await other.generate(key_id, CONTEXT)
    assert await other.unwrap(first, CONTEXT)

    await one.delete_version(key_id, 1)

    for kms in (one, other, open_kms()):
        with pytest.raises(WrappedKeyRejected, match="has no version 1"):
            await kms.unwrap(first, CONTEXT)
        assert await kms.unwrap(second, CONTEXT) == key
    assert [(one.version, one.present) for one in (await one.details(key_id)).versions] == [(1, False), (2, True)]
    assert (await one.rotate(key_id)).current_version == 3


async def test_no_version_is_deleted_of_a_key_that_waits_for_its_own_deletion(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_key()).key_id
    await kms.rotate(key_id)
    await kms.schedule_deletion(key_id, days=7)

    with pytest.raises(KeyPendingDeletion):
        await kms.delete_version(key_id, 1)


async def test_a_grant_counts_in_every_process_from_its_next_look_on(open_kms: Callable[[], EmbeddedKms]) -> None:
    one, other = open_kms(), open_kms()
    key_id = (await one.create_key()).key_id
    assert not other.allows("app", key_id, KeyUse.DECRYPT)

    await one.grant(key_id, "app", [KeyUse.DECRYPT])
    assert other.allows("app", key_id, KeyUse.DECRYPT)
    assert not other.allows("app", key_id, KeyUse.ENCRYPT)
    assert not other.allows("apps", key_id, KeyUse.DECRYPT)
    await one.revoke(key_id, "app", _BOTH)
    assert not other.allows("app", key_id, KeyUse.DECRYPT)


@pytest.mark.parametrize("principal", ["", "x" * 257, "a\nb"])
async def test_what_is_no_access_key_is_granted_nothing(kms: EmbeddedKms, principal: str) -> None:
    key_id = (await kms.create_key()).key_id

    with pytest.raises(InvalidArgument, match="A principal is the access key of a client"):
        await kms.grant(key_id, principal, _BOTH)
