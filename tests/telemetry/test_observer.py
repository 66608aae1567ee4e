"""The composed observer, and that the code uses only what the tables declare."""

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import sseproxy
from sseproxy.errors import IntegrityError
from sseproxy.telemetry.logs import build_logger
from sseproxy.telemetry.metrics import METRICS, Kind, PrometheusMetrics
from sseproxy.telemetry.observer import EVENTS, TelemetryObserver
from sseproxy.telemetry.tally import UPSTREAM_REQUESTS, tallying

SOURCES = Path(str(sseproxy.__file__)).parent


def _observer_calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call of `….observer.count/observe/event(…)` in the program: where, which method, the call."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name.lstrip("_") == "observer" and node.func.attr in {"count", "observe", "event"}:
                yield f"{path.relative_to(SOURCES)}:{node.lineno}", node.func.attr, node


def test_every_measurement_in_the_code_is_declared_with_its_labels() -> None:
    wrong = []
    for where, method, call in _observer_calls():
        if method == "event":
            continue
        name = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        metric = METRICS.get(str(name))
        labels = {keyword.arg for keyword in call.keywords}
        kinds = {Kind.HISTOGRAM} if method == "observe" else {Kind.COUNTER, Kind.GAUGE}
        if metric is None or metric.kind not in kinds or (None not in labels and labels != set(metric.labels)):
            wrong.append((where, name, labels))

    assert wrong == []


def test_every_event_in_the_code_is_declared_and_every_declared_event_is_used() -> None:
    used = {
        call.args[0].value: where
        for where, method, call in _observer_calls()
        if method == "event" and isinstance(call.args[0], ast.Constant)
    }

    assert {name: where for name, where in used.items() if name not in EVENTS} == {}
    assert set(EVENTS) - set(used) == _integrity_kinds()


def _integrity_kinds() -> set[str]:
    """The events that an integrity error is logged as: named for the class."""

    def every(branch: type[IntegrityError]) -> Iterator[type[IntegrityError]]:
        yield branch
        for inner in branch.__subclasses__():
            yield from every(inner)

    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower() for cls in every(IntegrityError)}


def test_the_operators_guide_explains_every_event_that_is_worth_an_alert() -> None:
    guide = (SOURCES.parent / "docs" / "operations.md").read_text()

    assert [
        name for name, level in EVENTS.items() if level in {"warning", "error"} and f"| `{name}` |" not in guide
    ] == []


def test_counts_reach_the_metrics_and_the_tally_of_the_request() -> None:
    metrics = PrometheusMetrics()
    observer = TelemetryObserver(metrics, build_logger(io.StringIO(), "info"))

    with tallying() as tally:
        observer.count(UPSTREAM_REQUESTS, method="GET", status="200")
        observer.observe("upstream_seconds", 0.1, method="GET")

    assert tally.upstream_requests == 1
    assert metrics.value(UPSTREAM_REQUESTS, method="GET", status="200") == 1.0
    assert metrics.value("observer_misuse_total") == 0.0


def test_an_event_is_logged_at_its_declared_level_and_an_unknown_one_as_a_warning() -> None:
    stream = io.StringIO()
    observer = TelemetryObserver(PrometheusMetrics(), build_logger(stream, "debug"))

    observer.event("storage_refused_proxy", status=403, code="SignatureDoesNotMatch")
    observer.event("nobody_declared_this")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("storage_refused_proxy", "error"), ("nobody_declared_this", "warning"),
    ]  # fmt: skip


def test_nothing_an_observer_is_told_raises() -> None:
    stream = io.StringIO()
    observer = TelemetryObserver(PrometheusMetrics(), build_logger(stream, "info"))
    stream.close()

    observer.event("storage_failed", status=500)
    observer.count("no_such_name", colour="red")
    observer.observe("no_such_name", 1.0)

    assert stream.closed
