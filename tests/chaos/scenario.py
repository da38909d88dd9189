"""A scenario, what it promises, and the verdict over what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from tests.chaos.outcome import Kind, Outcome
from tests.chaos.stage import WORKERS, Stage

LEAST_SHARE = 0.9995
RETRY_SHARE = 0.2
RETRY_MINIMUM = 10
"""``[resilience] retry_share`` and ``retry_minimum``, which is for ten seconds, as they are unless set."""
_WINDOW_S = 10.0
_SHED = ("overloaded", "rate_limit_exceeded", "backend_unavailable")


@dataclass(frozen=True)
class Promise:
    least_share: float | None = LEAST_SHARE
    """Of the admitted requests that succeed; None: as many as may be, and every other one is told so."""
    may_refuse: bool = False
    """Refusals for want of anybody to ask, with ``Retry-After``, are not admitted requests."""
    most_broken: int = 0
    """Explicit errors in the middle of a stream that are allowed beside ``least_share``."""
    most_refused: int = 0
    """Explicit errors before an answer has begun that are allowed beside ``least_share``."""
    most_cut: int = 0
    """Connections that may end without a word, where the process that held them was killed."""
    amplification: bool = True

    @property
    def hideable(self) -> bool:
        """Nothing need ever be seen of the fault."""
        return self.least_share is not None and not (self.most_broken or self.most_refused or self.most_cut)


@dataclass(frozen=True)
class Scenario:
    name: str
    play: Callable[[Stage], Awaitable[None]]
    promise: Promise = Promise()
    short: bool = False
    """Played in a short run, too."""


class Result(msgspec.Struct, frozen=True):
    """One row of the table and of the JSON file."""

    name: str
    verdict: Literal["held", "BROKEN", "skipped"]
    seconds: float = 0.0
    admitted: int = 0
    succeeded: int = 0
    errors: int = 0
    cut: int = 0
    refused: int = 0
    """Not admitted: refused with ``Retry-After``, or never sent."""
    share: float = 1.0
    amplification: float = 0.0
    silence_s: float = 0.0
    codes: dict[str, int] = {}
    hideable: bool = False
    """Another backend could take over whatever the fault did."""
    reasons: list[str] = []
    """Why it is broken or skipped."""
    notes: list[str] = []


def judge(scenario: Scenario, stage: Stage, seconds: float) -> Result:
    """Everything has ended: every backend has told what it took."""
    promise = scenario.promise
    taken = Counter(number for asked in stage.asked for number in asked.taken)
    outcomes = [_settled(outcome, taken) for outcome in (stage.load.outcomes if stage.load else ())]
    refused = [o for o in outcomes if o.kind == "unsent" or (promise.may_refuse and _is_shed(o))]
    admitted = [o for o in outcomes if o not in refused] if refused else outcomes
    kinds = Counter(outcome.kind for outcome in admitted)
    allowed: tuple[tuple[Kind, int], ...] = (
        ("broken", promise.most_broken),
        ("refused", promise.most_refused),
        ("cut", promise.most_cut),
    )
    excused = sum(min(kinds[kind], most) for kind, most in allowed)
    counted = len(admitted) - excused
    share = kinds["success"] / counted if counted else 0.0
    attempts = sum(taken.values())
    sent = max(len(set(taken) | {o.number for o in admitted}), 1)
    reasons = list(stage.violations)
    if not admitted:
        reasons.append("no request was admitted")
    wrong = [o for o in outcomes if o.kind in ("wrong", "hung")]
    reasons += [f"{o.kind}: #{o.number}: {o.detail}" for o in wrong[:3]]
    if kinds["cut"] > promise.most_cut:
        first = next(o for o in admitted if o.kind == "cut")
        reasons.append(f"{kinds['cut']} answers cut without a word, e.g. #{first.number}")
    if promise.least_share is not None and share < promise.least_share:
        reasons.append(f"{share:.4%} succeeded")
    bound = (1 + RETRY_SHARE) * sent + RETRY_MINIMUM * WORKERS * (stage.load_s / _WINDOW_S + 1)
    if promise.amplification and attempts > bound:
        reasons.append(f"{attempts} attempts for {sent} requests; {bound:.0f} are allowed")
    return Result(
        name=scenario.name,
        verdict="BROKEN" if reasons else "held",
        seconds=round(seconds, 1),
        admitted=len(admitted),
        succeeded=kinds["success"],
        errors=kinds["refused"] + kinds["broken"],
        cut=kinds["cut"],
        refused=len(refused),
        share=round(kinds["success"] / len(admitted), 6) if admitted else 0.0,
        amplification=round(attempts / sent, 3),
        silence_s=round(max((outcome.silence_s for outcome in admitted), default=0.0), 2),
        codes=dict(Counter(f"{o.kind} {o.detail}" for o in outcomes if o.kind not in ("success", "wrong"))),
        hideable=promise.hideable,
        reasons=reasons,
        notes=stage.notes,
    )


def _is_shed(outcome: Outcome) -> bool:
    return outcome.kind == "refused" and outcome.detail in _SHED and outcome.retry_after


def _settled(outcome: Outcome, taken: Counter[int]) -> Outcome:
    """One that a backend was asked was sent, whatever the client saw of it."""
    if outcome.kind != "unsent" or outcome.number not in taken:
        return outcome
    return Outcome(outcome.number, outcome.streamed, "cut", "taken and never answered", silence_s=outcome.silence_s)
