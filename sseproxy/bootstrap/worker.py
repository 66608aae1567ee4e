"""A worker: one of the processes that serve the data port, from its start by the supervisor to its drained end."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvloop

from sseproxy.bootstrap.channel import Channel, Task, open_channel, receive_task
from sseproxy.bootstrap.process import prepare_process
from sseproxy.bootstrap.proxy import running_proxy
from sseproxy.bootstrap.telemetry import Telemetry, build_telemetry
from sseproxy.server.admin import Reports
from sseproxy.telemetry.lines import LineLock
from sseproxy.telemetry.logs import EventLogger, route_standard_logging


def run_worker() -> None:
    """Do what a worker does until it is told to end, or its supervisor has ended.

    Raises what `serve_settings` does where it cannot start.
    """
    end, task = receive_task()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes; the supervisor tells us
    telemetry = build_telemetry(task.settings.logging, worker=task.number, line_lock=LineLock(task.line_lock))
    route_standard_logging(telemetry.logger)
    uvloop.run(_work(end, task, telemetry))


async def _work(end: socket.socket, task: Task, telemetry: Telemetry) -> None:
    prepare_process()
    told_to_end = asyncio.Event()
    async with open_channel(end) as channel:
        reporter = _Reporter(channel, telemetry.logger, told_to_end.set)
        async with running_proxy(task.settings, telemetry, admin=reporter.reporting) as addresses:
            # However often: whoever stops a group of processes tells each of them, and so does the supervisor.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)
            channel.send({"serving": addresses.data})
            await told_to_end.wait()


@dataclass(frozen=True, slots=True)
class _Reporter:
    """Answers the supervisor's questions while the proxy runs."""

    channel: Channel
    logger: EventLogger
    at_the_end: Callable[[], None]  # called when there is no supervisor any more

    @asynccontextmanager
    async def reporting(self, reports: Reports) -> AsyncGenerator[str, None]:
        """Answer while the context is open."""
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(self._answer_all(reports))
            try:
                yield ""
            finally:
                answering.cancel()

    async def _answer_all(self, reports: Reports) -> None:
        async with asyncio.TaskGroup() as group:  # one that takes its time does not keep others waiting
            async for question in self.channel.messages():
                group.create_task(self._answer(question, reports))
        self.at_the_end()

    async def _answer(self, question: Mapping[str, object], reports: Reports) -> None:
        try:
            value = await _find_answer(question["about"], reports)
        except Exception as error:  # noqa: BLE001  # no question ends the process; the supervisor waits in vain
            self.logger.error("report_failed", about=question["about"], error=type(error).__name__)
        else:
            self.channel.send({"answer": question["number"], "value": value})


async def _find_answer(about: object, reports: Reports) -> object:
    match about:
        case "health":
            return await reports.is_healthy()
        case "problems":
            return dict(await reports.problems())
        case "metrics":
            return (await reports.metrics()).decode()
        case other:
            raise ValueError(f"nothing is known about {other!r}")
