"""The engines' own figures as Prometheus gauges, read from what the backends last said of their models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from seekway.core.types import EngineStats, ModelInfo

ServedModels = Callable[[], Iterable[tuple[str, ModelInfo]]]
"""Every served model with its backend's name, as known now; must not wait."""

_LABELS = ("backend", "model", "version")
_GAUGES: tuple[tuple[str, str, Callable[[EngineStats], float | None]], ...] = (
    ("seekway_engine_running", "Sequences being generated.", lambda s: s.running),
    ("seekway_engine_queued", "Sequences waiting for admission.", lambda s: s.queued),
    ("seekway_engine_queue_limit", "Sequences that may wait.", lambda s: s.queue_limit),
    ("seekway_engine_kv_cache_used_ratio", "KV cache in use, 0 to 1.", lambda s: s.kv_cache_used),
    (
        "seekway_engine_generated_tokens_per_second",
        "Generated tokens a second, over the last ten seconds.",
        lambda s: s.generated_tokens_per_s,
    ),
    ("seekway_worker_rss_bytes", "Memory of the worker process.", lambda s: s.rss_bytes),
)
_COUNTERS: tuple[tuple[str, str, Callable[[EngineStats], float]], ...] = (
    ("seekway_engine_prompt_tokens", "Prompt tokens since the worker started.", lambda s: s.prompt_tokens_total),
    (
        "seekway_engine_cached_tokens",
        "Prompt tokens from the prefix cache since the worker started.",
        lambda s: s.cached_tokens_total,
    ),
    (
        "seekway_engine_generated_tokens",
        "Generated tokens since the worker started.",
        lambda s: s.generated_tokens_total,
    ),
    ("seekway_engine_requests", "Requests since the worker started.", lambda s: s.requests_total),
    ("seekway_worker_restarts", "Times the worker process was started again.", lambda s: s.restarts),
)


class EngineFigures(Collector):
    """Register with the process's registry; a scrape reads ``served`` once."""

    def __init__(self, served: ServedModels) -> None:
        self._served = served

    def describe(self) -> Iterator[Metric]:
        """Empty, so that registering asks no backend."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        models = [((backend, info.id, info.version), info) for backend, info in self._served()]
        ready = GaugeMetricFamily("seekway_model_ready", "1 while the model answers.", labels=_LABELS)
        weights = GaugeMetricFamily("seekway_model_weight_bytes", "Memory of the weights.", labels=_LABELS)
        for labels, info in models:
            ready.add_metric(labels, float(info.state == "ready"))
            weights.add_metric(labels, info.weight_bytes)
        yield ready
        yield weights
        for name, text, read in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=_LABELS)
            for labels, info in models:
                value = read(info.stats)
                if value is not None:
                    gauge.add_metric(labels, value)
            yield gauge
        for name, text, total in _COUNTERS:
            counter = CounterMetricFamily(name, text, labels=_LABELS)
            for labels, info in models:
                counter.add_metric(labels, total(info.stats))
            yield counter
