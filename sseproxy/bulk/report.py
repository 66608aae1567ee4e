"""The report of a bulk run: JSON lines, one per object in the order of the listing. It is also what a run resumes from.

Each line goes out in one write, so that a killed process leaves whole lines, or at most one that is cut off and
removed when the run is taken up again.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sseproxy.bulk.runner import MOST_WAITING
from sseproxy.errors import ConfigurationError

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunName:
    """What a report is about; a run is only taken up again by one of the same name."""

    tool: str
    bucket: str
    prefix: str
    dry_run: bool

    def fields(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"tool": self.tool, "bucket": self.bucket, "prefix": self.prefix, "dry_run": self.dry_run}


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What an earlier run left: when it began, and what was worked on.

    That is every key up to `behind`, and of `last_key`, which follows it, these versions (None: the present object).
    """

    began: datetime
    behind: str = ""
    last_key: str = ""
    versions: frozenset[str | None] = frozenset()

    def worked_on(self, key: str, version_id: str | None) -> bool:
        """Whether what a listing from `behind` on names was worked on; some listings begin with `behind` itself."""
        return key == self.behind != "" or (key == self.last_key and version_id in self.versions)


class Report:
    """An open report file. Every method raises `OSError`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def begin(cls, path: Path, name: RunName, now: datetime) -> Self:
        """Begin a new report; a file that exists is an error, because it may be the only record of a run."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            report = cls(os.open(path, flags, 0o600))
        except FileExistsError as cause:
            raise ConfigurationError(f"{path} exists; give another --report, or --resume to go on from it") from cause
        report.write({"event": "begin", "time": now.isoformat(), **name.fields()})
        return report

    @classmethod
    def resume(cls, path: Path, name: RunName, now: datetime, seen: Callable[[Line], None]) -> tuple[Self, Before]:
        """Take up the report of an earlier run; `seen` gets its lines about objects.

        Where it ends in an outage, all from the first object on that nobody could be asked about is taken out: those
        come again. Raises `ConfigurationError` where it is the report of another run.
        """
        size = _sound_size(path)
        lines = (line for line, end in _lines(path) if end <= size)
        first = next(lines, {})
        if first.get("event") != "begin" or any(first.get(key) != value for key, value in name.fields().items()):
            raise ConfigurationError(
                f"{path} is not the report of such a run; give the same arguments, or another file"
            )
        behind, last_key, versions = "", "", set[str | None]()
        for line in lines:
            if "outcome" not in line:
                continue
            seen(line)
            if "pass" in line:
                continue
            if line["key"] != last_key:
                behind, last_key, versions = last_key, line["key"], set()
            versions.add(line.get("version_id"))
        report = cls(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
        os.ftruncate(report._descriptor, size)
        report.write({"event": "resume", "time": now.isoformat()})
        began = datetime.fromisoformat(first["time"])
        return report, Before(began=began, behind=behind, last_key=last_key, versions=frozenset(versions))

    def write(self, line: Line) -> None:
        """Add a line."""
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the whole lines, and where in the file each ends."""
    end = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):
                    end += len(raw)
                    yield json.loads(raw), end
    except (OSError, ValueError) as cause:
        raise ConfigurationError(f"{path} cannot be read as a report; give another --report") from cause


def _sound_size(path: Path) -> int:
    """Return where the report ends without a line that was cut off, and without the outage that the run ended in.

    What was under way when an outage began may have come to an end all the same, between others that have not: it is
    done again rather than leaving those out.
    """
    whole, done_since = 0, 0
    outage: int | None = None  # where the last one begins
    for line, end in _lines(path):
        if "unavailable" in line:
            outage, done_since = whole if outage is None else outage, 0
        elif "outcome" in line:
            done_since += 1
            if done_since > MOST_WAITING:
                outage = None
        whole = end
    return whole if outage is None else outage
