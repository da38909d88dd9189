"""Finds stop strings in text that arrives in pieces, holding back no more than may yet become one."""

from __future__ import annotations

from typing import Final, NamedTuple

_MAX_STOPS: Final = 64


class Matched(NamedTuple):
    """``text`` may be shown; ``stop`` is the stop string that was met, after which nothing more is to be fed."""

    text: str
    stop: str | None = None


class StopMatcher:
    """One Knuth-Morris-Pratt automaton a stop string, so that the time is linear in the text whatever the strings are.

    The stop string that is complete first wins; of two that end together, the longer.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in dict.fromkeys(stops) if stop)[:_MAX_STOPS]
        self._failures = [_failures(stop) for stop in self._stops]
        self._matched = [0] * len(self._stops)
        self._firsts = {stop[0] for stop in self._stops}
        self._held = ""

    def feed(self, text: str) -> Matched:
        if not self._stops:
            return Matched(text)
        if not self._held and self._firsts.isdisjoint(text):
            return Matched(text)
        whole = self._held + text
        start = len(self._held)
        for at in range(start, len(whole)):
            met = self._advance(whole[at])
            if met is not None:
                self._held = ""
                return Matched(whole[: at + 1 - len(met)], met)
        keep = max(self._matched)
        self._held = whole[len(whole) - keep :]
        return Matched(whole[: len(whole) - keep])

    def finish(self) -> str:
        held, self._held = self._held, ""
        return held

    def _advance(self, character: str) -> str | None:
        met: str | None = None
        matched = self._matched
        for i, stop in enumerate(self._stops):
            n, failures = matched[i], self._failures[i]
            while n and stop[n] != character:
                n = failures[n - 1]
            if stop[n] == character:
                n += 1
            if n == len(stop):
                if met is None or len(stop) > len(met):
                    met = stop
                n = failures[n - 1]
            matched[i] = n
        return met


def _failures(stop: str) -> list[int]:
    """For each prefix of ``stop``, the length of its longest proper prefix that is also its end."""
    table = [0] * len(stop)
    n = 0
    for i in range(1, len(stop)):
        while n and stop[i] != stop[n]:
            n = table[n - 1]
        if stop[i] == stop[n]:
            n += 1
        table[i] = n
    return table
