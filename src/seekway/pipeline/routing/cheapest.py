"""The cheapest backend that is not full."""

from __future__ import annotations

from collections.abc import Collection

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.least_outstanding import LeastOutstanding
from seekway.pipeline.routing.pool import SAMPLES, SETTLED_S, Choice, E, Ladder, Pool


class Cheapest:
    """Prices in rising order, within one price the least loaded; where all are full the least loaded of all."""

    def __init__(self, least: LeastOutstanding, full_at: int) -> None:
        self._least = least
        self._full_at = full_at

    def pick(
        self, pool: Pool[E], request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice[E] | None:
        return first_not_full(pool, pool.prices, self._least, self._full_at, now, tried)


def first_not_full(
    pool: Pool[E], ladder: Ladder[E], least: LeastOutstanding, full_at: int, now: float, tried: Collection[str]
) -> Choice[E] | None:
    """The least loaded of the first group in which one is not full; where all are, of the whole pool: to refuse is not a strategy's to do."""
    groups, start = ladder.groups, 0
    if len(groups) > SAMPLES:
        # Of a long ladder the full beginning is not climbed for every request, but every tenth of a second.
        start = ladder.lowest if now < ladder.until else 0
    level, choice = start, None
    while level < len(groups) and (choice := least.of_group(groups[level], now, tried, full_at)) is None:
        level += 1
    if level > start and not tried:
        ladder.lowest = level
        if not start:
            ladder.until = now + SETTLED_S
    return choice or least.of_group(pool.group, now, tried)
