"""Places for requests."""

import asyncio

import pytest

from sseproxy.errors import Overloaded
from sseproxy.server.admission import Admission
from tests.server.gateway_world import Notes


def test_the_request_beyond_the_limit_is_turned_away_at_once() -> None:
    notes = Notes()
    admission = Admission(2, notes)

    with admission.place(), admission.place():
        with pytest.raises(Overloaded), admission.place():
            raise AssertionError("there was no place")
        assert notes.total("in_flight") == 2
    with admission.place():
        pass

    assert notes.total("in_flight") == 0
    assert notes.total("requests_refused_total") == 1


def test_a_place_is_given_back_by_a_request_that_fails() -> None:
    admission = Admission(1, Notes())

    for _ in range(2):
        with pytest.raises(KeyError), admission.place():
            raise KeyError


async def test_waiting_ends_with_the_last_request() -> None:
    admission = Admission(2, Notes())
    await admission.wait_until_empty()

    async with asyncio.TaskGroup() as group:
        with admission.place():
            with admission.place():
                waiting = group.create_task(admission.wait_until_empty())
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting.done()
