"""Counting the storage's requests of one client request."""

import asyncio

from sseproxy.telemetry.tally import UPSTREAM_REQUESTS, tally_count, tallying


def test_only_requests_to_the_storage_within_the_context_are_counted() -> None:
    tally_count(UPSTREAM_REQUESTS, 1)
    with tallying() as tally:
        tally_count(UPSTREAM_REQUESTS, 1)
        tally_count("kms_calls_total", 1)
    tally_count(UPSTREAM_REQUESTS, 1)

    assert tally.upstream_requests == 1


def test_an_inner_context_does_not_count_for_the_outer_one() -> None:
    with tallying() as outer:
        with tallying() as inner:
            tally_count(UPSTREAM_REQUESTS, 1)
        tally_count(UPSTREAM_REQUESTS, 2)

    assert (outer.upstream_requests, inner.upstream_requests) == (2, 1)


async def test_tasks_count_for_the_request_that_started_them_and_for_no_other() -> None:
    async def one_request(times: int) -> int:
        async def send() -> None:
            await asyncio.sleep(0)
            tally_count(UPSTREAM_REQUESTS, 1)

        with tallying() as tally:
            async with asyncio.TaskGroup() as group:
                for _ in range(times):
                    group.create_task(send())
        return tally.upstream_requests

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one_request(times)) for times in (3, 5)]

    assert [task.result() for task in tasks] == [3, 5]
