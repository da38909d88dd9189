"""How many requests a backend gets at once, found by trying.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681, 3.1) and Netflix's concurrency-limits for requests (``AIMDLimit``).
A gradient of latencies was not taken: a model's times vary a hundredfold with the prompt's length, which would look like load.
"""

from __future__ import annotations

from seekway.core.sections.resilience import ResilienceSettings

_DECREASE = 0.9


class ConcurrencyLimit:
    """``limit`` is for reading; it starts at the most, since nothing is known that speaks against it."""

    __slots__ = ("_exact", "_least", "_lowered_at", "_most", "_slow_s", "limit")

    def __init__(self, policy: ResilienceSettings) -> None:
        self._least = min(policy.concurrency_least, policy.concurrency_most)
        self._most = policy.concurrency_most
        self._slow_s = policy.slow_first_event_s
        self._exact = float(self._most)
        self._lowered_at = float("-inf")
        self.limit = self._most

    def learn_from(self, old: ConcurrencyLimit) -> None:
        """Nothing where ``old`` was never lowered, so that a new setting holds."""
        if old._exact < old._most:
            self._exact = min(max(old._exact, float(self._least)), float(self._most))
            self.limit = int(self._exact)

    def first_event(self, now: float, seconds: float, outstanding: int) -> None:
        if seconds > self._slow_s:
            self.overloaded(now, now - seconds, outstanding)
        elif self.limit < self._most and outstanding * 2 >= self.limit:
            # One a round of requests, not one a request: TCP's congestion avoidance.
            self._exact = min(self._exact + 1.0 / max(self._exact, 1.0), float(self._most))
            self.limit = int(self._exact)

    def overloaded(self, now: float, began: float, outstanding: int) -> None:
        """The backend was too busy for a request begun at ``began``, with ``outstanding`` under way, that one counted.

        What was sent before the last decrease says the same thing again and lowers nothing; what was under way is the measure,
        as TCP's FlightSize is, for a limit that was never reached says nothing.
        """
        if began < self._lowered_at:
            return
        self._lowered_at = now
        self._exact = max(min(self._exact, float(outstanding)) * _DECREASE, float(self._least))
        self.limit = int(self._exact)
