"""A quantile of the recent times to first event, in constant memory."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from math import log2

_LEAST_S = 0.001
_PER_DOUBLING = 4
_BUCKETS = 20 * _PER_DOUBLING
_MOST_COUNTED = 2000
_LEAST_COUNTED = 30
_FRESH = 32


class FirstEventTimes:
    """A histogram whose bounds grow by the fourth root of 2 from 1 ms to 17 minutes, so that a quantile is at most 19% too high.

    At 2,000 observations all counts are halved: what is older weighs less.
    """

    __slots__ = ("_counts", "_known", "_quantile", "_since", "_total")

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile
        self._counts = [0] * _BUCKETS
        self._total = 0
        self._since = 0
        self._known: float | None = None

    def observe(self, seconds: float) -> None:
        bucket = int(log2(seconds / _LEAST_S) * _PER_DOUBLING) if seconds > _LEAST_S else 0
        self._counts[bucket if bucket < _BUCKETS else _BUCKETS - 1] += 1
        self._total += 1
        self._since += 1
        if self._total >= _MOST_COUNTED:
            self._counts = [count // 2 for count in self._counts]
            self._total = sum(self._counts)

    def quantile(self) -> float | None:
        """Seconds; None while too few were observed. It is worked out again after every 32 observations."""
        if self._total < _LEAST_COUNTED:
            return None
        if self._known is None or self._since >= _FRESH:
            self._since = 0
            self._known = self._work_out()
        return self._known

    def _work_out(self) -> float:
        wanted = self._quantile * self._total
        below = bisect_left(list(accumulate(self._counts)), wanted)
        return _LEAST_S * 2.0 ** ((below + 1) / _PER_DOUBLING)
