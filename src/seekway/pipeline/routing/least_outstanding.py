"""The backend with the fewest outstanding requests for its weight."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from random import Random

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.pool import SAMPLES, SETTLED_S, Choice, E, Group, Pool


class LeastOutstanding:
    """The least loaded of four at random, of all where there are no more; with a hundred backends that is within a request or two of the least."""

    def __init__(self, rnd: Random) -> None:
        self._random = rnd.random

    def pick(
        self, pool: Pool[E], request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice[E] | None:
        return self.of_group(pool.group, now, tried)

    def of_group(self, group: Group[E], now: float, tried: Collection[str], full_at: float = inf) -> Choice[E] | None:
        """As :meth:`pick`, leaving out those with ``full_at`` outstanding requests for each unit of weight."""
        choices, size = group.choices, len(group.choices)
        start = int(self._random() * size)
        if size <= SAMPLES:
            looked_at = group.rotations[start]
        else:
            draw = self._random
            looked_at = (
                choices[start],
                choices[int(draw() * size)],
                choices[int(draw() * size)],
                choices[int(draw() * size)],
            )
        best, least = None, inf
        for choice in looked_at:
            endpoint = choice.endpoint
            if endpoint.available(now) and not (tried and endpoint.name in tried):
                outstanding, weight = endpoint.outstanding, endpoint.weight(now)
                # The request itself counts too, so that of two idle backends the stronger is taken.
                if (load := (outstanding + 1) / weight) < least and outstanding < full_at * weight:
                    best, least = choice, load
        if best is not None or size <= SAMPLES:
            return best
        return self._anyone(group, start, now, tried, full_at)

    def _anyone(
        self, group: Group[E], start: int, now: float, tried: Collection[str], full_at: float
    ) -> Choice[E] | None:
        """The first that will do, from a random place on. Having found nobody, it is left undone for a while."""
        if now < group.full_until:
            return None
        choices = group.choices
        for at in range(start - len(choices), start):
            choice = choices[at]
            endpoint = choice.endpoint
            if (
                endpoint.available(now)
                and not (tried and endpoint.name in tried)
                and endpoint.outstanding < full_at * endpoint.weight(now)
            ):
                return choice
        if not tried:
            group.full_until = now + SETTLED_S
        return None
