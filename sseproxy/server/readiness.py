"""Whether this process should be sent requests: storage and key service answer, and it is not draining."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from sseproxy.errors import SseProxyError
from sseproxy.ports import Clock

Probe = Callable[[], Awaitable[None]]

_LIFETIME = timedelta(seconds=5)


class Readiness:
    """Asks the probes at most every five seconds, whoever asks how often, and all of them at once.

    A probe returns, or raises an `SseProxyError` whose message says what is wrong. One that takes longer than
    `probe_timeout_s` counts as failed.
    """

    def __init__(self, probes: Mapping[str, Probe], clock: Clock, *, probe_timeout_s: float = 3.0) -> None:
        self._probes = probes
        self._clock = clock
        self._probe_timeout_s = probe_timeout_s
        self._draining = False
        self._asking = asyncio.Lock()
        self._asked: datetime | None = None
        self._problems: Mapping[str, str] = {}

    def drain(self) -> None:
        """Be unready from now on: the process is about to end."""
        self._draining = True

    async def problems(self) -> Mapping[str, str]:
        """Return what keeps this process from being ready, by the probe's name; empty when it is ready."""
        if self._draining:
            return {"process": "draining"}
        async with self._asking:
            if self._asked is None or self._clock.now() - self._asked >= _LIFETIME:
                self._problems = await self._ask()
                self._asked = self._clock.now()
            return self._problems

    async def _ask(self) -> dict[str, str]:
        async with asyncio.TaskGroup() as group:
            asked = {name: group.create_task(self._attempt(probe)) for name, probe in self._probes.items()}
        return {name: problem for name, task in asked.items() if (problem := task.result()) is not None}

    async def _attempt(self, probe: Probe) -> str | None:
        try:
            async with asyncio.timeout(self._probe_timeout_s):
                await probe()
        except SseProxyError as error:
            return error.message
        except TimeoutError:
            return f"no answer within {self._probe_timeout_s:g} s"
        return None


class ProcessReports:
    """What the admin port tells of this process: `Reports` of `server.admin`. `render` gives its metrics."""

    def __init__(self, readiness: Readiness, render: Callable[[], bytes]) -> None:
        self._readiness = readiness
        self._render = render

    async def is_healthy(self) -> bool:
        """Say yes: the event loop turns, or nobody would be answered."""
        return True

    async def problems(self) -> Mapping[str, str]:
        """Return what keeps this process from being ready, by the probe's name."""
        return await self._readiness.problems()

    async def metrics(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return self._render()
