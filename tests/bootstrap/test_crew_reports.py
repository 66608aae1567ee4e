"""What the supervisor tells when a worker ends while it is asked."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest

from sseproxy.bootstrap.channel import open_channel
from sseproxy.bootstrap.crew import Crew
from sseproxy.bootstrap.crew_reports import CrewReports
from sseproxy.bootstrap.telemetry import build_telemetry
from sseproxy.bootstrap.worker_process import HasEnded, WorkerProcess
from sseproxy.settings import LoggingSettings


@dataclass(frozen=True, slots=True)
class _Crew:
    """As far as reports look at one."""

    worker: WorkerProcess
    is_ending: bool = False

    def workers(self) -> dict[int, WorkerProcess | None]:
        return {1: self.worker}


@asynccontextmanager
async def _mute_worker() -> AsyncIterator[WorkerProcess]:
    """A process that runs, and answers nothing."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec("sleep", "600", stdin=theirs.fileno())
    async with open_channel(ours) as channel, asyncio.TaskGroup() as group:
        worker = WorkerProcess(process, channel)
        group.create_task(worker.run(lambda _: None))
        yield worker
        if process.returncode is None:
            process.kill()


async def _killed_while_asked(ask: Callable[[CrewReports], Awaitable[Any]]) -> Any:
    """Return what the reports tell when the only worker is killed under their question."""
    async with _mute_worker() as worker:
        reports = CrewReports(cast("Crew", _Crew(worker)), build_telemetry(LoggingSettings()))

        async def kill_when_asked() -> None:
            while not worker._waiting:
                await asyncio.sleep(0)
            worker.process.kill()

        async with asyncio.TaskGroup() as group:
            group.create_task(kill_when_asked())
            return await ask(reports)


async def test_it_is_no_reason_for_alarm() -> None:
    assert await _killed_while_asked(lambda reports: reports.is_healthy()) is True


async def test_it_does_not_serve() -> None:
    assert await _killed_while_asked(lambda reports: reports.problems()) == {"worker 1": "does not serve"}


async def test_its_metrics_are_left_out() -> None:
    document = await _killed_while_asked(lambda reports: reports.metrics())

    assert b'worker="supervisor"' in document
    assert b'worker="1"' not in document


async def test_it_is_not_asked_again() -> None:
    async with _mute_worker() as worker:
        worker.process.kill()
        while not worker._has_ended:
            await asyncio.sleep(0)

        with pytest.raises(HasEnded):
            await worker.ask("health")
