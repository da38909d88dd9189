"""What a request may choose from, and how."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic

from seekway.core.types import Capability, GenerateRequest
from seekway.pipeline.directory import Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.pool import Choice, E, Pool
from seekway.pipeline.routing.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Selection(Generic[E]):
    """Where one request may go. ``rule`` is the name of the rule that said so, empty for none; ``canary`` its order where its requests may fall back."""

    pool: Pool[E]
    strategy: Strategy
    rule: str = ""
    canary: int | None = None

    @property
    def route(self) -> Route:
        """The first of them: what the stages read of the model before a backend is chosen."""
        return self.pool.first

    def able(self, capability: Capability) -> Selection[E]:
        """Only those that can do it; raises ``InvalidRequest`` where none can."""
        pool = self.pool.able(capability)
        return self if pool is self.pool else Selection(pool, self.strategy, self.rule, self.canary)

    def pick(
        self, request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str] = ()
    ) -> Choice[E] | None:
        """See :meth:`seekway.pipeline.routing.strategy.Strategy.pick`."""
        return self.strategy.pick(self.pool, request, exchange, now, tried)
