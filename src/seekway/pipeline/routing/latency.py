"""A backend's latency as a moving average that forgets slowly and jumps to every peak."""

from __future__ import annotations

from math import exp


class PeakEwma:
    """Seconds; a slower answer counts at once and in full, a faster one by its share of ``tau_s``.

    Without observations it sinks to nothing with the time constant ``tau_s``, so that a backend that was slow is asked again.
    After Finagle's "peak EWMA" (twitter.github.io/finagle/guide/Clients.html, "Power of Two Choices with Peak EWMA").
    """

    __slots__ = ("_at", "_tau_s", "_value")

    def __init__(self, tau_s: float = 10.0) -> None:
        self._tau_s = tau_s
        self._value = 0.0
        self._at = 0.0

    def observe(self, now: float, seconds: float) -> None:
        """``seconds`` is what an answer took that came at ``now``."""
        old = self._value
        if seconds < old:
            passed = now - self._at
            kept = exp(-passed / self._tau_s) if passed > 0.0 else 1.0
            self._value = old * kept + seconds * (1.0 - kept)
        else:
            self._value = seconds
        self._at = now

    def value(self, now: float) -> float:
        """The average as of ``now``; 0 while nothing was observed."""
        passed = now - self._at
        return self._value * exp(-passed / self._tau_s) if passed > 0.0 else self._value
