"""Tiers of backends: the first is used while it can be, then the next."""

from __future__ import annotations

from collections.abc import Collection

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.cheapest import first_not_full
from seekway.pipeline.routing.least_outstanding import LeastOutstanding
from seekway.pipeline.routing.pool import Choice, E, Pool


class Tiers:
    """A tier is used while one of its backends is available and not full, and again as soon as one is; within it the least loaded."""

    def __init__(self, least: LeastOutstanding, full_at: int) -> None:
        self._least = least
        self._full_at = full_at

    def pick(
        self, pool: Pool[E], request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice[E] | None:
        return first_not_full(pool, pool.tiers, self._least, self._full_at, now, tried)
