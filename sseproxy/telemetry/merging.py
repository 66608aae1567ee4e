"""The metrics of several processes as one document.

Counters and distributions of our own are added up, and what ended processes counted stays in the sum: it never goes
back, which a scraper would take for a new beginning of everything. Gauges are added up over processes that run. What
belongs to one process by its nature (memory, open files, garbage collections) is told apart by the label `worker`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from sseproxy.telemetry.metrics import PREFIX

_FOR_EVER = frozenset({"counter", "histogram"})
_CREATED = "_created"  # when a process began to count: means nothing in a sum

_Labels = tuple[tuple[str, str], ...]
_Sums = defaultdict[tuple[str, _Labels], float]


@dataclass(frozen=True, slots=True)
class _Process:
    """What a process told last. `life` differs between those that bear the same name one after the other."""

    life: int
    families: list[Metric]


class MergedMetrics:
    """Documents in Prometheus' text format in, one document out."""

    def __init__(self) -> None:
        self._processes: dict[str, _Process] = {}
        self._ended: defaultdict[str, _Sums] = defaultdict(_no_sums)  # by the family's name

    def update(self, name: str, life: int, document: bytes) -> None:
        """Take what a process tells now. Another `life` than before: the process before it has ended."""
        before = self._processes.get(name)
        if before is not None and before.life != life:
            for family in _added_up(before.families):
                _add(self._ended[family.name], family)
        families = text_string_to_metric_families(document.decode())
        self._processes[name] = _Process(life, [one for one in families if not one.name.endswith(_CREATED)])

    def render(self, running: Collection[str]) -> bytes:
        """Return the document; `running` are the names of the processes that run now."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Shown(self._merged(running)))
        return generate_latest(registry)

    def _merged(self, running: Collection[str]) -> list[Metric]:
        shown: dict[str, Metric] = {}
        sums = defaultdict(_no_sums, {name: ended.copy() for name, ended in self._ended.items()})
        for name, process in self._processes.items():
            for family in process.families if name in running else _added_up(process.families):
                metric = shown.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                if _is_ours(family):
                    _add(sums[family.name], family)
                else:
                    for sample in family.samples:
                        metric.add_sample(sample.name, {**sample.labels, "worker": name}, sample.value)
        for name, metric in shown.items():
            for (sample_name, labels), value in sums[name].items():
                metric.add_sample(sample_name, dict(labels), value)
        return list(shown.values())


class _Shown(Collector):
    """What prometheus_client's way to text takes metrics from."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._families


def _no_sums() -> _Sums:
    return defaultdict(float)


def _is_ours(family: Metric) -> bool:
    return family.name.startswith(PREFIX)


def _added_up(families: Iterable[Metric]) -> Iterator[Metric]:
    """Yield what counts also when the process that counted it has ended."""
    return (family for family in families if _is_ours(family) and family.type in _FOR_EVER)


def _add(sums: _Sums, family: Metric) -> None:
    for sample in family.samples:
        sums[sample.name, tuple(sample.labels.items())] += sample.value
