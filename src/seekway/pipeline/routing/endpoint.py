"""One member as the gateway sees it now: how busy, how quick, and whether it is to be asked at all."""

from __future__ import annotations

from typing import Literal, Protocol

from seekway.core.sections.resilience import ResilienceSettings
from seekway.pipeline.directory import Member
from seekway.pipeline.routing.breaker import Breaker
from seekway.pipeline.routing.concurrency import ConcurrencyLimit
from seekway.pipeline.routing.ejection import Ejection, Neighbours
from seekway.pipeline.routing.outcome_window import OutcomeWindow

Verdict = Literal["fine", "fault", "busy", "elsewhere"]
"""What a failure says of the backend: nothing (the client's own mistake), it failed, it has too much to do, it is the wrong one to ask."""

_LEAST_WEIGHT = 0.1
_BUSY_S = 1.0
"""How long a backend that limits the rate and says no ``Retry-After`` is left alone."""


class Latency(Protocol):
    """Seconds to the first event, the recent ones weighing most."""

    def observe(self, now: float, seconds: float, /) -> None: ...

    def value(self, now: float, /) -> float: ...


class Endpoint:
    """``member`` with its state; all times are the event loop's clock, in seconds.

    ``tier`` 0 is asked first, ``cost`` is relative, ``outstanding`` counts the attempts under way.
    ``source`` is where attempts are started. The counters are totals since the process started.
    """

    __slots__ = (
        "_away", "_blocked_until", "_limit", "_policy", "_slow_since", "_sound", "_weight",
        "attempts", "breaker", "cost", "ejection", "failures", "hedges", "latency", "member", "name", "neighbours",
        "outstanding", "region", "retries", "source", "tags", "tier", "window",
    )  # fmt: skip

    def __init__(
        self,
        member: Member,
        latency: Latency,
        policy: ResilienceSettings,
        *,
        region: str = "",
        tags: tuple[str, ...] = (),
        tier: int = 0,
        cost: float = 1.0,
        weight: float = 1.0,
    ) -> None:
        self.member, self.name, self.source, self.latency = member, member.name, member.source, latency
        self.region, self.tags, self.tier, self.cost = region, tags, tier, cost
        self.outstanding = 0
        self.window = OutcomeWindow(policy.window_s)
        self.breaker = Breaker(policy, self.window)
        self.ejection = Ejection(policy)
        self.neighbours: list[Neighbours] = []
        self.attempts = self.retries = self.hedges = self.failures = 0
        self._policy = policy
        self._weight = weight
        self._limit = ConcurrencyLimit(policy)
        self._away = False
        self._blocked_until = 0.0
        self._slow_since: float | None = None
        self._sound = True

    @property
    def limit(self) -> int:
        """Most attempts at once, as adapted so far."""
        return self._limit.limit

    @property
    def away(self) -> bool:
        """The directory's last question was not answered."""
        return self._away

    def available(self, now: float) -> bool:
        """Whether to ask it: it answers, has room, and nothing speaks against it."""
        # The common case is one comparison; what may have healed with time is looked at only while something is wrong.
        if self._sound or self._heal(now):
            return self.outstanding < self._limit.limit
        return not self._away and not self.ejected(now) and self.usable(now)

    def usable(self, now: float) -> bool:
        """Whether it may be asked when all others are out: silent or ejected, perhaps, but neither broken, full nor waiting."""
        return self.outstanding < self._limit.limit and self.in_service(now)

    def in_service(self, now: float) -> bool:
        """Whether room is all that it may lack."""
        return now >= self._blocked_until and self.breaker.allows(now)

    def ejected(self, now: float) -> bool:
        return now < self.ejection.until

    def busy(self, now: float) -> bool:
        """It said when to come back, and that is all that speaks against it."""
        return now < self._blocked_until and self.breaker.allows(now)

    def wait_s(self, now: float) -> float:
        """How long until it may be asked again, by its own ``Retry-After`` or its breaker."""
        return max(self._blocked_until - now, self.breaker.wait_s(now), 0.0)

    def weight(self, now: float) -> float:
        """The weight it was given, less while it starts slowly after it came back."""
        since = self._slow_since
        if since is None:
            return self._weight
        done = (now - since) / self._policy.slow_start_s if self._policy.slow_start_s else 1.0
        if done >= 1.0:
            self._slow_since = None
            return self._weight
        return self._weight * max(done, _LEAST_WEIGHT)

    def heard_of(self, now: float, *, away: bool) -> None:
        """What the directory's watch has found; a member that is back starts slowly."""
        if away:
            self._sound = False
        elif self._away:
            self._slow_since = now
        self._away = away

    def learn_from(self, old: Endpoint) -> None:
        """Take over what was learned of the same backend under an earlier configuration, but for the attempts under way there."""
        self.latency = old.latency
        self.attempts, self.retries, self.hedges, self.failures = old.attempts, old.retries, old.hedges, old.failures
        self.breaker.learn_from(old.breaker)
        self.ejection.learn_from(old.ejection)
        self._limit.learn_from(old._limit)
        self._away, self._blocked_until, self._slow_since = old._away, old._blocked_until, old._slow_since
        self._sound = False

    def begin(self) -> bool:
        """An attempt starts; says whether it probes a half-open breaker. One of the three ends follows."""
        self.outstanding += 1
        self.attempts += 1
        return False if self._sound else self.breaker.begin()

    def first_event(self, now: float, began: float, *, probe: bool) -> None:
        """The attempt begun at ``began`` has given its first event."""
        seconds = now - began
        self.latency.observe(now, seconds)
        self._limit.first_event(now, seconds, self.outstanding)
        if probe and self.breaker.heard():
            self._slow_since = now

    def succeeded(self, now: float) -> None:
        self.outstanding -= 1
        self.window.succeeded(now)
        self.breaker.succeeded()

    def cancelled(self, now: float, began: float, *, probe: bool, silent: bool) -> None:
        """The attempt was ended from this side, which is no failure; ``silent`` when it had given nothing so far."""
        self.outstanding -= 1
        if probe:
            self.breaker.released()
        # It would have taken at least so long: news only when that is more than usual.
        if silent and now - began > self.latency.value(now):
            self.latency.observe(now, now - began)

    def failed(self, now: float, began: float, verdict: Verdict, retry_after_s: float | None, *, probe: bool) -> None:
        """The attempt failed; ``verdict`` says whose fault it was."""
        if verdict == "fine":
            # It read the request and refused it: that is a backend at work.
            if probe and self.breaker.heard():
                self._slow_since = now
            self.succeeded(now)
            return
        outstanding = self.outstanding
        self.outstanding -= 1
        self.failures += 1
        if verdict == "elsewhere":
            if probe:
                self.breaker.released()
            return
        # Our own model service admits by itself, at once and model by model: what it refuses now it may take in a moment.
        if (retry_after_s is not None or verdict == "busy") and self.member.kind != "local":
            self._block(now, retry_after_s)
        if verdict == "busy":
            self._limit.overloaded(now, began, outstanding)
            if probe:
                self.breaker.released()
            return
        self.window.failed(now)
        if self.breaker.failed(now, probe=probe) or not self.breaker.closed:
            self._sound = False
        else:
            self._consider_ejection(now)

    def _block(self, now: float, retry_after_s: float | None) -> None:
        wait = _BUSY_S if retry_after_s is None else min(retry_after_s, self._policy.retry_after_most_s)
        self._blocked_until = max(self._blocked_until, now + wait)
        self._sound = False

    def _consider_ejection(self, now: float) -> None:
        if self.ejected(now) or not any(group.outlier(self, now) for group in self.neighbours):
            return
        if all(group.can_spare(self, now) for group in self.neighbours):
            self.ejection.eject(now)
            self._sound = False

    def _heal(self, now: float) -> bool:
        """Whether nothing speaks against it any more; ends an ejection whose time is over."""
        if self._away or now < self._blocked_until or not self.breaker.closed or self.ejected(now):
            return False
        if self.ejection.over():
            self._slow_since = now
            # It was judged for what stands there.
            self.window.clear()
        self._sound = True
        return True
