"""What the limits and budgets tell of themselves, as Prometheus has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class QuotaFigures:
    """``shared`` is None where limits are not shared; ``gateways`` as last heard of."""

    buckets: int
    refused: int
    out_of_budget: int
    shared: bool | None
    gateways: int
    outages: int
    alone: int
    unwritten: int
    kept_back: bool


_READ = Callable[[QuotaFigures], float]
_COUNTERS: tuple[tuple[str, str, _READ], ...] = (
    ("seekway_quota_refused", "Requests that a limit refused.", lambda f: f.refused),
    ("seekway_quota_out_of_budget", "Requests that a spent budget refused.", lambda f: f.out_of_budget),
    ("seekway_quota_outages", "Times that Redis was lost.", lambda f: f.outages),
    ("seekway_quota_alone", "Requests that were judged without Redis although limits are shared.", lambda f: f.alone),
    ("seekway_quota_unwritten", "Times that spending could not be written to disk.", lambda f: f.unwritten),
)
_GAUGES: tuple[tuple[str, str, _READ], ...] = (
    ("seekway_quota_buckets", "Limits that something was lately taken from.", lambda f: f.buckets),
    ("seekway_quota_shared", "Whether Redis counts the limits now, 1 or 0; 0 also where it is not asked to.", lambda f: f.shared is True),
    ("seekway_quota_spending_kept_back", "Whether spending cannot be written to disk now and is kept in memory, 1 or 0.", lambda f: f.kept_back),
    ("seekway_quota_gateways", "Gateways that share the limits, as last heard.", lambda f: f.gateways),
)  # fmt: skip


class QuotaCollector(Collector):
    def __init__(self, figures: Callable[[], QuotaFigures]) -> None:
        self._figures = figures

    def describe(self) -> Iterator[Metric]:
        for name, text, _ in _COUNTERS:
            yield CounterMetricFamily(name, text)
        for name, text, _ in _GAUGES:
            yield GaugeMetricFamily(name, text)

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        for name, text, read in _COUNTERS:
            yield CounterMetricFamily(name, text, value=read(figures))
        for name, text, read in _GAUGES:
            yield GaugeMetricFamily(name, text, value=read(figures))
