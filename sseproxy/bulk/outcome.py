"""What became of one object, and of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one object.

    `outcome` is a word of the tool's; `problem` says what is wrong, and makes the command fail; `size` is how many
    bytes of plaintext were worked on; `group` is what a summary counts under; `details` go into the report.
    `unavailable`: it came to nothing because somebody was away, not because of the object.
    """

    key: str
    outcome: str
    size: int = 0
    problem: str | None = None
    reason: str | None = None  # the kind of problem, one word
    group: str | None = None
    unavailable: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> dict[str, Any]:
        """Return the report's line."""
        fields = {
            "key": self.key,
            "outcome": self.outcome,
            "bytes": self.size,
            "reason": self.reason,
            "problem": self.problem,
            "group": self.group,
            "unavailable": self.unavailable or None,
        }
        return {name: value for name, value in fields.items() if value is not None} | dict(self.details)


@dataclass(slots=True)
class Share:
    """How many objects, and how many bytes in them."""

    objects: int = 0
    size: int = 0

    def add(self, size: int) -> None:
        """Count one more."""
        self.objects += 1
        self.size += size


@dataclass(slots=True)
class Tally:
    """Outcomes counted by word and by group."""

    outcomes: dict[str, Share] = field(default_factory=dict)
    groups: dict[str, Share] = field(default_factory=dict)
    problems: int = 0

    def add(self, line: Mapping[str, Any]) -> None:
        """Count a line of a report."""
        size = int(line.get("bytes", 0))
        self.outcomes.setdefault(str(line["outcome"]), Share()).add(size)
        if "group" in line:
            self.groups.setdefault(str(line["group"]), Share()).add(size)
        self.problems += "problem" in line

    @property
    def objects(self) -> int:
        """How many objects were counted."""
        return sum(share.objects for share in self.outcomes.values())

    @property
    def size(self) -> int:
        """How many bytes were counted."""
        return sum(share.size for share in self.outcomes.values())

    def document(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "objects": self.objects,
            "bytes": self.size,
            "problems": self.problems,
            "outcomes": {name: share.objects for name, share in sorted(self.outcomes.items())},
            "groups": {
                name: {"objects": share.objects, "bytes": share.size} for name, share in sorted(self.groups.items())
            },
        }
