"""A circuit breaker: a backend that keeps failing is left alone for a while, then asked with one request at a time."""

from __future__ import annotations

from typing import Literal

from seekway.core.sections.resilience import ResilienceSettings
from seekway.pipeline.routing.outcome_window import OutcomeWindow

BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens after failures in a row or a share of failures in ``window``; ``openings`` counts how often it did.

    After its time an open breaker is half-open: one request at a time probes the backend,
    the first event of any closes the breaker, a failure opens it for twice as long.
    """

    __slots__ = ("_in_a_row", "_open_for", "_open_until", "_policy", "_probing", "_window", "closed", "openings")

    def __init__(self, policy: ResilienceSettings, window: OutcomeWindow) -> None:
        self._policy = policy
        self._window = window
        self._in_a_row = 0
        self._open_for = policy.breaker_open_s
        self._open_until = 0.0
        self._probing = False
        self.closed = True
        self.openings = 0

    def learn_from(self, old: Breaker) -> None:
        self.closed, self.openings = old.closed, old.openings
        self._in_a_row, self._open_until = old._in_a_row, old._open_until
        self._open_for = min(max(old._open_for, self._policy.breaker_open_s), self._policy.breaker_open_most_s)

    def state(self, now: float) -> BreakerState:
        if self.closed:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def allows(self, now: float) -> bool:
        return self.closed or (now >= self._open_until and not self._probing)

    def wait_s(self, now: float) -> float:
        """Until it lets something through, as far as is known; 0 when it does."""
        return 0.0 if self.closed else max(self._open_until - now, 0.0)

    def begin(self) -> bool:
        """A request goes through; says whether it is a probe."""
        if self.closed:
            return False
        self._probing = True
        return True

    def heard(self) -> bool:
        """The backend answers; says whether that closed the breaker."""
        if self.closed:
            return False
        self.closed = True
        self._probing = False
        self._in_a_row = 0
        self._open_for = self._policy.breaker_open_s
        # What came before the recovery would open it again at the next failure.
        self._window.clear()
        return True

    def succeeded(self) -> None:
        self._in_a_row = 0

    def released(self) -> None:
        """A probe ended without a verdict: its caller went away."""
        self._probing = False

    def failed(self, now: float, *, probe: bool) -> bool:
        """Count a failure that stands in the window already; says whether the breaker is open now and was not."""
        if not self.closed:
            # A request from before the breaker opened says nothing new.
            if probe:
                self._probing = False
                self._open_for = min(self._open_for * 2, self._policy.breaker_open_most_s)
                self._open_until = now + self._open_for
                self.openings += 1
            return False
        self._in_a_row += 1
        if self._in_a_row < self._policy.breaker_failures:
            total, failed = self._window.counts(now)
            if total < self._policy.least_requests or failed < self._policy.breaker_share * total:
                return False
        self.closed = False
        self._probing = False
        self._open_until = now + self._open_for
        self.openings += 1
        return True
