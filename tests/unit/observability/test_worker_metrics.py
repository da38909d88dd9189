"""Whichever worker is scraped tells the figures of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from seekway.observability.worker_metrics import WorkerMetrics


class _Flags(Collector):
    """Gauges made from conditions, as the endpoints' are."""

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("seekway_backend_available", "", labels=["backend"])
        family.add_metric(["a"], True)
        yield family


def _worker(number: int, folder: Path) -> WorkerMetrics:
    registry = CollectorRegistry()
    registry.register(_Flags())
    return WorkerMetrics(registry, number, folder)


async def test_a_figure_that_is_a_condition_reaches_the_worker_that_is_scraped(tmp_path: Path) -> None:
    workers = [_worker(number, tmp_path) for number in (1, 2)]
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker.serving())
        told = {metric.name: metric for metric in (await workers[0].collect()).collect()}
    available = told["seekway_backend_available"].samples
    assert [(sample.labels["worker"], sample.value) for sample in available] == [("1", 1.0), ("2", 1.0)]
    assert told["seekway_workers"].samples[0].value == 2
