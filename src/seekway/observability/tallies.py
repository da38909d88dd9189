"""Counters and histograms that cost a dictionary lookup, for what is counted on every request.

A ``prometheus_client`` series takes a lock and formats its labels at each step, several microseconds in all; these are plain numbers
of one event loop's thread, and become Prometheus' families only when somebody scrapes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType] - it has no annotations

Labels = tuple[str, ...]


class Counter(Collector):
    """``name`` without ``_total``; label values are given in the order of ``labels``. ``before`` is called when somebody is about to read."""

    def __init__(self, name: str, text: str, labels: Sequence[str], before: Callable[[], None]) -> None:
        self._before = before
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._values: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        values = self._values
        values[labels] = values.get(labels, 0) + amount

    def describe(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        self._before()
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class _Cell:
    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.total = 0.0


class Histogram(Collector):
    """``buckets`` are upper bounds, ascending, without infinity."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float], before: Callable[[], None]
    ) -> None:
        self._before = before
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._buckets = tuple(buckets)
        self._cells: dict[Labels, _Cell] = {}

    def observe(self, labels: Labels, value: float) -> None:
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = _Cell(len(self._buckets))
        cell.counts[bisect_left(self._buckets, value)] += 1
        cell.total += value

    def describe(self) -> Iterator[Metric]:
        yield HistogramMetricFamily(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        self._before()
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        bounds = [*(str(floatToGoString(bound)) for bound in self._buckets), "+Inf"]
        for labels, cell in self._cells.items():
            below, cumulative = 0, list[tuple[str, float]]()
            for bound, count in zip(bounds, cell.counts, strict=True):
                below += count
                cumulative.append((bound, float(below)))
            family.add_metric(labels, cumulative, cell.total)
        yield family
