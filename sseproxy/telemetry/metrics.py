"""Prometheus metrics: every name and its labels in one table, in a registry of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
PREFIX = "sseproxy_"


class Kind(Enum):
    """How the values of a metric add up."""

    COUNTER = auto()
    GAUGE = auto()  # counted up and down through `Observer.count`
    HISTOGRAM = auto()  # fed through `Observer.observe`


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its kind, its help text, its label names. Labels have few values: never a bucket, a key, a client."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "requests_total": Metric(Kind.COUNTER, "Requests answered", ("dialect", "operation", "status")),
        "request_seconds": Metric(
            Kind.HISTOGRAM, "From a request's head to the end of its answer", ("dialect", "operation")
        ),
        "in_flight": Metric(Kind.GAUGE, "Requests in progress"),
        "requests_refused_total": Metric(Kind.COUNTER, "Requests turned away before they were served", ("reason",)),
        "workers": Metric(Kind.GAUGE, "Processes that serve"),
        "worker_restarts_total": Metric(Kind.COUNTER, "Workers that ended and were started again"),
        "bytes_in_total": Metric(Kind.COUNTER, "Bytes of bodies received from clients", ("dialect",)),
        "bytes_out_total": Metric(Kind.COUNTER, "Bytes of bodies sent to clients", ("dialect",)),
        "upstream_requests_total": Metric(Kind.COUNTER, "Requests to the storage", ("method", "status")),
        "upstream_seconds": Metric(
            Kind.HISTOGRAM, "From a request to the storage to the head of its answer", ("method",)
        ),
        "backend_reads_resumed_total": Metric(Kind.COUNTER, "Reads that went on after the storage broke off"),
        "listing_entries_total": Metric(
            Kind.COUNTER, "Entries of listings: in the cache or not, or computed", ("known",)
        ),
        "entry_cache_failures_total": Metric(
            Kind.COUNTER, "Times that the cache of listings' entries failed and was left alone"
        ),
        "reads_restarted_total": Metric(Kind.COUNTER, "Reads begun again because the object changed in between"),
        "client_encrypted_reads_total": Metric(
            Kind.COUNTER, "Reads of objects that clients encrypted, with a key for them or without", ("result",)
        ),
        "kms_calls_total": Metric(Kind.COUNTER, "Calls of the key service", ("operation", "result")),
        "kms_seconds": Metric(Kind.HISTOGRAM, "Duration of calls of the key service", ("operation",)),
        "key_service_attempts_total": Metric(
            Kind.COUNTER, "Attempts of remote key services", ("provider", "operation", "result")
        ),
        "unwrap_cache_total": Metric(Kind.COUNTER, "Look-ups of opened data keys", ("result",)),
        "frames_rejected_total": Metric(Kind.COUNTER, "Stored frames that failed their integrity check"),
        "integrity_errors_total": Metric(Kind.COUNTER, "Stored objects or records refused as damaged", ("kind",)),
        "observer_misuse_total": Metric(Kind.COUNTER, "Measurements under a name or labels that no table declares"),
    }
)


class PrometheusMetrics:
    """The instruments of `METRICS`. Names here have no prefix; what is exposed starts with `sseproxy_`.

    A name that the table does not have, or other labels, are counted as `observer_misuse_total` and otherwise
    ignored: measuring never breaks a request.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._instruments = {name: _build(name, metric, self._registry) for name, metric in METRICS.items()}
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        """Add to a counter, or to a gauge, which also takes negative values."""
        instrument = self._find(name, labels)
        if isinstance(instrument, Gauge) or (isinstance(instrument, Counter) and value >= 0):
            (instrument.labels(**labels) if labels else instrument).inc(value)
        else:
            self._misused()

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add to a distribution."""
        instrument = self._find(name, labels)
        if isinstance(instrument, Histogram):
            (instrument.labels(**labels) if labels else instrument).observe(value)
        else:
            self._misused()

    def value(self, name: str, /, **labels: str) -> float:
        """Return the present value of a counter or gauge, 0 where nothing was counted yet."""
        return self._registry.get_sample_value(PREFIX + name, labels) or 0.0

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def _find(self, name: str, labels: Mapping[str, str]) -> Counter | Gauge | Histogram | None:
        metric = METRICS.get(name)
        if metric is None or set(metric.labels) != set(labels):
            return None
        return self._instruments[name]

    def _misused(self) -> None:
        instrument = self._instruments["observer_misuse_total"]
        if isinstance(instrument, Counter):
            instrument.inc()


def _build(name: str, metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    full_name = PREFIX + name
    match metric.kind:
        case Kind.COUNTER:
            return Counter(full_name, metric.help, metric.labels, registry=registry)
        case Kind.GAUGE:
            return Gauge(full_name, metric.help, metric.labels, registry=registry)
        case Kind.HISTOGRAM:
            return Histogram(full_name, metric.help, metric.labels, registry=registry, buckets=_SECONDS)
