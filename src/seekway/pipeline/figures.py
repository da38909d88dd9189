"""The stages' counters as Prometheus has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from seekway.pipeline.stage import StageFigures

_COUNTERS: tuple[tuple[str, str, Callable[[StageFigures], float]], ...] = (
    ("seekway_stage_calls", "Requests or streams that a stage was asked about.", lambda f: f.calls),
    ("seekway_stage_refused", "Requests that a stage refused.", lambda f: f.refused),
    ("seekway_stage_seconds", "A stage's own time, waiting for others not counted.", lambda f: f.seconds),
)


class StageCounters(Collector):
    def __init__(self, figures: Callable[[], Iterable[StageFigures]]) -> None:
        self._figures = figures

    def describe(self) -> Iterator[Metric]:
        for name, text, _ in _COUNTERS:
            yield CounterMetricFamily(name, text, labels=("stage",))

    def collect(self) -> Iterator[Metric]:
        figures = tuple(self._figures())
        for name, text, read in _COUNTERS:
            family = CounterMetricFamily(name, text, labels=("stage",))
            for stage in figures:
                family.add_metric((stage.name,), read(stage))
            yield family
