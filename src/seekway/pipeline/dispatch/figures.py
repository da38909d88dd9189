"""Resilience as Prometheus metrics, read from plain counters when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from seekway.pipeline.dispatch.desk import Lane
from seekway.pipeline.routing.endpoint import Endpoint

_BREAKER = {"closed": 0.0, "half_open": 1.0, "open": 2.0}

_COUNTERS_OF_BACKEND: tuple[tuple[str, str, Callable[[Endpoint], int]], ...] = (
    ("seekway_backend_attempts", "Times a backend was asked to generate.", lambda e: e.attempts),
    ("seekway_backend_failures", "Attempts that failed by the backend's fault.", lambda e: e.failures),
    ("seekway_backend_retries", "Attempts after another one had failed.", lambda e: e.retries),
    ("seekway_backend_hedges", "Attempts made beside one that gave no token in time.", lambda e: e.hedges),
    ("seekway_backend_ejections", "Times a backend was left out as an outlier.", lambda e: e.ejection.count),
    ("seekway_backend_breaker_openings", "Times its circuit breaker opened.", lambda e: e.breaker.openings),
)
_GAUGES_OF_BACKEND: tuple[tuple[str, str, Callable[[Endpoint, float], float]], ...] = (
    ("seekway_backend_outstanding", "Attempts under way.", lambda e, _: e.outstanding),
    ("seekway_backend_limit", "Attempts at once that the adaptive limit allows.", lambda e, _: e.limit),
    ("seekway_backend_available", "1 while a backend may be chosen.", lambda e, now: e.available(now)),
    (
        "seekway_backend_breaker_state",
        "Circuit breaker: 0 closed, 1 half-open, 2 open.",
        lambda e, now: _BREAKER[e.breaker.state(now)],
    ),
    ("seekway_backend_ejected", "1 while left out as an outlier.", lambda e, now: e.ejected(now)),
)
_COUNTERS_OF_POOL: tuple[tuple[str, str, Callable[[Lane], int]], ...] = (
    ("seekway_pool_requests", "Requests for a pool of backends.", lambda p: p.requests),
    ("seekway_pool_shed", "Requests refused because all backends were full.", lambda p: p.shed),
    ("seekway_pool_queued", "Requests that waited because all backends were full.", lambda p: p.queued),
    ("seekway_pool_continued", "Broken answers that another backend continued.", lambda p: p.continued),
    ("seekway_pool_hedges_won", "Requests that the second backend answered first.", lambda p: p.hedges_won),
    (
        "seekway_pool_retries_refused",
        "Retries not made because the budget was used up.",
        lambda p: p.retry_budget.refused,
    ),
)


class ResilienceFigures(Collector):
    """Register with the process's registry; a scrape reads both once. ``clock`` is the event loop's."""

    def __init__(
        self,
        endpoints: Callable[[], Iterable[Endpoint]],
        lanes: Callable[[], Iterable[Lane]],
        clock: Callable[[], float],
    ) -> None:
        self._endpoints = endpoints
        self._lanes = lanes
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Empty, so that registering reads nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        now, endpoints, lanes = self._clock(), tuple(self._endpoints()), tuple(self._lanes())
        for name, text, read in _COUNTERS_OF_BACKEND:
            counter = CounterMetricFamily(name, text, labels=("backend",))
            for endpoint in endpoints:
                counter.add_metric((endpoint.name,), read(endpoint))
            yield counter
        for name, text, measure in _GAUGES_OF_BACKEND:
            gauge = GaugeMetricFamily(name, text, labels=("backend",))
            for endpoint in endpoints:
                gauge.add_metric((endpoint.name,), float(measure(endpoint, now)))
            yield gauge
        for name, text, count in _COUNTERS_OF_POOL:
            counter = CounterMetricFamily(name, text, labels=("pool",))
            for lane in lanes:
                counter.add_metric((lane.name,), count(lane))
            yield counter
