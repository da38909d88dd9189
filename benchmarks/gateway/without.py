"""``python -m benchmarks.gateway.without PART …``: ``seekway`` without a part that no setting switches off, so that its cost can be seen.

For the benchmark alone: what is taken out is put out of work in this process, and nothing is served any better for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from seekway.app.cli import main
from seekway.observability.metrics import Metrics
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.endpoint import Endpoint
from seekway.pipeline.stages.count_usage import CountUsage


def _metrics() -> None:
    def request_ended(self: Metrics, record: RequestRecord) -> None: ...

    Metrics.request_ended = request_ended


def _usage() -> None:
    def open_none(self: CountUsage, request: object, exchange: Exchange) -> None: ...

    CountUsage.open = open_none  # pyright: ignore[reportAttributeAccessIssue] - a stage may open nothing, this one never does


def _health() -> None:
    """Breaker, window of outcomes, ejection, slow start, latencies and the adaptive limit; attempts are still counted."""

    def available(self: Endpoint, now: float) -> bool:
        return True

    def begin(self: Endpoint) -> bool:
        self.outstanding += 1
        self.attempts += 1
        return False

    def first_event(self: Endpoint, now: float, began: float, *, probe: bool) -> None: ...

    def succeeded(self: Endpoint, now: float) -> None:
        self.outstanding -= 1

    Endpoint.available = available
    Endpoint.begin = begin
    Endpoint.first_event = first_event
    Endpoint.succeeded = succeeded


PARTS: dict[str, Callable[[], None]] = {"metrics": _metrics, "usage": _usage, "health": _health}

if __name__ == "__main__":
    PARTS[sys.argv.pop(1)]()
    main(prog_name="seekway")
