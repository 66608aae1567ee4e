"""Differences between the two answers, and which of them are meant."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.differential.normalise import Record
from tests.differential.run import Outcome

ALLOWED = Path(__file__).parent / "allowed.toml"
ABSENT = "absent"
_KEYS = {"backends", "cases", "fields", "direct", "proxied", "reason"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one answer that is not the same; `step` counts from 1."""

    case: str
    step: int
    field: str
    direct: str
    proxied: str

    def __str__(self) -> str:
        return f"{self.case} | {self.step} | {self.field} | {self.direct!r} | {self.proxied!r}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """An entry of allowed.toml: patterns (`*`, `?`) for backend, case, field and both values, and why it is meant."""

    backends: tuple[str, ...]
    cases: tuple[str, ...]
    fields: tuple[str, ...]
    direct: str
    proxied: str
    reason: str

    @property
    def is_for_all_cases(self) -> bool:
        return self.cases == ("*",)

    def names(self, backend: str) -> bool:
        return any(fnmatchcase(backend, pattern) for pattern in self.backends)

    def covers(self, difference: Difference) -> bool:
        return (
            any(fnmatchcase(difference.field, pattern) for pattern in self.fields)
            and any(fnmatchcase(difference.case, pattern) for pattern in self.cases)
            and fnmatchcase(difference.direct, self.direct)
            and fnmatchcase(difference.proxied, self.proxied)
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why answers differ where they may, and what must be dealt with, in words.

    `everywhere` are the reasons of entries that are for all cases, `reasons` those of all others by case.
    """

    everywhere: tuple[str, ...]
    reasons: dict[str, tuple[str, ...]]
    problems: list[str]


def read_allowances(path: Path = ALLOWED) -> tuple[Allowance, ...]:
    """Read the reviewed file. Raises ValueError where an entry has no reason or a word that means nothing."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("allowed", [])
    return tuple(_allowance(entry) for entry in entries)


def _allowance(entry: dict[str, object]) -> Allowance:
    reason = str(entry.get("reason", "")).strip()
    if not reason or entry.keys() - _KEYS or not {"backends", "cases", "fields"} <= entry.keys():
        raise ValueError(
            f"allowed.toml: {entry} needs backends, cases, fields and a reason, and takes direct and proxied"
        )
    lists = {name: _texts(entry[name]) for name in ("backends", "cases", "fields")}
    return Allowance(
        **lists, direct=str(entry.get("direct", "*")), proxied=str(entry.get("proxied", "*")), reason=reason
    )


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"allowed.toml: {value!r} is not a list of patterns")
    return tuple(str(item) for item in value)


def differences(outcome: Outcome) -> Iterator[Difference]:
    """Return what differs. Where status or error code do, the rest of that answer says nothing more."""
    for step, (direct, proxied) in enumerate(zip(outcome.direct, outcome.proxied, strict=True), 1):
        names = ["outcome"] if direct["outcome"] != proxied["outcome"] else sorted(direct.keys() | proxied.keys())
        for name in names:
            ours, theirs = _told(direct, name), _told(proxied, name)
            if ours != theirs:
                yield Difference(outcome.case.identity, step, name, ours, theirs)


def _told(record: Record, name: str) -> str:
    return record.get(name, ABSENT)


def judge(outcomes: Iterable[Outcome], allowances: Iterable[Allowance], backend: str) -> Verdict:
    """Compare, against what is allowed for `backend`.

    A problem is a difference that no entry covers, or an entry, case or field pattern that covers none any more.
    """
    entries = [entry for entry in allowances if entry.names(backend)]
    everywhere: dict[str, None] = {}
    reasons: dict[str, dict[str, None]] = {}
    problems: list[str] = []
    found: list[Difference] = []
    for outcome in outcomes:
        for difference in differences(outcome):
            found.append(difference)
            covering = [entry for entry in entries if entry.covers(difference)]
            if not covering:
                problems.append(f"new difference: {difference}")
            for entry in covering[:1]:
                told = everywhere if entry.is_for_all_cases else reasons.setdefault(difference.case, {})
                told[entry.reason] = None
    problems += [text for entry in entries for text in _outlived(entry, found)]
    return Verdict(tuple(everywhere), {case: tuple(told) for case, told in reasons.items()}, problems)


def _outlived(entry: Allowance, found: list[Difference]) -> Iterator[str]:
    covered = [difference for difference in found if entry.covers(difference)]
    for patterns, attribute in ((entry.cases, "case"), (entry.fields, "field")):
        for pattern in patterns:
            if not any(fnmatchcase(getattr(difference, attribute), pattern) for difference in covered):
                yield f"no longer occurs: {attribute} {pattern!r} of the entry {entry.reason!r}"
