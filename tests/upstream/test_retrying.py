"""Trying again."""

import pytest

from sseproxy.errors import UpstreamUnavailable
from sseproxy.upstream.retrying import MOST_TRIES, Transient, retrying


class Flaky:
    """Fails so many times before it succeeds."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.left = failures
        self.tries = 0
        self.cause = error or Transient(UpstreamUnavailable())

    async def __call__(self) -> str:
        self.tries += 1
        if self.left:
            self.left -= 1
            raise self.cause
        return "done"


class Pauses(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.mark.parametrize("failures", range(MOST_TRIES))
async def test_an_attempt_may_fail_twice(failures: int) -> None:
    flaky, pauses = Flaky(failures), Pauses()

    assert await retrying(flaky, sleep=pauses) == "done"
    assert (flaky.tries, len(pauses)) == (failures + 1, failures)


async def test_after_the_third_failure_its_cause_is_raised() -> None:
    cause = UpstreamUnavailable("gone")
    flaky, pauses = Flaky(9, Transient(cause)), Pauses()

    with pytest.raises(UpstreamUnavailable) as raised:
        await retrying(flaky, sleep=pauses)

    assert raised.value is cause
    assert (flaky.tries, len(pauses)) == (MOST_TRIES, MOST_TRIES - 1)


async def test_pauses_grow_and_stay_short() -> None:
    pauses = Pauses()

    with pytest.raises(UpstreamUnavailable):
        await retrying(Flaky(9), sleep=pauses)

    assert 0 <= pauses[0] <= 0.05
    assert 0 <= pauses[1] <= 0.2


async def test_what_is_not_transient_is_raised_at_once() -> None:
    flaky = Flaky(9, KeyError("k"))

    with pytest.raises(KeyError):
        await retrying(flaky, sleep=Pauses())

    assert flaky.tries == 1
