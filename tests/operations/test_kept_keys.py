"""The memory of opened keys: bounded in number and time."""

import pytest

from sseproxy.model import WrapContext, WrappedKey
from sseproxy.operations.kept_keys import KeptValues, wrap_digest
from tests.support.fake_clock import FakeClock


def test_the_least_recently_used_value_goes_first() -> None:
    kept: KeptValues[str, int] = KeptValues(2, 60, FakeClock())
    kept.put("a", 1)
    kept.put("b", 2)
    kept.get("a")

    kept.put("c", 3)

    assert [kept.get(name) for name in "abc"] == [1, None, 3]


@pytest.mark.parametrize(("seconds", "value"), [(0, 1), (59.9, 1), (60, None), (1000, None)])
def test_a_value_lives_as_long_as_it_was_said(seconds: float, value: int | None) -> None:
    clock = FakeClock()
    kept: KeptValues[str, int] = KeptValues(2, 60, clock)
    kept.put("a", 1)

    clock.advance(seconds)

    assert kept.get("a") == value


def test_looking_at_a_value_does_not_make_it_live_longer() -> None:
    clock = FakeClock()
    kept: KeptValues[str, int] = KeptValues(2, 60, clock)
    kept.put("a", 1)

    clock.advance(30)
    assert kept.get("a") == 1
    clock.advance(30)

    assert kept.get("a") is None


def test_a_clock_that_is_set_back_ends_a_values_life() -> None:
    clock = FakeClock()
    kept: KeptValues[str, int] = KeptValues(2, 60, clock)
    kept.put("a", 1)

    clock.advance(-1)

    assert kept.get("a") is None


def test_a_memory_without_room_keeps_nothing() -> None:
    kept: KeptValues[str, int] = KeptValues(0, 60, FakeClock())

    kept.put("a", 1)

    assert kept.get("a") is None


def test_the_digest_of_a_wrap_differs_with_everything_it_stands_for() -> None:
    variants = [
        (key_id, blob, aad) for key_id in ("k", "kb") for blob in (b"blob", b"lob") for aad in (b"context", b"bcontext")
    ]

    digests = {
        wrap_digest(WrappedKey(key_id=key_id, blob=blob), WrapContext(aad=aad, pairs=()))
        for key_id, blob, aad in variants
    }

    assert len(digests) == len(variants)
