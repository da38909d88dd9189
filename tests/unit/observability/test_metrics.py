"""What a scrape sees of the requests."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from seekway.core.types import Usage
from seekway.observability.metrics import Metrics
from seekway.observability.record import RequestRecord


def test_a_scrape_sees_every_request_that_has_ended() -> None:
    metrics = Metrics(CollectorRegistry())
    labels = {"route": "/v1/chat/completions", "status": "200"}
    for ended in range(1, 601):
        record = RequestRecord("r", route=labels["route"], operation="chat", model="m", status=200)
        record.usage = Usage(3, 2)
        metrics.request_ended(record)
        if ended in (1, 255, 256, 257, 600):
            assert metrics.registry.get_sample_value("seekway_http_requests_total", labels) == ended
            tokens = {"model": "m", "type": "input"}
            assert metrics.registry.get_sample_value("seekway_tokens_total", tokens) == 3 * ended
