"""What the admin port tells where several workers serve: their answers as one."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sseproxy.bootstrap.crew import Crew
from sseproxy.bootstrap.telemetry import Telemetry
from sseproxy.bootstrap.worker_process import NoAnswer, WorkerProcess
from sseproxy.telemetry.merging import MergedMetrics

_SUPERVISOR = "supervisor"


class CrewReports:
    """`Reports` of `server.admin`, from all workers and the supervisor itself."""

    def __init__(self, crew: Crew, telemetry: Telemetry) -> None:
        self._crew = crew
        self._own = telemetry.metrics
        self._merged = MergedMetrics()

    async def is_healthy(self) -> bool:
        """Whether every worker that serves answers; one that ended is replaced, which is no reason for alarm."""
        return None not in (await self._ask_all("health")).values()

    async def problems(self) -> Mapping[str, str]:
        """Return what keeps workers from being ready, by the problem's name and the worker's number."""
        if self._crew.is_ending:
            return {"process": "draining"}
        found = {f"worker {number}": "does not serve" for number, one in self._crew.workers().items() if one is None}
        for number, problems in (await self._ask_all("problems")).items():
            if problems is None:
                found[f"worker {number}"] = "does not answer"
            else:
                found |= {f"{name} (worker {number})": problem for name, problem in problems.items()}
        return found

    async def metrics(self) -> bytes:
        """Return the sum of all workers' metrics, those that have ended included."""
        lives = {number: one.pid for number, one in self._crew.workers().items() if one is not None}
        for number, document in (await self._ask_all("metrics")).items():
            if document is not None:
                self._merged.update(str(number), lives[number], document.encode())
        self._merged.update(_SUPERVISOR, 0, self._own.render())
        return self._merged.render({_SUPERVISOR, *map(str, lives)})

    async def _ask_all(self, about: str) -> dict[int, Any]:
        """Return what each worker that serves answers, None where it does not."""
        async with asyncio.TaskGroup() as group:
            asked = {
                number: group.create_task(_ask(worker, about))
                for number, worker in self._crew.workers().items()
                if worker is not None
            }
        return {number: task.result() for number, task in asked.items()}


async def _ask(worker: WorkerProcess, about: str) -> Any:  # noqa: ANN401  # whatever JSON can say
    try:
        return await worker.ask(about)
    except NoAnswer:
        return None
