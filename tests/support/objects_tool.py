"""`sseproxy objects …` as a user runs it: a process of its own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.forked import Process
from tests.support.nursery import command_environment, run_command, start_module
from tests.support.servers import Server, whole_lines


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: exit code, output, and its report's lines."""

    code: int
    out: str
    err: str
    report: list[dict[str, Any]]

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The report's lines about objects."""
        return [line for line in self.report if "outcome" in line]

    @property
    def outcomes(self) -> dict[str, str]:
        """What became of each object."""
        return {line["key"]: line["outcome"] for line in self.objects}


@dataclass(frozen=True, slots=True)
class ObjectsTool:
    """Runs commands against the store and the keys of one proxy or dev server."""

    place: tuple[str, str]
    nonces: Path

    def arguments(self, name: str, *more: str) -> list[str]:
        """Return what stands behind `sseproxy`."""
        return ["objects", name, *self.place, *more]

    def run(self, name: str, *arguments: str, report: Path | None = None, timeout_s: float = 120) -> Done:
        """Run a command to its end, in a process of its own."""
        more = ["--report", str(report)] if report else []
        code, out, err = run_command(self.arguments(name, *arguments, *more), self.nonces, timeout_s=timeout_s)
        assert "Traceback" not in err, err
        return Done(code, out, err, read_report(report))

    def start(self, name: str, *arguments: str) -> Process:
        """Start a command and return at once. What it says is in `log`."""
        return start_module("sseproxy", self.arguments(name, *arguments), command_environment(self.nonces), self.log)

    @property
    def log(self) -> Path:
        """Where the command that was started last writes."""
        return self.nonces.parent / "tool.log"


def read_report(path: Path | None) -> list[dict[str, Any]]:
    """Return a report's lines, without one that is just being written."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in whole_lines(path.read_text())]


def tool_of(server: Server, nonces: Path) -> ObjectsTool:
    """Return the tool beside a proxy that the launcher started, or beside a dev server."""
    configs = sorted(server.data.glob("sseproxy-*.toml"), key=lambda path: path.stat().st_mtime_ns)
    place = ("--config", str(configs[-1])) if configs else ("--data", str(server.data))
    return ObjectsTool(place, nonces)
