"""What the admin port tells where several workers serve: their answers as one."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sseproxy.bootstrap.crew import Crew
from sseproxy.bootstrap.telemetry import Telemetry
from sseproxy.bootstrap.worker_process import HasEnded, NoAnswer, WorkerProcess
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
        answers = await self._ask_all("problems")
        found = {f"worker {number}": "does not serve" for number in self._crew.workers() if number not in answers}
        for number, problems in sorted(answers.items()):
            if problems is None:
                found[f"worker {number}"] = "does not answer"
            else:
                found |= {f"{name} (worker {number})": problem for name, problem in problems.items()}
        return found

    async def metrics(self) -> bytes:
        """Return the sum of all workers' metrics, those that have ended included."""
        lives = {number: one.pid for number, one in self._crew.workers().items() if one is not None}
        answers = await self._ask_all("metrics")
        for number, document in answers.items():
            if document is not None:
                self._merged.update(str(number), lives[number], document.encode())
        self._merged.update(_SUPERVISOR, 0, self._own.render())
        return self._merged.render({_SUPERVISOR, *map(str, answers)})

    async def _ask_all(self, about: str) -> dict[int, Any]:
        """Return what each worker that serves answers, None where it hangs; who ends meanwhile is left out."""
        answers: dict[int, Any] = {}

        async def ask(number: int, worker: WorkerProcess) -> None:
            try:
                answers[number] = await worker.ask(about)
            except NoAnswer:
                answers[number] = None
            except HasEnded:
                return

        async with asyncio.TaskGroup() as group:
            for number, worker in self._crew.workers().items():
                if worker is not None:
                    group.create_task(ask(number, worker))
        return answers
