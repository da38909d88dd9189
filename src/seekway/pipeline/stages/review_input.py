"""Reviews what a client sends before a model, or the cache, sees it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import ContentFiltered, ReviewUnavailable, UnsupportedParameter
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

_TEXT_COST: Final = 128
"""What the review of a text costs beside its characters, as so many of them."""
_MOST_LOOKED_UP: Final = 1024
"""Texts of one request that are looked up among those seen before; further ones are reviewed anew."""
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
        if policy.input is not None and isinstance(request.prompt, tuple):
            self._cannot_read(notes, policy.input)
        reviews: list[_Review] = []
        waiting = False
        at_once = self._large

        def take(text: str, source: Source) -> str:
            nonlocal waiting, at_once
            part = None if source == "history" else policy.part(source)
            if part is not None and exchange.capability is not None:
                part = part.quick
            verdict = None
            if part is not None and len(reviews) < _MOST_LOOKED_UP:
                key = self._desk.memory.key(text, part)
                verdict = self._known(key, counted=not exchange.trial)
                # Many small texts are as much work as a large one, and each costs something however short it is.
                if verdict is None and at_once > 0 and not part.slow and len(text) < self._large:
                    at_once -= len(text) + _TEXT_COST
                    verdict = self._at_once(key, text, part, counted=not exchange.trial)
            waiting = waiting or (part is not None and verdict is None)
            reviews.append((text, part, verdict))
            return text

        changed(request, take)
        if waiting:
            return self._wait(request, exchange, notes, reviews)
        return self._judge(request, exchange, notes, reviews)

    def _known(self, key: bytes, *, counted: bool) -> Verdict | None:
        desk = self._desk
        known = desk.memory.get(key)
        if known is not None:
            desk.counts.remembered += counted
        return known

    def _at_once(self, key: bytes, text: str, part: Part, *, counted: bool) -> Verdict:
        verdict = self._desk.reviewer.review(text, part)
        self._took(part, verdict, counted=counted)
        self._desk.memory.keep(key, verdict)
        return verdict

    async def _wait(
        self, request: GenerateRequest, exchange: Exchange, notes: ReviewNotes, reviews: list[_Review]
    ) -> GenerateRequest:
        desk = self._desk
        pending = [(text, part) for text, part, verdict in reviews if part is not None and verdict is None]
        seconds = self._patience_s
        if exchange.deadline is not None:
            seconds = max(0.0, min(seconds, exchange.deadline - asyncio.get_running_loop().time()))

        over = threading.Event()

        def work() -> list[tuple[bytes, Verdict]]:
            return [
                (desk.memory.key(text, part), desk.reviewer.review(text, part, given_up=over.is_set))
                for text, part in pending
            ]

        reviewed: list[tuple[bytes, Verdict]] = []
        try:
            reviewed = await desk.pool.run(work, seconds)
        except TimeoutError:
            for part in dict.fromkeys(part for _, part in pending):
                desk.log.error("guardrail_review_late", policy=part.policy, part=part.name, waited_s=round(seconds, 3))
                self._unreviewed(notes, part)
        finally:
            # Whoever left needs no thread any more.
            over.set()
        for (_, part), (key, verdict) in zip(pending[:_MOST_LOOKED_UP], reviewed, strict=False):
            self._took(part, verdict, counted=not exchange.trial)
            desk.memory.keep(key, verdict)
        verdicts = [verdict for _, verdict in reviewed]
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
        changes = False
        for _, part, verdict in reviews:
            if part is None or verdict is None:
                continue
            notes.reviewed(part, verdict)
            for _ in verdict.failed:
                self._unreviewed(notes, part)
            if verdict.passages:
                changes = True
                refused = refused or ending(verdict.passages)
        if refused is not None:
            if refused.action == "replace" and exchange.capability is None:
                notes.answered = True
                exchange.answer = (Replacement(notes.message), Usage(0, 0), Finish("content_filter"))
                return request
            raise ContentFiltered(notes.message)
        if not changes:
            return request
        if notes.policy.reversible and exchange.capability is None:
            return _with_placeholders(request, notes, reviews)
        return _masked(request, reviews)

    def _cannot_read(self, notes: ReviewNotes, part: Part) -> None:
        """Token ids are the model's own writing."""
        notes.unreviewed(part)
        if part.on_failure == "closed":
            raise UnsupportedParameter(
                "prompt holds token ids, which cannot be reviewed here; send it as text.", param="prompt"
            )

    def _took(self, part: Part, verdict: Verdict, *, counted: bool) -> None:
        if counted:
            for watch, seconds in zip(part.watches, verdict.seconds, strict=True):
                figures = watch.figures
                figures.scans += 1
                figures.seconds += seconds

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
