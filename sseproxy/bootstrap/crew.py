"""The workers of a supervisor: begun, replaced when they end, told what to do, asked how they are."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from sseproxy.bootstrap.channel import Task
from sseproxy.bootstrap.telemetry import Telemetry
from sseproxy.bootstrap.worker_process import WorkerProcess, running_worker
from sseproxy.settings import Settings

_SHORT_LIFE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_AFTER_DRAIN_S = 10.0  # what a worker has to end once its requests have ended or were cut off
_FAILED = 1
_SAID_WHY = frozenset({1, 2})  # exit codes of a process that has told standard error what is wrong


@dataclass(slots=True, eq=False)
class _Post:
    """What one worker after the other takes."""

    number: int
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)
    worker: WorkerProcess | None = None
    short_lives: int = 0  # one after the other, until now

    @property
    def serving(self) -> WorkerProcess | None:
        """The worker, if it serves."""
        return self.worker if self.worker is not None and self.worker.data is not None else None


class Crew:
    """All workers. The first one is begun alone: what is wrong with a configuration is said once, and not by all.

    `settings` have an address with a port that is bound already.
    """

    def __init__(self, settings: Settings, line_lock: int, telemetry: Telemetry) -> None:
        self._settings = settings
        self._line_lock = line_lock
        self._logger = telemetry.logger
        self._observer = telemetry.observer
        self._posts = [_Post(number) for number in range(1, settings.listen.workers + 1)]
        self._posts[0].may_begin.set()
        self._missing = {post.number for post in self._posts}  # have never served
        self._all_serving: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()  # None: never
        self._ending = asyncio.Event()
        self._code = 0

    async def work(self, on_serving: Callable[[str], None]) -> int:
        """Keep the workers running until `end`, and return the program's exit code.

        `on_serving` is called once, when all serve for the first time, with where.
        """
        async with asyncio.TaskGroup() as group:
            for post in self._posts:
                group.create_task(self._keep(post))
            data = await self._all_serving
            if data is not None:
                on_serving(data)
        return self._code

    @property
    def is_ending(self) -> bool:
        """Whether the workers were told to end."""
        return self._ending.is_set()

    def workers(self) -> dict[int, WorkerProcess | None]:
        """Return the workers that serve, by their numbers; None where one does not."""
        return {post.number: post.serving for post in self._posts}

    # ---- orders ----

    def end(self) -> None:
        """Let all workers drain and end; who takes too long is killed."""
        if self._ending.is_set():
            return
        self._ending.set()
        if not self._all_serving.done():
            self._all_serving.set_result(None)
        patience_s = self._settings.limits.drain_timeout + _AFTER_DRAIN_S
        asyncio.get_running_loop().call_later(patience_s, self.kill)
        for post in self._posts:
            post.may_begin.set()
            if post.worker is not None:
                post.worker.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all workers at once."""
        for post in self._posts:
            if post.worker is not None:
                post.worker.signal(signal.SIGKILL)

    def reload(self) -> None:
        """Let all workers load their certificate again."""
        for post in self._posts:
            if post.worker is not None:
                post.worker.reload()

    # ---- keeping ----

    async def _keep(self, post: _Post) -> None:
        await post.may_begin.wait()
        while not self._ending.is_set():
            code, lived_s = await self._life(post)
            if not self._ending.is_set():
                await self._look_at_the_end(post, code, lived_s)

    async def _life(self, post: _Post) -> tuple[int, float]:
        """Run one worker from its begin to its end; return its exit code and how long it has served, seconds."""
        task = Task(number=post.number, settings=self._settings, line_lock=self._line_lock)
        now = asyncio.get_running_loop().time
        served_since: float | None = None

        def on_serving(data: str) -> None:
            nonlocal served_since
            served_since = now()
            self._serves(post, data)

        try:
            async with running_worker(task) as worker:
                post.worker = worker
                if self._ending.is_set():
                    worker.signal(signal.SIGTERM)
                code = await worker.run(on_serving)
        except OSError as error:
            self._logger.error("worker_not_begun", worker=post.number, reason=error.strerror)
            code = _FAILED
        finally:
            post.worker = None
        if self._ending.is_set() and code != 0 and served_since is not None:
            self._code = _FAILED
        return code, 0.0 if served_since is None else now() - served_since

    def _serves(self, post: _Post, data: str) -> None:
        self._logger.info("worker_serves", worker=post.number, pid=None if post.worker is None else post.worker.pid)
        if not self._missing:
            return
        self._missing.discard(post.number)
        for other in self._posts:
            other.may_begin.set()
        if not self._missing and not self._all_serving.done():
            self._all_serving.set_result(data)

    async def _look_at_the_end(self, post: _Post, code: int, lived_s: float) -> None:
        """Let a worker be replaced after a while, or give up where it has never served."""
        if post.number in self._missing:
            if code not in _SAID_WHY:
                self._logger.error("worker_not_started", worker=post.number, how=how_it_ended(code))
            self._code = code if code in _SAID_WHY else _FAILED
            self.end()
            return
        post.short_lives = post.short_lives + 1 if lived_s < _SHORT_LIFE_S else 0
        pause_s = pause_before(post.short_lives)
        self._logger.warning("worker_ended", worker=post.number, how=how_it_ended(code), again_in_s=pause_s)
        self._observer.count("worker_restarts_total")
        try:
            async with asyncio.timeout(pause_s):
                await self._ending.wait()
        except TimeoutError:
            return


def how_it_ended(code: int) -> str:
    """Return how a process ended, in words, by its exit code as `subprocess` tells it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"  # a real-time one has no name


def pause_before(short_lives: int) -> float:
    """Return how many seconds to wait before the next worker: none, unless the last ones have not lived long."""
    if short_lives == 0:
        return 0.0
    doublings = min(short_lives - 1, 10)
    return min(_FIRST_PAUSE_S * 2.0**doublings, _LONGEST_PAUSE_S)
