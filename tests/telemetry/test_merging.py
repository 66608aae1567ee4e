"""Metrics of several processes in one document."""

import re

from sseproxy.telemetry.merging import MergedMetrics
from sseproxy.telemetry.metrics import METRICS, PrometheusMetrics


def _value(document: bytes, sample: str) -> float | None:
    """The value of one line of the text format."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", document.decode(), re.MULTILINE)
    return None if found is None else float(found[1])


def _process(**counts: float) -> PrometheusMetrics:
    metrics = PrometheusMetrics()
    for name, value in counts.items():
        metrics.count(name, value)
    return metrics


def _told(metrics: PrometheusMetrics) -> bytes:
    return metrics.render()


def test_counters_gauges_and_distributions_are_added_up_by_their_labels() -> None:
    one, two = _process(in_flight=3), _process(in_flight=4)
    for metrics, status in ((one, "200"), (two, "200"), (two, "404")):
        metrics.count("requests_total", dialect="s3", operation="get_object", status=status)
        metrics.observe("kms_seconds", 0.02, operation="wrap")
    merged = MergedMetrics()

    merged.update("1", 10, _told(one))
    merged.update("2", 20, _told(two))
    document = merged.render({"1", "2"})

    labels = 'dialect="s3",operation="get_object",status='
    assert _value(document, "sseproxy_in_flight") == 7
    assert _value(document, f'sseproxy_requests_total{{{labels}"200"}}') == 2
    assert _value(document, f'sseproxy_requests_total{{{labels}"404"}}') == 1
    assert _value(document, 'sseproxy_kms_seconds_count{operation="wrap"}') == 3
    assert _value(document, 'sseproxy_kms_seconds_bucket{le="0.01",operation="wrap"}') == 0
    assert _value(document, 'sseproxy_kms_seconds_bucket{le="0.025",operation="wrap"}') == 3


def test_what_an_ended_process_counted_stays_but_not_what_it_was_doing() -> None:
    first = _process(frames_rejected_total=2, in_flight=5)
    merged = MergedMetrics()
    merged.update("1", 10, _told(first))

    gone = merged.render(set())
    merged.update("1", 11, _told(_process(frames_rejected_total=1, in_flight=1)))
    replaced = merged.render({"1"})
    merged.update("1", 11, _told(_process(frames_rejected_total=4)))
    later = merged.render({"1"})

    assert [_value(each, "sseproxy_frames_rejected_total") for each in (gone, replaced, later)] == [2, 3, 6]
    assert [_value(each, "sseproxy_in_flight") for each in (gone, replaced, later)] == [None, 1, 0]


def test_a_count_under_labels_that_the_replacement_has_not_seen_yet_stays_too() -> None:
    first = _process()
    first.count("requests_refused_total", reason="overloaded")
    merged = MergedMetrics()
    merged.update("1", 10, _told(first))
    merged.update("1", 11, _told(_process()))

    assert _value(merged.render({"1"}), 'sseproxy_requests_refused_total{reason="overloaded"}') == 1


def test_what_belongs_to_one_process_is_told_apart_by_worker() -> None:
    merged = MergedMetrics()
    merged.update("1", 10, _told(_process()))
    merged.update("supervisor", 1, _told(_process()))

    document = merged.render({"1", "supervisor"}).decode()

    found = re.findall(r'^process_resident_memory_bytes\{worker="(\w+)"\} \d', document, re.MULTILINE)
    assert found == ["1", "supervisor"]


def test_the_merged_document_has_every_metric_once() -> None:
    merged = MergedMetrics()
    merged.update("1", 10, _told(_process()))
    merged.update("2", 20, _told(_process()))

    types = re.findall(r"^# TYPE (sseproxy_\w+) (\w+)$", merged.render({"1", "2"}).decode(), re.MULTILINE)

    expected = re.findall(r"^# TYPE (sseproxy_\w+) (\w+)$", _told(_process()).decode(), re.MULTILINE)
    assert sorted(types) == sorted(one for one in expected if not one[0].endswith("_created"))
    assert len(types) == len(METRICS)
