"""What the answer cache has done since the process started: plain numbers on the way, Prometheus metrics at a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(slots=True)
class CacheCounts:
    """``hits`` are exact ones, those among them that waited for an equal request under way also in ``shared``.

    ``bypassed`` requests may not be cached or asked for it; ``unfit`` answers were made and must not be kept.
    """

    hits: int = 0
    semantic_hits: int = 0
    shared: int = 0
    misses: int = 0
    bypassed: int = 0
    stored: int = 0
    unfit: int = 0
    evicted: int = 0
    embedding_failures: int = 0
    store_failures: int = 0
    near_misses: int = 0
    """Questions whose vectors were near enough, and whose words said that they do not mean the same."""

    @property
    def hit_ratio(self) -> float:
        """Answers from the cache among all requests it was asked for, 0 to 1."""
        answered = self.hits + self.semantic_hits
        return answered / (answered + self.misses) if answered + self.misses else 0.0


@dataclass(frozen=True, slots=True)
class CacheSize:
    """What a store holds in this process; all 0 where it lies elsewhere."""

    entries: int = 0
    bytes: int = 0
    vectors: int = 0


class CacheFigures(Collector):
    """Register with the process's registry."""

    def __init__(self, counts: CacheCounts, size: Callable[[], CacheSize]) -> None:
        self._counts = counts
        self._size = size

    def describe(self) -> Iterator[Metric]:
        """Empty, so that registering reads nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        counts, size = self._counts, self._size()
        requests = CounterMetricFamily("seekway_cache_requests", "Requests by what the cache did.", labels=("result",))
        for result, count in (
            ("hit", counts.hits),
            ("semantic", counts.semantic_hits),
            ("miss", counts.misses),
            ("bypass", counts.bypassed),
        ):
            requests.add_metric((result,), count)
        yield requests
        for name, text, count in (
            ("shared", "Hits that waited for an equal request under way.", counts.shared),
            ("stored", "Answers kept.", counts.stored),
            ("unfit", "Answers made and not kept: cut short, empty or too large.", counts.unfit),
            ("evicted", "Answers that made room for others.", counts.evicted),
            ("embedding_failures", "Questions that could not be embedded in time.", counts.embedding_failures),
            ("store_failures", "Times the answers' store did not answer in time.", counts.store_failures),
            ("near_misses", "Questions near in vector whose words forbade the answer.", counts.near_misses),
        ):
            yield CounterMetricFamily(f"seekway_cache_{name}", text, value=count)
        for name, text, value in (
            ("hit_ratio", "Answers from the cache among the requests it was asked for, 0 to 1.", counts.hit_ratio),
            ("entries", "Answers in this process's memory.", size.entries),
            ("bytes", "Memory of the answers in this process.", size.bytes),
            ("vectors", "Questions remembered for the semantic cache.", size.vectors),
        ):
            yield GaugeMetricFamily(f"seekway_cache_{name}", text, value=value)
