"""The backend that promises the sooner answer, of two at random."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.least_outstanding import LeastOutstanding
from seekway.pipeline.routing.pool import Choice, E, Pool

_UNKNOWN_S = 1e-3
"""What an answer of a backend that has answered nothing yet is taken to cost: little, so that it is asked, and more with each request it holds."""


class PeakLatency:
    """Peak EWMA times the requests outstanding, over the weight, compared for two at random.

    Two choices are enough to keep the load even (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing"),
    and as they are random no herd follows the one backend that is fastest now.
    """

    def __init__(self, rnd: Random, least: LeastOutstanding) -> None:
        self._random = rnd.random
        self._least = least

    def pick(
        self, pool: Pool[E], request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice[E] | None:
        choices, size = pool.choices, pool.size
        at = int(self._random() * size)
        one = choices[at]
        # The second is another one than the first, and each other equally likely.
        two = choices[at - 1 - int(self._random() * (size - 1))] if size > 1 else one
        first, second = one.endpoint, two.endpoint
        fit = first.available(now) and not (tried and first.name in tried)
        if one is two:
            return one if fit else None
        if second.available(now) and not (tried and second.name in tried):
            if not fit:
                return two
            return one if _wait(one, now) <= _wait(two, now) else two
        return one if fit else self._least.of_group(pool.group, now, tried)


def _wait(choice: Choice[E], now: float) -> float:
    endpoint = choice.endpoint
    return (endpoint.latency.value(now) or _UNKNOWN_S) * (endpoint.outstanding + 1) / endpoint.weight(now)
