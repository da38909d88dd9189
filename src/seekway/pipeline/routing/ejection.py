"""Outlier ejection: a backend that fails more often than its neighbours is left out for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seekway.core.sections.resilience import ResilienceSettings

if TYPE_CHECKING:
    from seekway.pipeline.routing.endpoint import Endpoint


class Neighbours:
    """The endpoints that serve one model, among which one can be an outlier."""

    __slots__ = ("_policy", "endpoints")

    def __init__(self, policy: ResilienceSettings) -> None:
        self._policy = policy
        self.endpoints: tuple[Endpoint, ...] = ()

    def update(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Replace the members, which know their neighbourhoods."""
        for endpoint in self.endpoints:
            endpoint.neighbours.remove(self)
        self.endpoints = endpoints
        for endpoint in endpoints:
            endpoint.neighbours.append(self)

    def outlier(self, endpoint: Endpoint, now: float) -> bool:
        """It has failed by the set share more often than the others together."""
        total, failed = endpoint.window.counts(now)
        if total < self._policy.least_requests:
            return False
        others = others_failed = 0
        for other in self.endpoints:
            if other is not endpoint:
                count, bad = other.window.counts(now)
                others += count
                others_failed += bad
        expected = others_failed / others if others else 0.0
        return failed / total >= expected + self._policy.ejection_share

    def can_spare(self, endpoint: Endpoint, now: float) -> bool:
        """Without it enough others are left, and at least one."""
        size = len(self.endpoints)
        out = 1 + sum(other.ejected(now) for other in self.endpoints if other is not endpoint)
        return out < size and out <= max(1.0, size * self._policy.ejection_most_share)


class Ejection:
    """One endpoint's turns at being left out; ``count`` is how often it was."""

    __slots__ = ("_lately", "_out", "_policy", "count", "until")

    def __init__(self, policy: ResilienceSettings) -> None:
        self._policy = policy
        self._lately = 0
        self._out = False
        self.until = 0.0
        self.count = 0

    def learn_from(self, old: Ejection) -> None:
        self._lately, self._out, self.until, self.count = old._lately, old._out, old.until, old.count

    def eject(self, now: float) -> None:
        # Every first ejection's length spent among the others takes one off the growth again.
        self._lately = max(0, self._lately - int((now - self.until) / self._policy.ejection_s)) + 1
        self.count += 1
        self._out = True
        self.until = now + min(self._policy.ejection_s * self._lately, self._policy.ejection_longest_s)

    def over(self) -> bool:
        """Note that its time is over; says whether it was out until now."""
        was, self._out = self._out, False
        return was
