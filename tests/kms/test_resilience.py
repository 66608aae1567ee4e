"""What a remote key service is surrounded with: deadline, repetition, pause, one question at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from sseproxy.errors import (
    KeyAccessRefused,
    KeyDisabled,
    KeyNotFound,
    KeyServiceBusy,
    KeyServiceError,
    KeyServiceUnavailable,
    WrappedKeyRejected,
)
from sseproxy.kms.resilience import Endurance, ResilientKms
from sseproxy.model import WrappedKey
from tests.kms.doubles import Pauses, RecordingObserver, ScriptedKms
from tests.kms.suite import CONTEXT
from tests.support.fake_clock import FakeClock

WRAPPED = WrappedKey(key_id="k7", blob=b"blob")


class Bench:
    """A resilient KMS around a scripted one."""

    def __init__(self, *script: Exception | Callable[[], Awaitable[None]], **endurance: float) -> None:
        self.inner = ScriptedKms(*script)
        self.clock, self.observer, self.pauses = FakeClock(), RecordingObserver(), Pauses()
        self.kms = ResilientKms(
            "vault",
            self.inner,
            Endurance(**endurance),  # type: ignore[arg-type]
            clock=self.clock,
            observer=self.observer,
            sleep=self.pauses,
        )

    async def fails(self) -> str:
        with pytest.raises(KeyServiceUnavailable) as caught:
            await self.kms.unwrap(WRAPPED, CONTEXT)
        return caught.value.message


async def test_every_operation_goes_through() -> None:
    bench = Bench()

    assert await bench.kms.generate("k", CONTEXT, length=16) == (b"k" * 16, WrappedKey(key_id="k", blob=CONTEXT.aad))
    assert await bench.kms.wrap("k", b"dek", CONTEXT) == WrappedKey(key_id="k", blob=b"dek" + CONTEXT.aad)
    assert await bench.kms.unwrap(WRAPPED, CONTEXT) == b"blob"
    assert (await bench.kms.describe("k")).key_id == "k"
    assert bench.kms.version_of(WRAPPED) == "7"
    await bench.kms.healthy()
    assert bench.inner.calls == ["generate", "wrap", "unwrap", "describe", "healthy"]


@pytest.mark.parametrize("error", [KeyServiceUnavailable(), KeyServiceBusy()])
async def test_an_outage_may_last_for_two_attempts(error: Exception) -> None:
    bench = Bench(error, error)

    assert await bench.kms.unwrap(WRAPPED, CONTEXT) == b"blob"

    assert bench.inner.calls == ["unwrap"] * 3
    assert len(bench.pauses) == 2
    assert 0 <= bench.pauses[0] <= 0.05
    assert 0 <= bench.pauses[1] <= 0.1


async def test_after_the_third_attempt_the_error_is_the_callers() -> None:
    bench = Bench(*[KeyServiceUnavailable("gone")] * 3)

    assert await bench.fails() == "gone"

    assert bench.inner.calls == ["unwrap"] * 3
    assert bench.observer.counts == {("key_service_attempts_total", "vault", "unwrap", "unavailable"): 3}
    assert (
        bench.observer.events
        == [("key_service_failed", {"provider": "vault", "operation": "unwrap", "error": "gone"})] * 3
    )


@pytest.mark.parametrize(
    "error", [KeyDisabled(), KeyNotFound(), KeyAccessRefused(), WrappedKeyRejected(), KeyServiceError()]
)
async def test_a_refusal_is_final(error: KeyServiceError) -> None:
    bench = Bench(error)

    with pytest.raises(type(error)) as caught:
        await bench.kms.unwrap(WRAPPED, CONTEXT)

    assert caught.value is error
    assert bench.inner.calls == ["unwrap"]
    assert bench.observer.counts == {("key_service_attempts_total", "vault", "unwrap", "refused"): 1}


async def test_a_service_that_does_not_answer_is_given_up_at_the_deadline() -> None:
    bench = Bench(asyncio.Event().wait, timeout_s=0.001)  # type: ignore[arg-type]

    assert await bench.fails() == "The key service vault did not answer within 0.001 s. Please try again."

    assert bench.observer.counts == {("key_service_attempts_total", "vault", "unwrap", "cut short"): 1}


async def test_health_has_the_deadline_too_and_is_asked_once() -> None:
    bench = Bench(asyncio.Event().wait, KeyServiceUnavailable("sealed"), timeout_s=0.001)  # type: ignore[arg-type]

    with pytest.raises(KeyServiceUnavailable, match=r"did not answer within 0\.001 s"):
        await bench.kms.healthy()
    with pytest.raises(KeyServiceUnavailable, match="sealed"):
        await bench.kms.healthy()
    assert bench.inner.calls == ["healthy"] * 2


async def test_after_five_failed_calls_the_service_is_left_alone_for_the_pause() -> None:
    bench = Bench(*[KeyServiceUnavailable("gone")] * 5, attempts=1, breaker_pause_s=10)

    assert [await bench.fails() for _ in range(5)] == ["gone"] * 5
    bench.clock.advance(9.9)
    assert await bench.fails() == "The key service vault does not answer. Please try again."
    assert len(bench.inner.calls) == 5

    bench.clock.advance(0.1)
    assert await bench.kms.unwrap(WRAPPED, CONTEXT) == b"blob"
    assert await bench.kms.unwrap(WRAPPED, CONTEXT) == b"blob"


async def test_the_trial_after_a_pause_is_a_single_call() -> None:
    may_answer = asyncio.Event()

    async def answer_late() -> None:
        await may_answer.wait()

    bench = Bench(KeyServiceUnavailable(), answer_late, attempts=1, breaker_failures=1, breaker_pause_s=10)
    await bench.fails()
    bench.clock.advance(10)

    async with asyncio.TaskGroup() as group:
        trial = group.create_task(bench.kms.unwrap(WRAPPED, CONTEXT))
        await asyncio.sleep(0)
        assert await bench.fails() == "The key service vault does not answer. Please try again."
        may_answer.set()

    assert trial.result() == b"blob"
    assert bench.inner.calls == ["unwrap"] * 2


async def test_a_trial_that_fails_begins_another_pause() -> None:
    bench = Bench(*[KeyServiceUnavailable("gone")] * 6, attempts=1, breaker_pause_s=10)
    for _ in range(5):
        await bench.fails()

    bench.clock.advance(10)

    assert await bench.fails() == "gone"
    assert await bench.fails() == "The key service vault does not answer. Please try again."


async def test_a_trial_that_is_cancelled_leaves_the_next_call_to_try() -> None:
    bench = Bench(KeyServiceUnavailable(), asyncio.Event().wait, attempts=1, breaker_failures=1, breaker_pause_s=10)  # type: ignore[arg-type]
    await bench.fails()
    bench.clock.advance(10)

    async with asyncio.TaskGroup() as group:
        trial = group.create_task(bench.kms.unwrap(WRAPPED, CONTEXT))
        await asyncio.sleep(0)
        trial.cancel()

    assert await bench.kms.unwrap(WRAPPED, CONTEXT) == b"blob"


@pytest.mark.parametrize("answer", [KeyDisabled(), WrappedKeyRejected(), None])
async def test_any_answer_in_between_starts_the_count_again(answer: Exception | None) -> None:
    gone = [KeyServiceUnavailable("gone")] * 4
    bench = Bench(*gone, *([answer] if answer else []), *gone, attempts=1)
    for _ in range(4):
        await bench.fails()
    if answer is None:
        bench.inner.script.clear()
        await bench.kms.unwrap(WRAPPED, CONTEXT)
        bench.inner.script.extend(gone)
    else:
        with pytest.raises(type(answer)):
            await bench.kms.unwrap(WRAPPED, CONTEXT)

    assert [await bench.fails() for _ in range(4)] == ["gone"] * 4


async def test_a_service_that_is_only_busy_is_not_left_alone() -> None:
    bench = Bench(*[KeyServiceBusy("slow")] * 9, attempts=1)

    assert [await bench.fails() for _ in range(9)] == ["slow"] * 9
    assert await bench.kms.unwrap(WRAPPED, CONTEXT) == b"blob"


async def test_without_a_limit_there_is_no_pause() -> None:
    bench = Bench(*[KeyServiceUnavailable("gone")] * 20, attempts=1, breaker_failures=0)

    assert [await bench.fails() for _ in range(20)] == ["gone"] * 20


async def test_equal_descriptions_asked_for_at_once_are_one_call() -> None:
    bench = Bench(*[partial(asyncio.sleep, 0)] * 2)

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(bench.kms.describe(name)) for name in ["a"] * 500 + ["b"] * 500]

    assert bench.inner.calls == ["describe"] * 2
    assert [task.result().key_id for task in asking] == ["a"] * 500 + ["b"] * 500
