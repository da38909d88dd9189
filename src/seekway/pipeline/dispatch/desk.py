"""What all requests under way share: the clock, the sweep, the choice of a backend, and each model's lane."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from typing import Protocol

from seekway.core.errors import BackendUnavailable, Overloaded, SeekwayError
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import GenerateRequest
from seekway.pipeline.directory import Route
from seekway.pipeline.dispatch.budget import Budget
from seekway.pipeline.dispatch.first_event_times import FirstEventTimes
from seekway.pipeline.dispatch.sweep import Loop, Sweep
from seekway.pipeline.dispatch.waiting_line import WaitingLine
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.ejection import Neighbours
from seekway.pipeline.routing.endpoint import Endpoint

Shape = Callable[[GenerateRequest, Exchange], GenerateRequest]
"""Makes the request fit the route that ``exchange`` has taken: its rules, its name for the model, what is left of the time.

Raises a ``SeekwayError`` to refuse it.
"""


PolicyOf = Callable[[str], ResilienceSettings]
"""The settings for the pool of that name; asked once for each."""


class Choice(Protocol):
    """One backend for one model."""

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def route(self) -> Route: ...


class Pool(Protocol):
    """The choices there are for a request; another object under the same ``name`` replaces it."""

    @property
    def name(self) -> str: ...

    @property
    def choices(self) -> Sequence[Choice]: ...


class Selection(Protocol):
    """Where one request may go, and how one of them is chosen."""

    @property
    def pool(self) -> Pool: ...

    def pick(
        self, request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice | None:
        """An available choice whose endpoint's name is not in ``tried``; None where there is none."""
        ...


Select = Callable[[GenerateRequest, Exchange], Selection]
"""Where a request may go; raises a ``SeekwayError`` where no backend serves the model."""


class Waiting(Protocol):
    """A request that waits in a lane for room."""

    def admit(self, now: float, /) -> bool:
        """Room has come, perhaps: go and say True, or stay and say False."""
        ...


_COUNTED = ("requests", "queued", "shed", "continued", "hedges_won")


class Lane:
    """What is known of the requests for one pool, whatever has become of its backends since."""

    __slots__ = (
        "continued", "hedge_budget", "hedges_won", "line", "name", "neighbours", "policy", "pool", "queued", "requests", "retry_budget",
        "shed", "times",
    )  # fmt: skip

    def __init__(self, pool: Pool, policy: ResilienceSettings) -> None:
        self.name = pool.name
        self.policy = policy
        self.retry_budget = Budget(policy.retry_share, policy.retry_minimum)
        self.hedge_budget = Budget(policy.hedge_share, 1 if policy.hedge_share else 0)
        self.times = FirstEventTimes(policy.hedge_quantile)
        self.line = WaitingLine[Waiting](policy.queue_most)
        self.neighbours = Neighbours(policy)
        self.requests = self.queued = self.shed = self.continued = self.hedges_won = 0
        self.update(pool)

    def update(self, pool: Pool) -> None:
        self.pool = pool
        self.neighbours.update(tuple(choice.endpoint for choice in pool.choices))

    def learn_from(self, former: Lane) -> None:
        """Go on where the lane of this name under the configuration before was."""
        for name in _COUNTED:
            setattr(self, name, getattr(former, name))
        self.retry_budget.refused = former.retry_budget.refused
        if former.policy == self.policy:
            self.times = former.times

    def last_resort(self, now: float, tried: Collection[str]) -> Choice | None:
        """With nobody available, one that is only silent or ejected: it may answer, a refusal never does."""
        able = [c for c in self.pool.choices if c.endpoint.name not in tried and c.endpoint.usable(now)]
        return min(able, key=lambda choice: choice.endpoint.outstanding) if able else None

    def full(self, now: float) -> bool:
        """Some backend lacks nothing but room."""
        return any(choice.endpoint.in_service(now) for choice in self.pool.choices)

    def out_of_service(self, now: float) -> SeekwayError:
        """What a request hears that nobody can be asked for."""
        wait = self.wait_s(now)
        if any(choice.endpoint.busy(now) for choice in self.pool.choices):
            return Overloaded(f"Every backend of the model {self.name} is busy; try again.", retry_after_s=wait)
        return BackendUnavailable(
            f"Every backend of the model {self.name} is out of service for now; try again.", retry_after_s=wait
        )

    def wait_s(self, now: float) -> float:
        """How long until the first backend may be asked again."""
        return min((choice.endpoint.wait_s(now) for choice in self.pool.choices), default=0.0)


class Desk:
    """``random`` draws the backoff's jitter; ``lanes`` are made as pools are first seen.

    ``former`` are those of the configuration before, which the new ones of the same name go on from; what is never seen again is forgotten with it.
    """

    def __init__(
        self,
        loop: Loop,
        select: Select,
        shape: Shape,
        policy_of: PolicyOf,
        random: Random,
        former: Mapping[str, Lane] | None = None,
    ) -> None:
        self.loop = loop
        self.time = loop.time
        self.sweep = Sweep(loop)
        self.select = select
        self.shape = shape
        self.policy_of = policy_of
        self.draw = random.random
        self.lanes: dict[str, Lane] = {}
        self._former = dict(former or {})
        self.waiting: dict[Lane, None] = {}
        """Lanes with somebody in line."""

    def lane(self, pool: Pool) -> Lane:
        lane = self.lanes.get(pool.name)
        if lane is None:
            lane = self.lanes[pool.name] = Lane(pool, self.policy_of(pool.name))
            if (former := self._former.pop(pool.name, None)) is not None:
                lane.learn_from(former)
        elif lane.pool is not pool:
            lane.update(pool)
        return lane

    def behind(self, exchange: Exchange, now: float, *, again: bool) -> tuple[Selection, Lane] | None:
        """Where a request goes on whose canary fails, and its lane there; None where it may not.

        ``again``: somebody was asked already, so that this is one more attempt.
        """
        selection = None if exchange.behind is None else exchange.behind()
        if selection is None:
            return None
        other = self.lane(selection.pool)
        if again and not other.retry_budget.take(now):
            return None
        exchange.fell_back(exchange.selected.rule)
        other.requests += 1
        other.retry_budget.request()
        return selection, other

    def room(self, now: float) -> None:
        """A backend has room again; lets in who waits, as far as it goes."""
        for lane in tuple(self.waiting):
            while (first := lane.line.first()) is not None and first.admit(now):
                pass
            if not lane.line:
                self.waiting.pop(lane, None)
