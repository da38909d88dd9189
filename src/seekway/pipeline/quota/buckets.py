"""One limit's state, and the limits that one kind of request must pass.

A rate is a token bucket kept as a level that leaks: what was taken and has not yet flowed off. In any span of w seconds it admits at most ``limit + rate * w``.
The level form is exact where it matters (a burst adds whole numbers), an unused bucket is level 0 and may be forgotten, and two numbers are all
that Redis has to keep. GCRA says the same with one number, but clock readings near 1e6 seconds leave it too few digits for a million tokens a minute.
"""

from __future__ import annotations

from typing import Literal

from seekway.core.caller import Caller

Kind = Literal["requests", "tokens", "concurrent"]

_SLACK = 1e-6
"""Below anything that is counted, above what rounding can add up to: whoever waits exactly as long as he was told is admitted."""


class Bucket:
    """``limit`` is the most at once, ``rate`` how much comes back a second (0 for ``concurrent``).

    ``level`` is what was taken, leaking at ``rate``, as of ``at``; ``held`` what is under way here: running requests, or tokens not yet known.
    ``level`` and ``held`` together never pass ``limit``, but for an answer that took more tokens than were held for it.
    ``mirror`` and ``mirror_at`` belong to the store that shares limits, ``told*`` are the headers that answers had last, and of what figures.
    """

    __slots__ = (
        "__weakref__",
        "at",
        "full_name",
        "held",
        "id",
        "kind",
        "left_name",
        "level",
        "limit",
        "limit_header",
        "mirror",
        "mirror_at",
        "most",
        "name",
        "rate",
        "told",
        "told_full_ms",
        "told_left",
    )

    def __init__(self, bucket_id: str, name: str, kind: Kind) -> None:
        self.id = bucket_id
        self.name = name
        self.kind: Kind = kind
        self.left_name, self.full_name = self._header("remaining"), self._header("reset")
        self.level = 0.0
        self.at = 0.0
        self.held = 0
        self.mirror = 0.0
        self.mirror_at = 0.0
        self.set(1.0, 0.0)

    def set(self, limit: float, rate: float) -> None:
        """Also while in use: what was taken stays taken."""
        self.limit = limit
        self.most = limit + _SLACK
        self.rate = rate
        self.told: tuple[tuple[bytes, bytes], ...] = ()
        self.told_left = self.told_full_ms = -1
        self.limit_header = (self._header("limit"), b"%d" % limit)

    def _header(self, figure: str) -> bytes:
        return f"x-ratelimit-{figure}-{self.kind}".encode()

    def leak(self, now: float) -> float:
        """Bring ``level`` to ``now`` and give it back."""
        level = self.level - (now - self.at) * self.rate
        self.level = level = level if level > 0.0 else 0.0
        self.at = now
        return level

    def idle(self, now: float) -> bool:
        """Nothing is lost by forgetting it."""
        return not self.held and self.level <= (now - self.at) * self.rate


class Plan:
    """The buckets that a caller's requests of one user to one model must pass, all of them; none where no rule matches."""

    __slots__ = ("caller", "every", "requests", "slots", "tokens")

    def __init__(self, caller: Caller, buckets: tuple[Bucket, ...]) -> None:
        self.caller = caller
        self.every = buckets
        self.requests = tuple(b for b in buckets if b.kind == "requests")
        self.tokens = tuple(b for b in buckets if b.kind == "tokens")
        self.slots = tuple(b for b in buckets if b.kind == "concurrent")
