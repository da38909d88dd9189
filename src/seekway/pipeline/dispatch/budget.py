"""How many additional attempts the ordinary ones allow."""

from __future__ import annotations

_PERIOD_S = 10.0
_MOST_SAVED = 250.0


class Budget:
    """A token bucket that every request fills by ``share`` of a token and that every additional attempt takes one from.

    Beside it ``minimum`` attempts in ten seconds are free, so that a quiet gateway can retry at all.
    After Finagle's retry budget (twitter.github.io/finagle/guide/Clients.html, "Retries").
    """

    __slots__ = ("_filled_at", "_free", "_minimum", "_saved", "_share", "refused")

    def __init__(self, share: float, minimum: int) -> None:
        self._share = share
        self._minimum = float(minimum)
        self._free = float(minimum)
        self._saved = 0.0
        self._filled_at = 0.0
        self.refused = 0

    def request(self) -> None:
        """A request came."""
        self._saved += self._share
        if self._saved > _MOST_SAVED:
            self._saved = _MOST_SAVED

    def take(self, now: float) -> bool:
        """One more attempt, if there is one left."""
        # A share like 0.2 added up five times is a little less than one.
        if self._saved > 1.0 - 1e-9:
            self._saved = max(self._saved - 1.0, 0.0)
            return True
        if self._free < self._minimum:
            self._free = min(self._minimum, self._free + (now - self._filled_at) * self._minimum / _PERIOD_S)
        self._filled_at = now
        if self._free >= 1.0:
            self._free -= 1.0
            return True
        self.refused += 1
        return False
