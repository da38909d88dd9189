"""A backend at random, each by its weight."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection
from random import Random

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.pool import Choice, E, Pool

_DRAWS = 8
_MANY = 64
"""Draws where looking at everybody would take as long as so many."""


class Weighted:
    """Draws by the full weights, worked out once, and takes a backend that starts slowly only with the share of its weight that it has now.

    Whoever cannot be taken is drawn anew: the others keep their proportions.
    """

    def __init__(self, rnd: Random) -> None:
        self._rnd = rnd
        self._random = rnd.random

    def pick(
        self, pool: Pool[E], request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice[E] | None:
        draw, choices, last = self._random, pool.choices, pool.size - 1
        if last:
            cumulative, total = pool.cumulative, pool.total_weight
            for _ in range(_DRAWS if last < _MANY else _MANY):
                choice = choices[bisect(cumulative, draw() * total, 0, last)]
                endpoint = choice.endpoint
                if endpoint.available(now) and not (tried and endpoint.name in tried):
                    share = endpoint.weight(now) / choice.weight
                    if share >= 1.0 or draw() < share:
                        return choice
        return self._of_all(pool, now, tried)

    def _of_all(self, pool: Pool[E], now: float, tried: Collection[str]) -> Choice[E] | None:
        fit = [
            choice
            for choice in pool.choices
            if choice.endpoint.available(now) and not (tried and choice.endpoint.name in tried)
        ]
        if len(fit) < 2:
            return fit[0] if fit else None
        return self._rnd.choices(fit, [choice.endpoint.weight(now) for choice in fit])[0]
