"""A worker as its supervisor sees it: a process, and the channel to it."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sseproxy.bootstrap.channel import Channel, Task, open_channel

_ANSWER_S = 3.5  # what a worker has to answer: a little more than its own probes have


class NoAnswer(Exception):
    """A worker hangs."""


class HasEnded(Exception):
    """A worker ended before it could answer."""


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A process that runs. `data` is where it serves, None until it does."""

    process: asyncio.subprocess.Process
    channel: Channel
    data: str | None = None
    _reload_when_serving: bool = False
    _has_ended: bool = False
    _questions: int = 0
    _waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        """The process's number, which stands for this life of the worker."""
        return self.process.pid

    async def run(self, on_serving: Callable[[str], None]) -> int:
        """Listen to it until it ends, and return its exit code. `on_serving` is called once, with where it serves."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(on_serving))
            return await self.process.wait()

    async def _listen(self, on_serving: Callable[[str], None]) -> None:
        async for message in self.channel.messages():
            if "serving" in message:
                self.data = message["serving"]
                if self._reload_when_serving:
                    self.signal(signal.SIGHUP)
                on_serving(message["serving"])
            elif (waiting := self._waiting.get(message["answer"])) is not None and not waiting.done():
                waiting.set_result(message["value"])
        self._has_ended = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(HasEnded())

    async def ask(self, about: str) -> Any:  # noqa: ANN401  # whatever JSON can say
        """Ask for its `health`, `problems` or `metrics`. Raises `NoAnswer` or `HasEnded`."""
        if self._has_ended:
            raise HasEnded
        self._questions += 1
        number = self._questions
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.channel.send({"number": number, "about": about})
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await answer
        except TimeoutError as cause:
            raise NoAnswer from cause
        finally:
            del self._waiting[number]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.process.returncode is None:
            self.process.send_signal(number)

    def reload(self) -> None:
        """Let it load its certificate again; one that is about to start may have read it just before."""
        if self.data is None:
            self._reload_when_serving = True
        else:
            self.signal(signal.SIGHUP)


@asynccontextmanager
async def running_worker(task: Task) -> AsyncGenerator[WorkerProcess, None]:
    """Start a worker. Leaving the context while it runs kills it. Raises `OSError` where none can be started."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sseproxy", "worker", stdin=theirs.fileno(), pass_fds=(task.line_lock,)
        )
    try:
        async with open_channel(ours) as channel:
            channel.send_task(task)
            yield WorkerProcess(process, channel)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
