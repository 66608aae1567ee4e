"""Reports: what an earlier run has done already, by its lines alone."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sseproxy.bulk.report import Before, Report, RunName
from sseproxy.errors import ConfigurationError

_NAME = RunName(tool="verify", bucket="b", prefix="", dry_run=False)
_BEGAN = datetime(2026, 11, 20, 12, tzinfo=UTC)
_LATER = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _report(path: Path, *lines: Mapping[str, Any]) -> Path:
    report = Report.begin(path, _NAME, _BEGAN)
    for line in lines:
        report.write(line)
    report.close()
    return path


def _resumed(path: Path) -> tuple[Before, list[Mapping[str, Any]]]:
    seen: list[Mapping[str, Any]] = []
    report, before = Report.resume(path, _NAME, _LATER, seen.append)
    report.close()
    return before, seen


def test_a_run_goes_on_behind_the_last_key_but_one_and_knows_the_versions_of_the_last(tmp_path: Path) -> None:
    lines: list[Mapping[str, Any]] = [
        {"key": "a", "outcome": "verified"},
        {"key": "b", "outcome": "verified", "version_id": "3"},
        {"key": "c", "outcome": "verified", "version_id": "5"},
        {"key": "c", "outcome": "failed", "version_id": "4", "problem": "away"},
        {"key": "a", "outcome": "sealed", "pass": 2},
    ]

    before, seen = _resumed(_report(tmp_path / "report", *lines))

    assert seen == lines
    assert before == Before(began=_BEGAN, behind="b", last_key="c", versions=frozenset({"5", "4"}))
    assert [before.worked_on("c", version) for version in ("5", "4", "2", "null", None)] == [True, True, *[False] * 3]
    assert [before.worked_on(key, "3") for key in ("b", "d")] == [True, False]


def test_of_present_objects_the_last_one_is_known_without_a_version(tmp_path: Path) -> None:
    before, _ = _resumed(_report(tmp_path / "report", {"key": "a", "outcome": "verified"}))

    assert before == Before(began=_BEGAN, behind="", last_key="a", versions=frozenset({None}))
    assert [before.worked_on(key, None) for key in ("a", "b", "")] == [True, False, False]


def test_a_run_that_did_nothing_begins_at_the_beginning(tmp_path: Path) -> None:
    before, seen = _resumed(_report(tmp_path / "report"))

    assert (before, seen, before.worked_on("", None)) == (Before(began=_BEGAN), [], False)


def test_a_line_that_was_cut_off_is_removed_and_the_resumption_noted(tmp_path: Path) -> None:
    path = _report(tmp_path / "report", {"key": "a", "outcome": "verified"})
    with path.open("ab") as file:
        file.write(b'{"key": "b", "outc')

    before, _ = _resumed(path)

    assert before.last_key == "a"
    assert [json.loads(line) for line in path.read_text().splitlines()][1:] == [
        {"key": "a", "outcome": "verified"},
        {"event": "resume", "time": "2026-11-21T12:00:00+00:00"},
    ]


def test_all_from_the_first_object_on_that_nobody_could_be_asked_about_comes_again(tmp_path: Path) -> None:
    away = {"outcome": "failed", "problem": "away", "unavailable": True}
    done = [{"key": "a", "outcome": "verified"}, {"key": "b", "outcome": "tampered", "problem": "x"}]
    meanwhile = {"key": "d", "outcome": "verified"}  # was under way when the outage began
    outage: list[Mapping[str, Any]] = [{"key": "c", **away}, meanwhile, {"key": "e", **away}]
    path = _report(tmp_path / "report", *done, *outage, {"event": "end"})

    before, seen = _resumed(path)

    assert seen == done
    assert (before.behind, before.last_key) == ("a", "b")
    assert [json.loads(line) for line in path.read_text().splitlines()][1:] == [
        *done,
        {"event": "resume", "time": "2026-11-21T12:00:00+00:00"},
    ]


@pytest.mark.parametrize(("later", "kept"), [(10_000, 0), (10_001, 10_002)])
def test_an_outage_that_was_over_long_before_the_end_is_not_gone_through_again(
    tmp_path: Path, later: int, kept: int
) -> None:
    away = {"key": "a", "outcome": "failed", "problem": "away", "unavailable": True}
    path = _report(tmp_path / "report", away, *({"key": f"b{n:05}", "outcome": "verified"} for n in range(later)))

    _, seen = _resumed(path)

    assert len(seen) == kept


def test_a_run_that_ended_without_an_outage_keeps_its_end(tmp_path: Path) -> None:
    path = _report(tmp_path / "report", {"key": "a", "outcome": "verified"}, {"event": "end", "objects": 1})

    _resumed(path)

    assert [json.loads(line) for line in path.read_text().splitlines()][2] == {"event": "end", "objects": 1}


@pytest.mark.parametrize(
    "text",
    ["", "no json\n", '{"event": "end"}\n', '{"event": "begin", "tool": "verify", "bucket": "c"}\n'],
)
def test_what_is_no_report_of_such_a_run_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report"
    path.write_text(text)

    with pytest.raises(ConfigurationError):
        _resumed(path)

    assert path.read_text() == text
