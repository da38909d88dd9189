"""One timer for everything that waits: deadlines, hedges, backoffs, places in a line."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

QUANTUM_S = 0.025


class Timer(Protocol):
    def cancel(self) -> object: ...


class Loop(Protocol):
    """What is needed of the event loop: its clock, in seconds, and its two ways to be called back."""

    def time(self) -> float: ...

    def call_soon(self, callback: Callable[[], object], /) -> object: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...


class Watched(Protocol):
    def due(self, now: float, /) -> None:
        """Its time has come; it is watched no longer unless it asks again."""
        ...


class Sweep:
    """Calls back what is due, at most every 25 ms, and never while nothing waits.

    Watching and forgetting are a dict's insertion and removal: the earliest time is only a lower bound, found anew when it has passed,
    so that a thousand requests with a deadline far away cost one look at all of them in a long while.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._due: dict[Watched, float] = {}
        self._earliest = inf
        self._timer: Timer | None = None
        self._swept_at = -inf

    def __len__(self) -> int:
        return len(self._due)

    def watch(self, item: Watched, due: float) -> None:
        """Call ``item`` at ``due``, in place of the time it had asked for before."""
        self._due[item] = due
        if due < self._earliest:
            self._arm(due)

    def forget(self, item: Watched) -> None:
        self._due.pop(item, None)

    def close(self) -> None:
        """Stop the timer; nobody is called any more."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: float) -> None:
        self._earliest = due
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(max(due, self._swept_at + QUANTUM_S), self._run)

    def _run(self) -> None:
        self._timer = None
        self._swept_at = now = self._loop.time()
        # Those who ask again while this runs are looked at below.
        self._earliest = -inf
        due = self._due
        for item in [item for item, when in due.items() if when <= now]:
            if due.get(item, inf) <= now:
                del due[item]
                item.due(now)
        self._earliest = inf
        if due:
            self._arm(min(due.values()))
