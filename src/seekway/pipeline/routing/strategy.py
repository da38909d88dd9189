"""What chooses one backend of a pool."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.pool import Choice, E, Pool


class Strategy(Protocol):
    """Chooses in constant or logarithmic time; only where a sample of the pool finds nobody is the whole of it looked at."""

    def pick(
        self, pool: Pool[E], request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice[E] | None:
        """An available choice whose endpoint's name is not in ``tried``; None where there is none. ``now`` is on the event loop's clock."""
        ...
