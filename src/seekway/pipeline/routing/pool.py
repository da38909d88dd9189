"""Backends among which a request's is chosen, with what the strategies need worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, Protocol, TypeVar
from zlib import crc32

from seekway.core.types import Capability
from seekway.pipeline.directory import Route
from seekway.pipeline.routing.hash_ring import HashRing

SAMPLES = 4
"""Backends looked at for one choice; a pool that is no larger is looked at whole."""

SETTLED_S = 0.1
"""How long a finding that many backends are full or away is believed, in seconds, so that it is not made again for every request."""


_LOOKS = 2


class Latency(Protocol):
    def value(self, now: float, /) -> float:
        """Seconds; 0 while nothing was observed."""
        ...


class EndpointView(Protocol):
    """What choosing reads of an endpoint; times are on the event loop's clock.

    ``tier`` 0 is used first, ``cost`` is relative to the others'.
    """

    @property
    def name(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def tags(self) -> tuple[str, ...]: ...

    @property
    def tier(self) -> int: ...

    @property
    def cost(self) -> float: ...

    @property
    def outstanding(self) -> int: ...

    @property
    def latency(self) -> Latency: ...

    def weight(self, now: float, /) -> float:
        """More than 0; the member's weight, less while it starts slowly."""
        ...

    def available(self, now: float, /) -> bool: ...


E = TypeVar("E", bound=EndpointView)


@dataclass(frozen=True, slots=True, eq=False)
class Choice(Generic[E]):
    """One backend for one model; ``weight`` is the member's, as it is when nothing holds it back."""

    endpoint: E
    route: Route
    weight: float


class Group(Generic[E]):
    """Choices that are as good as each other but for their load. ``full_until``: everyone was seen full or away, so that nobody counts again until then."""

    __slots__ = ("choices", "full_until", "rotations")

    def __init__(self, choices: Sequence[Choice[E]]) -> None:
        # In an order of its own: whoever looks on from somewhere must not meet the backends of one machine one after the other.
        self.choices = tuple(
            choices
            if len(choices) <= SAMPLES
            else sorted(choices, key=lambda choice: crc32(choice.endpoint.name.encode()))
        )
        self.full_until = 0.0
        size = len(self.choices)
        self.rotations = tuple(self.choices[at:] + self.choices[:at] for at in range(size)) if size <= SAMPLES else ()
        """Of a small group every order to look at it, so that ties fall evenly."""


class Pool(Generic[E]):
    """The choices for one model under one rule, in the members' order; never empty."""

    def __init__(self, name: str, choices: Sequence[Choice[E]]) -> None:
        self.name = name
        self.choices = tuple(choices)
        self.size = len(self.choices)
        self.cumulative = tuple(accumulate(choice.weight for choice in self.choices))
        self.total_weight = self.cumulative[-1]
        self.group = Group(self.choices)
        self.seed = crc32(self.choices[0].route.name.encode())
        """Keeps the prompts of different models apart where they are hashed."""
        self.ring: HashRing | None = None
        self.by_name = {choice.endpoint.name: choice for choice in self.choices}
        self.common = frozenset(self.choices[0].route.model.capabilities).intersection(
            *(choice.route.model.capabilities for choice in self.choices[1:])
        )
        self._able: dict[Capability, Pool[E]] = {}
        self._tiers: Ladder[E] | None = None
        self._prices: Ladder[E] | None = None
        self._load: RollingLoad[E] | None = None

    @property
    def first(self) -> Route:
        return self.choices[0].route

    @property
    def tiers(self) -> Ladder[E]:
        """The choices by tier, 0 first."""
        if self._tiers is None:
            self._tiers = _grouped(self.choices, [float(choice.endpoint.tier) for choice in self.choices])
        return self._tiers

    @property
    def prices(self) -> Ladder[E]:
        """The choices by cost, the cheapest first."""
        if self._prices is None:
            self._prices = _grouped(self.choices, [choice.endpoint.cost for choice in self.choices])
        return self._prices

    @property
    def load(self) -> RollingLoad[E]:
        if self._load is None:
            self._load = RollingLoad(self.choices)
        return self._load

    def able(self, capability: Capability) -> Pool[E]:
        """Those that can do it; raises ``InvalidRequest`` where none can."""
        if capability in self.common:
            return self
        found = self._able.get(capability)
        if found is None:
            fit = [choice for choice in self.choices if capability in choice.route.model.capabilities]
            if not fit:
                self.first.require(capability)
            found = self._able[capability] = Pool(f"{self.name} {capability}", fit)
        return found


class Ladder(Generic[E]):
    """Groups in the order in which they are preferred. ``lowest`` is the first that was not full, to begin with until ``until``."""

    __slots__ = ("groups", "lowest", "until")

    def __init__(self, groups: Sequence[Group[E]]) -> None:
        self.groups = tuple(groups)
        self.lowest = 0
        self.until = 0.0


class RollingLoad(Generic[E]):
    """The pool's outstanding requests together, counted a few backends at a time so that no request pays for all of them.

    The sum is behind by as many choices as a round takes, half the pool's size.
    """

    __slots__ = ("_choices", "_next", "_seen", "total")

    def __init__(self, choices: tuple[Choice[E], ...]) -> None:
        self._choices = choices
        self._seen = [choice.endpoint.outstanding for choice in choices]
        self._next = 0
        self.total = sum(self._seen)

    def look(self) -> int:
        """Look at the next few and return the sum."""
        seen, at, total = self._seen, self._next, self.total
        size = len(seen)
        for _ in range(_LOOKS):
            outstanding = self._choices[at].endpoint.outstanding
            total += outstanding - seen[at]
            seen[at] = outstanding
            at += 1
            if at == size:
                at = 0
        self._next = at
        self.total = total
        return total


def _grouped(choices: tuple[Choice[E], ...], keys: Sequence[float]) -> Ladder[E]:
    groups: dict[float, list[Choice[E]]] = {}
    for key, choice in zip(keys, choices, strict=True):
        groups.setdefault(key, []).append(choice)
    return Ladder([Group(groups[key]) for key in sorted(groups)])
