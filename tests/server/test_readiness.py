"""Readiness: what the probes say, how often they are asked, and draining."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sseproxy.errors import KeyServiceUnavailable, UpstreamUnavailable
from sseproxy.server.readiness import Readiness


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


def _counting(calls: list[str], name: str, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
    async def probe() -> None:
        calls.append(name)
        if error is not None:
            raise error

    return probe


async def test_a_process_is_ready_when_every_probe_returns() -> None:
    calls: list[str] = []
    readiness = Readiness({"storage": _counting(calls, "s"), "keys": _counting(calls, "k")}, FakeClock())

    assert await readiness.problems() == {}
    assert sorted(calls) == ["k", "s"]


async def test_every_failing_probe_is_named_with_its_reason() -> None:
    probes = {
        "storage": _counting([], "s", UpstreamUnavailable("The store is away.")),
        "keys": _counting([], "k", KeyServiceUnavailable("The KMS is away.")),
        "other": _counting([], "o"),
    }

    assert await Readiness(probes, FakeClock()).problems() == {
        "storage": "The store is away.", "keys": "The KMS is away.",
    }  # fmt: skip


async def test_probes_are_asked_again_only_after_five_seconds() -> None:
    calls: list[str] = []
    clock = FakeClock()
    readiness = Readiness({"storage": _counting(calls, "s", UpstreamUnavailable("away"))}, clock)

    for seconds in (0, 3, 1.5):
        clock.time += timedelta(seconds=seconds)
        assert await readiness.problems() == {"storage": "away"}
    asked_early = len(calls)
    clock.time += timedelta(seconds=0.5)
    await readiness.problems()

    assert (asked_early, len(calls)) == (1, 2)


async def test_many_who_ask_at_once_cause_one_probe() -> None:
    calls: list[str] = []
    readiness = Readiness({"storage": _counting(calls, "s")}, FakeClock())

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(readiness.problems())

    assert calls == ["s"]


async def test_a_draining_process_is_not_ready_and_asks_nobody() -> None:
    calls: list[str] = []
    readiness = Readiness({"storage": _counting(calls, "s")}, FakeClock())

    readiness.drain()

    assert await readiness.problems() == {"process": "draining"}
    assert calls == []


async def test_a_probe_that_does_not_answer_in_time_counts_as_failed() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    readiness = Readiness({"storage": never}, FakeClock(), probe_timeout_s=0)

    assert await readiness.problems() == {"storage": "no answer within 0 s"}
