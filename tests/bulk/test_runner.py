"""The runner: order, bounds, retries, and giving up."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from sseproxy.bulk.finding import Listed
from sseproxy.bulk.outcome import Outcome
from sseproxy.bulk.runner import RunStopped, run_bulk
from sseproxy.errors import FrameRejected, UpstreamUnavailable

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Notes:
    """A sink that remembers."""

    outcomes: list[Outcome] = field(default_factory=list)
    total: int | None = None

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def listed(self, count: int, *, all_of_them: bool) -> None:
        self.total = count if all_of_them else self.total

    @property
    def keys(self) -> list[str]:
        return [outcome.key for outcome in self.outcomes]


async def _items(keys: Sequence[str]) -> AsyncGenerator[Listed]:
    for key in keys:
        yield Listed(key, 1, WHEN)


async def _no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


async def test_outcomes_come_in_the_order_of_the_items_whatever_ends_first() -> None:
    notes, turns = Notes(), {"a": asyncio.Event(), "b": asyncio.Event()}

    async def work(item: Listed) -> Outcome:
        if item.key == "a":
            await turns["b"].wait()
        turns[item.key].set()
        return Outcome(key=item.key, outcome="done")

    await run_bulk(_items(["a", "b"]), work, notes, concurrency=2)

    assert (notes.keys, notes.total) == (["a", "b"], 2)


async def test_no_more_than_so_many_run_at_once() -> None:
    running, most = 0, 0

    async def work(item: Listed) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return Outcome(key=item.key, outcome="done")

    await run_bulk(_items([str(n) for n in range(50)]), work, Notes(), concurrency=3)

    assert most == 3


async def test_what_is_unavailable_is_tried_again_and_what_is_damaged_is_not() -> None:
    tried: list[str] = []

    async def work(item: Listed) -> Outcome:
        tried.append(item.key)
        if item.key == "damaged":
            raise FrameRejected("bad")
        if tried.count(item.key) < 4:
            raise UpstreamUnavailable
        return Outcome(key=item.key, outcome="done")

    notes = Notes()
    await run_bulk(_items(["damaged", "away"]), work, notes, concurrency=1, sleep=_no_pause)

    assert tried == ["damaged", "away", "away", "away", "away"]
    assert notes.outcomes == [
        Outcome(key="damaged", outcome="tampered", reason="FrameRejected", problem="bad"),
        Outcome(key="away", outcome="done"),
    ]


async def test_one_object_that_cannot_be_had_does_not_stop_the_others() -> None:
    async def work(item: Listed) -> Outcome:
        if item.key == "x":
            raise UpstreamUnavailable("away")
        return Outcome(key=item.key, outcome="done")

    notes = Notes()
    await run_bulk(_items(["x", "y"]), work, notes, concurrency=1, sleep=_no_pause)

    assert notes.outcomes == [
        Outcome(key="x", outcome="failed", reason="UpstreamUnavailable", problem="away", unavailable=True),
        Outcome(key="y", outcome="done"),
    ]
    assert [outcome.line().get("unavailable") for outcome in notes.outcomes] == [True, None]


async def test_a_run_in_which_nothing_works_any_more_stops() -> None:
    async def work(item: Listed) -> Outcome:
        raise UpstreamUnavailable("The storage is away.")

    notes = Notes()
    with pytest.raises(ExceptionGroup) as caught:
        await run_bulk(_items([str(n) for n in range(1000)]), work, notes, concurrency=2, sleep=_no_pause)

    assert caught.group_contains(RunStopped, match="Nothing works any more")
    assert len(notes.outcomes) <= 5


async def test_a_mistake_in_the_program_is_not_an_outcome() -> None:
    async def work(item: Listed) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await run_bulk(_items(["a"]), work, Notes(), concurrency=2)

    assert caught.group_contains(ZeroDivisionError)
