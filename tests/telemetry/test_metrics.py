"""The metrics and the table that declares them."""

from pathlib import Path

import pytest

from sseproxy.telemetry.metrics import METRICS, Kind, PrometheusMetrics


def _labels(name: str) -> dict[str, str]:
    return dict.fromkeys(METRICS[name].labels, "x")


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.kind is not Kind.HISTOGRAM])
def test_every_counter_and_gauge_counts_with_its_labels(name: str) -> None:
    metrics = PrometheusMetrics()

    metrics.count(name, 2.0, **_labels(name))
    metrics.count(name, **_labels(name))

    assert metrics.value(name, **_labels(name)) == 3.0


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.kind is Kind.HISTOGRAM])
def test_every_histogram_observes_with_its_labels(name: str) -> None:
    metrics = PrometheusMetrics()

    metrics.observe(name, 0.2, **_labels(name))

    text = metrics.render().decode()
    assert f"sseproxy_{name}_count" in text
    assert metrics.value("observer_misuse_total") == 0


def test_a_gauge_goes_down_again() -> None:
    metrics = PrometheusMetrics()

    metrics.count("in_flight", 1.0)
    metrics.count("in_flight", 1.0)
    metrics.count("in_flight", -1.0)

    assert metrics.value("in_flight") == 1.0


def test_what_the_table_does_not_know_is_counted_as_misuse_and_raises_nothing() -> None:
    metrics = PrometheusMetrics()

    metrics.count("no_such_name")
    metrics.count("requests_total", status="200")  # labels missing
    metrics.count("requests_total", -1.0, **_labels("requests_total"))  # a counter never falls
    metrics.observe("requests_total", 1.0, **_labels("requests_total"))  # not a distribution
    metrics.count("request_seconds", 1.0, **_labels("request_seconds"))
    metrics.observe("no_such_name", 1.0)

    assert metrics.value("observer_misuse_total") == 6.0
    assert metrics.value("requests_total", **_labels("requests_total")) == 0.0


def test_two_instances_share_nothing() -> None:
    one, two = PrometheusMetrics(), PrometheusMetrics()

    one.count("frames_rejected_total")

    assert (one.value("frames_rejected_total"), two.value("frames_rejected_total")) == (1.0, 0.0)


def test_the_text_format_names_every_metric_with_the_prefix() -> None:
    body = PrometheusMetrics().render()

    for name in METRICS:
        assert f"# TYPE sseproxy_{name.removesuffix('_total')}" in body.decode()
    assert b"process_resident_memory_bytes" in body


def test_names_are_those_that_prometheus_sees() -> None:
    assert [name for name, metric in METRICS.items() if name.endswith("_total") != (metric.kind is Kind.COUNTER)] == []


def test_the_operators_guide_lists_every_metric_with_its_labels() -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "operations.md").read_text()

    for name, metric in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert f"| `{name}` | {labels} | {metric.help} |".replace("|  |", "| |") in guide
