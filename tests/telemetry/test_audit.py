"""The audit log: its lines, and what happens to its file."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from sseproxy.errors import ConfigurationError
from sseproxy.ports import KeyAccess
from sseproxy.telemetry.audit import AuditLog, acting_for
from tests.operations.fakes import FakeClock, FakeObserver

_ACCESS = KeyAccess(use="decrypt", bucket="b", key="k", cmk="cmk-1", cmk_version="2", result="ok")


@dataclass(frozen=True)
class _Visit:
    request_id: str = "R1"
    principal: str = "alice"
    operation_name: str = "get_object"


def _log(sink: Path | io.StringIO, observer: FakeObserver | None = None) -> AuditLog:
    return AuditLog(sink, FakeClock(), observer or FakeObserver())


def test_a_line_tells_who_used_which_key_for_what_and_how_it_ended() -> None:
    sink = io.StringIO()

    with acting_for(_Visit()):
        _log(sink).key_used(_ACCESS)

    assert json.loads(sink.getvalue()) == {
        "timestamp": "2026-11-21T12:00:00.000+00:00",
        "event": "key_used",
        "request_id": "R1",
        "principal": "alice",
        "operation": "get_object",
        "use": "decrypt",
        "bucket": "b",
        "key": "k",
        "cmk": "cmk-1",
        "cmk_version": "2",
        "result": "ok",
    }
    assert sink.getvalue().endswith("}\n")


def test_a_tool_has_neither_request_nor_principal() -> None:
    sink = io.StringIO()

    _log(sink).key_used(_ACCESS)

    line = json.loads(sink.getvalue())
    assert (line["request_id"], line["principal"], line["operation"]) == (None, None, "tool")


def test_a_key_cannot_end_a_line_or_begin_one() -> None:
    sink = io.StringIO()
    name = 'a"\n{"event": "key_used"}\u2028'

    _log(sink).key_used(KeyAccess(use="decrypt", bucket="b", key=name, cmk="c", cmk_version=None, result="ok"))

    assert sink.getvalue().count("\n") == 1
    assert sink.getvalue().isascii()
    assert json.loads(sink.getvalue())["key"] == name


def test_the_file_may_be_moved_away_between_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = _log(path)

    log.key_used(_ACCESS)
    path.rename(tmp_path / "audit.log.1")
    log.key_used(_ACCESS)
    log.key_used(_ACCESS)

    assert len((tmp_path / "audit.log.1").read_text().splitlines()) == 1
    assert len(path.read_text().splitlines()) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"The audit log \S+/missing/audit\.log cannot be written: No such file"
    ):
        _log(tmp_path / "missing" / "audit.log")


def test_a_line_that_cannot_be_written_is_an_event_and_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    observer = FakeObserver()
    log = _log(tmp_path / "logs" / "audit.log", observer)
    (tmp_path / "logs" / "audit.log").unlink()
    (tmp_path / "logs").rmdir()

    log.key_used(_ACCESS)

    assert observer.events == ["audit_not_written"]
