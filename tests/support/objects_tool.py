"""`sseproxy objects …` as a user runs it: a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.nonces import recording_environment
from tests.support.nursery import nursery_for
from tests.support.servers import Server


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

    def command(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sseproxy", *self.arguments(name, *arguments)]

    def environment(self) -> dict[str, str]:
        return recording_environment({**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}, self.nonces)

    def run(self, name: str, *arguments: str, report: Path | None = None, timeout_s: float = 120) -> Done:
        """Run a command to its end, in a process of its own."""
        more = ["--report", str(report)] if report else []
        code, out, err = nursery_for(self.nonces).run(self.arguments(name, *arguments, *more), timeout_s=timeout_s)
        assert "Traceback" not in err, err
        return Done(code, out, err, read_report(report))

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command and return at once. What it says is in `log`."""
        with self.log.open("wb") as sink:
            return subprocess.Popen(
                self.command(name, *arguments),
                stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=self.environment(),
            )  # fmt: skip

    @property
    def log(self) -> Path:
        """Where the command that was started last writes."""
        return self.nonces.parent / "tool.log"


def read_report(path: Path | None) -> list[dict[str, Any]]:
    """Return a report's lines."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def tool_of(server: Server, nonces: Path) -> ObjectsTool:
    """Return the tool beside a proxy that the launcher started, or beside a dev server."""
    configs = sorted(server.data.glob("sseproxy-*.toml"), key=lambda path: path.stat().st_mtime_ns)
    place = ("--config", str(configs[-1])) if configs else ("--data", str(server.data))
    return ObjectsTool(place, nonces)
