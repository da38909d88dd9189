"""Reviews what a client sends before a model, or the cache, sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import ContentFiltered, ReviewUnavailable
from seekway.core.sections.guardrails import GuardrailSettings
from seekway.core.types import Finish, GenerateRequest, Replacement, Usage
from seekway.observability.guardrail_figures import GuardrailCounts
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.detector import Finding
from seekway.pipeline.guardrails.pii.placeholders import Placeholders
from seekway.pipeline.guardrails.review.batch import BatchReviewer
from seekway.pipeline.guardrails.review.book import PolicyBook
from seekway.pipeline.guardrails.review.memory import VerdictMemory
from seekway.pipeline.guardrails.review.notes import ReviewNotes
from seekway.pipeline.guardrails.review.policy import Part, masked
from seekway.pipeline.guardrails.review.pool import ReviewPool
from seekway.pipeline.guardrails.review.texts import Source, changed, question_of
from seekway.pipeline.guardrails.review.verdict import Verdict, ending

_Review = tuple[str, Part | None, Verdict | None]
"""A text, the part it comes under (None: nothing looks at it) and what became of it (None: not known yet)."""


class ReviewDesk:
    """What reviews whole texts have in common: they outlive a change of the policies."""

    def __init__(
        self, counts: GuardrailCounts, memory: VerdictMemory, pool: ReviewPool, log: FilteringBoundLogger
    ) -> None:
        self.counts = counts
        self.memory = memory
        self.pool = pool
        self.log = log
        self.reviewer = BatchReviewer(log)


class ReviewInput:
    """Raises ``ContentFiltered`` for what the policy blocks, and ``ReviewUnavailable`` for what could not be reviewed and may not pass so.

    Where the policy says ``replace`` it answers itself, with the policy's message.
    What takes long is done in threads; all else at once.
    """

    name = "review_input"

    def __init__(self, book: PolicyBook, desk: ReviewDesk, settings: GuardrailSettings) -> None:
        self._book = book
        self._desk = desk
        self._large = settings.large_text
        self._patience_s = settings.patience_s

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest | Awaitable[GenerateRequest]:
        desk = self._desk
        policy = self._book.match(request, exchange)
        notes = exchange.review = ReviewNotes(
            policy, desk.counts, exchange.record, desk.log, question=question_of(request), trial=exchange.trial
        )
        if policy.input is None and policy.documents is None:
            return request
        reviews: list[_Review] = []
        waiting = False

        def take(text: str, source: Source) -> str:
            nonlocal waiting
            part = None if source == "history" else policy.part(source)
            if part is not None and exchange.capability is not None:
                part = part.quick
            verdict = None if part is None else self._at_once(text, part, counted=not exchange.trial)
            waiting = waiting or (part is not None and verdict is None)
            reviews.append((text, part, verdict))
            return text

        changed(request, take)
        if waiting:
            return self._wait(request, exchange, notes, reviews)
        return self._judge(request, exchange, notes, reviews)

    def _at_once(self, text: str, part: Part, *, counted: bool) -> Verdict | None:
        """None where it takes long."""
        desk = self._desk
        key = desk.memory.key(text, part)
        known = desk.memory.get(key)
        if known is not None:
            desk.counts.remembered += counted
            return known
        if part.slow or len(text) >= self._large:
            return None
        verdict = desk.reviewer.review(text, part)
        self._took(part, verdict, counted=counted)
        desk.memory.keep(key, verdict)
        return verdict

    async def _wait(
        self, request: GenerateRequest, exchange: Exchange, notes: ReviewNotes, reviews: list[_Review]
    ) -> GenerateRequest:
        desk = self._desk
        pending = [(text, part) for text, part, verdict in reviews if part is not None and verdict is None]
        seconds = self._patience_s
        if exchange.deadline is not None:
            seconds = max(0.0, min(seconds, exchange.deadline - asyncio.get_running_loop().time()))

        def work() -> list[Verdict]:
            return [desk.reviewer.review(text, part) for text, part in pending]

        try:
            verdicts = await desk.pool.run(work, seconds)
        except TimeoutError:
            verdicts = []
            for part in dict.fromkeys(part for _, part in pending):
                desk.log.error("guardrail_review_late", policy=part.policy, part=part.name, waited_s=round(seconds, 3))
                self._unreviewed(notes, part)
        for (text, part), verdict in zip(pending, verdicts, strict=False):
            self._took(part, verdict, counted=not exchange.trial)
            desk.memory.keep(desk.memory.key(text, part), verdict)
        made = iter(verdicts)
        whole = [
            (text, part, next(made, None) if part is not None and verdict is None else verdict)
            for text, part, verdict in reviews
        ]
        return self._judge(request, exchange, notes, whole)

    def _judge(
        self, request: GenerateRequest, exchange: Exchange, notes: ReviewNotes, reviews: Sequence[_Review]
    ) -> GenerateRequest:
        refused = None
        for _, part, verdict in reviews:
            if part is None or verdict is None:
                continue
            notes.reviewed(part, verdict)
            for _ in verdict.failed:
                self._unreviewed(notes, part)
            refused = refused or ending(verdict.passages)
        if refused is not None:
            if refused.action == "replace" and exchange.capability is None:
                notes.answered = True
                exchange.answer = (Replacement(notes.message), Usage(0, 0), Finish("content_filter"))
                return request
            raise ContentFiltered(notes.message)
        if notes.policy.reversible and exchange.capability is None:
            return _with_placeholders(request, notes, reviews)
        return _masked(request, reviews)

    def _took(self, part: Part, verdict: Verdict, *, counted: bool) -> None:
        if counted:
            for watch in part.watches:
                watch.figures.scans += 1
                watch.figures.seconds += verdict.seconds.get(watch.detector.name, 0.0)

    def _unreviewed(self, notes: ReviewNotes, part: Part) -> None:
        notes.unreviewed(part)
        if part.on_failure == "closed":
            raise ReviewUnavailable("The request could not be reviewed now; try again later.")


def _masked(request: GenerateRequest, reviews: Sequence[_Review]) -> GenerateRequest:
    at = iter(reviews)

    def change(text: str, source: Source) -> str:
        del source
        _, part, verdict = next(at)
        return text if part is None or verdict is None else masked(text, verdict.passages, part)

    return changed(request, change)


def _hidden(text: str, part: Part, verdict: Verdict, placeholders: Placeholders) -> str:
    """As :func:`masked`, but for personal data; what looks like a placeholder already is hidden too, so that it comes back as it was."""
    pieces: list[str] = []
    at = 0
    for passage in verdict.passages:
        pieces.append(placeholders.hide(text[at : passage.start], ()))
        value = text[passage.start : passage.end]
        if passage.detector == "pii" and passage.action == "mask":
            whole = Finding("pii", passage.category, "medium", 0, len(value))
            pieces.append(placeholders.hide(value, (whole,)))
        else:
            pieces.append(part.stand_in(passage))
        at = passage.end
    pieces.append(placeholders.hide(text[at:], ()))
    return "".join(pieces)


def _with_placeholders(request: GenerateRequest, notes: ReviewNotes, reviews: Sequence[_Review]) -> GenerateRequest:
    """What is masked of personal data becomes placeholders; what the model said before then has them too."""
    if not any(
        passage.detector == "pii" for _, _, verdict in reviews if verdict is not None for passage in verdict.passages
    ):
        return _masked(request, reviews)
    placeholders = notes.placeholders = Placeholders()
    texts = [
        text if part is None or verdict is None else _hidden(text, part, verdict, placeholders)
        for text, part, verdict in reviews
    ]
    at = iter(zip(reviews, texts, strict=True))

    def change(text: str, source: Source) -> str:
        _, new = next(at)
        if source == "history":
            new = placeholders.hide_known(text)
        return text if new == text else new

    return changed(request, change)
