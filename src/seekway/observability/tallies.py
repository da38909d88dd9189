"""Counters and histograms that cost an addition, for what is counted on every request.

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


class Count:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Counter(Collector):
    """``name`` without ``_total``; label values are given in the order of ``labels``. ``before`` is called when somebody is about to read."""

    def __init__(self, name: str, text: str, labels: Sequence[str], before: Callable[[], None]) -> None:
        self._before = before
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._counts: dict[Labels, Count] = {}

    def count(self, labels: Labels) -> Count:
        """The series of ``labels``, to be added to; from now on it is told of."""
        count = self._counts.get(labels)
        if count is None:
            count = self._counts[labels] = Count()
        return count

    def describe(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        self._before()
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, count in self._counts.items():
            family.add_metric(labels, count.value)
        yield family


class Cell:
    """One series of a histogram."""

    __slots__ = ("_buckets", "counts", "total")

    def __init__(self, buckets: tuple[float, ...]) -> None:
        self._buckets = buckets
        self.counts = [0] * (len(buckets) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._buckets, value)] += 1
        self.total += value


class Histogram(Collector):
    """``buckets`` are upper bounds, ascending, without infinity."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float], before: Callable[[], None]
    ) -> None:
        self._before = before
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._buckets = tuple(buckets)
        self._cells: dict[Labels, Cell] = {}

    def cell(self, labels: Labels) -> Cell:
        """The series of ``labels``, to be added to; from now on it is told of."""
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = Cell(self._buckets)
        return cell

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
