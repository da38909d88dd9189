"""What becomes of a text after everything that was found in it is weighed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from seekway.core.sections.guardrails import Action
from seekway.pipeline.guardrails.detector import Finding

RANK: Final[dict[Action, int]] = {"pass": 0, "flag": 1, "mask": 2, "sanitise": 3, "replace": 4, "block": 5}
"""How severe an action is."""
CHANGING: Final[frozenset[Action]] = frozenset({"mask", "sanitise", "replace", "block"})
ENDING: Final[frozenset[Action]] = frozenset({"replace", "block"})


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A finding and what the policy says to it."""

    finding: Finding
    action: Action


class Passage(msgspec.Struct, frozen=True, gc=False):
    """Characters ``start`` up to ``end`` of a text that cannot stay, made of all findings there that overlap.

    ``category`` and ``detector`` are those of the finding with the most severe action; of equals, the first.
    """

    start: int
    end: int
    action: Action
    category: str
    detector: str


class Verdict(msgspec.Struct, frozen=True):
    """``judged`` in order of place, without what the policy passes over; ``action`` is the most severe of them.

    ``failed`` are detectors that raised; ``seconds`` is each detector's time, in the order in which they were asked.
    """

    action: Action = "pass"
    judged: tuple[Judged, ...] = ()
    passages: tuple[Passage, ...] = ()
    failed: tuple[str, ...] = ()
    seconds: tuple[float, ...] = ()


def most_severe(judged: Iterable[Judged]) -> Action:
    worst: Action = "pass"
    for found in judged:
        if RANK[found.action] > RANK[worst]:
            worst = found.action
    return worst


def in_order(judged: list[Judged]) -> list[Judged]:
    """The same however the detectors were asked."""
    return sorted(
        judged,
        key=lambda j: (j.finding.start, j.finding.end, -RANK[j.action], j.finding.detector, j.finding.category),
    )


def merged(judged: Sequence[Judged]) -> list[Passage]:
    """The passages that must change, in order and apart; of findings that overlap, the most severe action holds for all they cover.

    ``judged`` is in order. Findings that change nothing neither widen a passage nor join two.
    """
    passages: list[Passage] = []
    for found in judged:
        if found.action not in CHANGING:
            continue
        one = found.finding
        last = passages[-1] if passages else None
        if last is None or one.start >= last.end:
            passages.append(Passage(one.start, one.end, found.action, one.category, one.detector))
            continue
        severe = RANK[found.action] > RANK[last.action]
        passages[-1] = Passage(
            last.start,
            max(last.end, one.end),
            found.action if severe else last.action,
            one.category if severe else last.category,
            one.detector if severe else last.detector,
        )
    return passages


def ending(passages: Iterable[Passage]) -> Passage | None:
    """The first passage after which nothing of the text may follow."""
    return next((passage for passage in passages if passage.action in ENDING), None)
