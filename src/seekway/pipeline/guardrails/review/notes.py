"""What the guardrails know of one request, and what they tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.core.sections.guardrails import Action, PartName
from seekway.observability.guardrail_figures import GuardrailCounts
from seekway.observability.record import RequestRecord
from seekway.pipeline.guardrails.pii.placeholders import Placeholders
from seekway.pipeline.guardrails.review.batch import told
from seekway.pipeline.guardrails.review.policy import Part, Policy
from seekway.pipeline.guardrails.review.verdict import RANK, Judged, Verdict

_MOST_NOTED: Final = 32
"""Kinds of findings in one line of the access log."""


class FindingNote(msgspec.Struct, frozen=True):
    """A finding as it is shown to whoever tries a text out; ``start`` and ``end`` are places in the reviewed text."""

    part: PartName
    detector: str
    category: str
    severity: str
    action: Action
    start: int
    end: int
    rule: str
    score: float


class ReviewNotes:
    """One request's ``policy``, ``question`` (the last thing the user wrote, for the language of messages) and all that was found.

    ``shown`` collects findings one by one where a text is only tried out; then nothing is counted or noted in the record.
    """

    def __init__(
        self,
        policy: Policy,
        counts: GuardrailCounts,
        record: RequestRecord,
        log: FilteringBoundLogger,
        *,
        question: str = "",
        trial: bool = False,
    ) -> None:
        self.policy = policy
        self.question = question
        self.shown: list[FindingNote] | None = [] if trial else None
        self.placeholders: Placeholders | None = None
        """Of the values that the model does not see, where there are any."""
        self.answered = False
        """Whether the answer is a policy's message, which needs no review."""
        self._counts = counts
        self._record = record
        self._log = log
        self._worst: dict[PartName, Action] = {}

    @property
    def message(self) -> str:
        return self.policy.message(self.question)

    def reviewed(self, part: Part, verdict: Verdict) -> None:
        """A whole text has been."""
        self.found(part, verdict.judged)
        if self.shown is None:
            self._counts.verdicts[(part.policy, part.name, verdict.action)] += 1

    def found(self, part: Part, judged: Sequence[Judged]) -> None:
        for one in judged:
            finding, action = one.finding, one.action
            if RANK[action] > RANK[self._worst.get(part.name, "pass")]:
                self._worst[part.name] = action
            if self.shown is not None:
                self.shown.append(_note(part, one))
                continue
            self._counts.findings[(part.policy, part.name, finding.detector, finding.category, action)] += 1
            self._note(f"{part.name}:{finding.category}:{action}")

    def failed(self, part: Part, detector: str, error: Exception) -> None:
        """In the middle of a stream."""
        told(self._log, detector, part, error)
        self.unreviewed(part)

    def unreviewed(self, part: Part) -> None:
        action = "refuse" if part.on_failure == "closed" else "pass"
        if self.shown is None:
            self._counts.unreviewed[(part.policy, part.name, action)] += 1
        self._note(f"{part.name}:unreviewed:{action}")

    def ended(self, part: Part) -> None:
        """A streamed text is over: its verdict is the most severe action."""
        if self.shown is None:
            self._counts.verdicts[(part.policy, part.name, self._worst.get(part.name, "pass"))] += 1

    def _note(self, words: str) -> None:
        record = self._record
        if words not in record.guardrails and len(record.guardrails) < _MOST_NOTED:
            record.guardrails = (*record.guardrails, words)
            record.policy = f"{self.policy.name}@{self.policy.version}"


def _note(part: Part, judged: Judged) -> FindingNote:
    one = judged.finding
    return FindingNote(
        part.name, one.detector, one.category, one.severity, judged.action, one.start, one.end, one.rule, one.score
    )
