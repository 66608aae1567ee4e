"""One piece of work for all that wait for it."""

import asyncio

import pytest

from sseproxy.single_flight import SingleFlight


class Work:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        await self.may_end.wait()
        return self.begun


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_thousand_that_ask_at_once_get_the_result_of_one() -> None:
    flight, work = SingleFlight[str, int](), Work()

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(flight.run("login", work)) for _ in range(1000)]
        await _turns()
        work.may_end.set()

    assert work.begun == 1
    assert {task.result() for task in asking} == {1}


async def test_another_name_is_work_of_its_own_and_what_ended_is_not_kept() -> None:
    flight, work = SingleFlight[str, int](), Work()
    work.may_end.set()

    assert [await flight.run(name, work) for name in ("a", "a", "b")] == [1, 2, 3]


async def test_an_error_is_everybodys_and_the_next_one_tries_again() -> None:
    flight, may_fail = SingleFlight[str, int](), asyncio.Event()

    async def fail() -> int:
        await may_fail.wait()
        raise ValueError("no")

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(_outcome(flight, fail)) for _ in range(3)]
        await _turns()
        may_fail.set()

    assert [task.result() for task in asking] == ["no"] * 3
    work = Work()
    work.may_end.set()
    assert await flight.run("login", work) == 1


async def _outcome(flight: SingleFlight[str, int], work: object) -> str:
    with pytest.raises(ValueError, match="no") as caught:
        await flight.run("login", work)  # type: ignore[arg-type]
    return str(caught.value)


async def test_who_waits_takes_over_from_who_was_cancelled() -> None:
    flight, work = SingleFlight[str, int](), Work()

    async with asyncio.TaskGroup() as group:
        first = group.create_task(flight.run("login", work))
        await _turns()
        second = group.create_task(flight.run("login", work))
        await _turns()
        first.cancel()
        await _turns()
        work.may_end.set()

    assert second.result() == 2
    assert first.cancelled()


async def test_who_waits_can_be_cancelled_without_harm_to_the_work() -> None:
    flight, work = SingleFlight[str, int](), Work()

    async with asyncio.TaskGroup() as group:
        first = group.create_task(flight.run("login", work))
        await _turns()
        second = group.create_task(flight.run("login", work))
        await _turns()
        second.cancel()
        await _turns()
        work.may_end.set()

    assert first.result() == 1
    assert second.cancelled()
