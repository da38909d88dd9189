"""Successes and failures of the last seconds."""

from __future__ import annotations

from collections import deque

_SLICES = 10


class OutcomeWindow:
    """Counts over the last ``seconds``, forgotten a tenth of it at a time."""

    __slots__ = ("_failed", "_failed_now", "_per_s", "_slices", "_tick", "_total", "_total_now")

    def __init__(self, seconds: float) -> None:
        self._per_s = _SLICES / seconds
        self._slices: deque[tuple[int, int, int]] = deque()
        self._tick = 0
        self._total = self._failed = 0
        self._total_now = self._failed_now = 0

    def succeeded(self, now: float) -> None:
        tick = int(now * self._per_s)
        if tick != self._tick:
            self._turn(tick)
        self._total += 1
        self._total_now += 1

    def failed(self, now: float) -> None:
        self.succeeded(now)
        self._failed += 1
        self._failed_now += 1

    def counts(self, now: float) -> tuple[int, int]:
        """Outcomes in the window, and how many of them were failures."""
        tick = int(now * self._per_s)
        if tick != self._tick:
            self._turn(tick)
        return self._total, self._failed

    def clear(self) -> None:
        self._slices.clear()
        self._total = self._failed = self._total_now = self._failed_now = 0

    def _turn(self, tick: int) -> None:
        if self._total_now:
            self._slices.append((self._tick, self._total_now, self._failed_now))
        self._tick, self._total_now, self._failed_now = tick, 0, 0
        while self._slices and self._slices[0][0] <= tick - _SLICES:
            _, total, failed = self._slices.popleft()
            self._total -= total
            self._failed -= failed
