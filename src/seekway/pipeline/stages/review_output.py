"""Reviews what a model answers, its reasoning and its tool calls among it, before anybody sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence

import msgspec

from seekway.core.errors import ReviewUnavailable
from seekway.core.types import (
    Event,
    Finish,
    GenerateRequest,
    ReasoningDelta,
    Replacement,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.leakage.canary import CanaryMaker
from seekway.pipeline.guardrails.leakage.detectors import leakage_detectors
from seekway.pipeline.guardrails.review.logprobs import HeldLogprobs
from seekway.pipeline.guardrails.review.notes import ReviewNotes
from seekway.pipeline.guardrails.review.policy import Part, Watch
from seekway.pipeline.guardrails.review.stream import Released, Tail, TextReviewer
from seekway.pipeline.guardrails.review.verdict import ENDING, Judged
from seekway.pipeline.quota.estimate import prompt_tokens, text_tokens
from seekway.pipeline.stage import AnswerEnded, StreamFilter

_Channel = type[TextDelta] | type[ReasoningDelta] | int
"""Text, reasoning, or a tool call's index: each is a text of its own."""


class ReviewOutput:
    """Belongs behind the cache, so that a kept answer is reviewed at each replay, by the policy of whoever asks.

    Of text and reasoning what is held back is settled when something else follows. Clients put together what comes of a kind, whatever stood between:
    where the text then goes on, it is reviewed as the rest of what was settled.
    Arguments of tool calls are settled at the end.
    """

    name = "review_output"

    def __init__(self, canaries: CanaryMaker) -> None:
        self._canaries = canaries

    def open(self, request: GenerateRequest, exchange: Exchange) -> StreamFilter | None:
        notes = exchange.review
        if notes is None or notes.answered:
            return None
        policy = notes.policy
        if policy.output is None and policy.reasoning is None and policy.format is None:
            return None
        if policy.canary and not exchange.prompt_marker:
            # Kept answers may have been made with it.
            exchange.prompt_marker = self._canaries.of(exchange.caller.tenant)
        return OutputFilter(request, exchange, notes)


class OutputFilter:
    __slots__ = (
        "_exchange", "_last", "_logprobs", "_notes", "_parts", "_paused", "_reasoned", "_request", "_reviewers", "_said", "_settled",
        "_tails", "_tokens", "_with_logprobs",
    )  # fmt: skip

    def __init__(self, request: GenerateRequest, exchange: Exchange, notes: ReviewNotes) -> None:
        self._request = request
        self._exchange = exchange
        self._notes = notes
        self._parts: list[Part] = []
        self._reviewers: dict[_Channel, TextReviewer] = {}
        self._logprobs: dict[_Channel, HeldLogprobs] = {}
        self._tails: dict[_Channel, Tail] = {}
        self._last: _Channel | None = None
        self._paused = False
        self._tokens = 0.0
        self._reasoned = 0.0
        self._said: list[str] = []
        self._settled = False
        self._with_logprobs = request.sampling.top_logprobs is not None

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        passed: list[Event] = []
        last: Collection[int] = ()
        came = events
        if len(events) > 1:
            came = _joined(events)
            last = _last_texts(came)
        for place, event in enumerate(came):
            kind = type(event)
            if kind is TextDelta or kind is ReasoningDelta:
                self._text(event, passed, events, last=place in last)  # pyright: ignore[reportArgumentType] - type() does not narrow, and a match costs twice as much
            elif isinstance(event, ToolCallDelta):
                self._call(event, passed, events)
            else:
                if kind is not Finish:
                    self._pause(passed, events)
                elif not self._settled:
                    self._settle(passed, events)
                passed.append(event)
        return passed

    def end(self) -> Sequence[Event]:
        passed: list[Event] = []
        if not self._settled:
            self._settle(passed, ())
        return passed

    def leave(self) -> None:
        for reviewer in self._reviewers.values():
            # What a detector that fails means was told already, and there is nobody to refuse any more.
            with contextlib.suppress(ReviewUnavailable):
                reviewer.leave()

    def _text(
        self, event: TextDelta | ReasoningDelta, passed: list[Event], batch: Sequence[Event], *, last: bool
    ) -> None:
        """``last``: nothing of this kind follows any more, so that nothing is held back and looked at again."""
        kind = type(event)
        tokens = text_tokens(event.text)
        self._tokens += tokens if tokens > 1.0 else 1.0
        if kind is ReasoningDelta:
            self._reasoned += tokens
        elif self._notes.policy.format is not None:
            self._said.append(event.text)
        if self._last is not kind or self._paused:
            self._turn(passed, batch)
            self._last = kind
            self._begin(kind, whole=last)
        reviewer = self._reviewers.get(kind)
        if reviewer is None:
            passed.append(event)
            return
        held = reviewer.holds or self._with_logprobs
        released = reviewer.feed(event.text, final=last)
        if last:
            del self._reviewers[kind]
            self._tails.pop(kind, None)
        if not held and released.ending is None and released.text == event.text:
            passed.append(event)
            return
        if self._with_logprobs:
            self._logprobs_of(kind).take(event.text, event.logprobs)
        self._release(kind, released, passed, batch)

    def _logprobs_of(self, channel: _Channel) -> HeldLogprobs:
        held = self._logprobs.get(channel)
        if held is None:
            tail = self._tails.get(channel)
            held = self._logprobs[channel] = HeldLogprobs(0 if tail is None else len(tail.held))
        return held

    def _call(self, event: ToolCallDelta, passed: list[Event], batch: Sequence[Event]) -> None:
        tokens = text_tokens(event.arguments)
        self._tokens += tokens if tokens > 1.0 else 1.0
        if not isinstance(self._last, int):
            self._turn(passed, batch)
        self._last = event.index
        if event.index not in self._reviewers:
            self._begin(event.index)
        reviewer = self._reviewers.get(event.index)
        if reviewer is None:
            passed.append(event)
            return
        released = reviewer.feed(event.arguments)
        if released.ending is None and released.text == event.arguments:
            passed.append(event)
            return
        if event.id is not None or event.name is not None:
            passed.append(msgspec.structs.replace(event, arguments=""))
        self._release(event.index, released, passed, batch)

    def _begin(self, channel: _Channel, *, whole: bool = False) -> None:
        policy = self._notes.policy
        self._paused = False
        part = policy.reasoning if channel is ReasoningDelta else policy.output
        if part is not None:
            own: Sequence[Watch] = ()
            if part.leaked_words is not None:
                leaks = leakage_detectors(self._request, self._exchange, min_words=part.leaked_words)
                own = [Watch(detector, part.leakage) for detector in leaks]
            tail = self._tails.get(channel)
            self._reviewers[channel] = TextReviewer(
                part, self._notes.found, self._notes.failed, own, tail=tail, whole=whole and tail is None
            )
            if part not in self._parts:
                self._parts.append(part)

    def _turn(self, passed: list[Event], batch: Sequence[Event]) -> None:
        """Another kind of text follows: what is held of text or reasoning is settled."""
        if self._last is not None and not isinstance(self._last, int):
            self._finish(self._last, passed, batch)

    def _pause(self, passed: list[Event], batch: Sequence[Event]) -> None:
        """What is held goes before what is neither text nor call; should more text come after all, it is reviewed as the rest of it."""
        for channel in tuple(self._reviewers):
            self._finish(channel, passed, batch)
        self._paused = True

    def _settle(self, passed: list[Event], batch: Sequence[Event]) -> None:
        """The answer is over."""
        self._pause(passed, batch)
        self._check_format(passed, batch)
        self._settled = True
        for part in self._parts:
            self._notes.ended(part)

    def _check_format(self, passed: list[Event], batch: Sequence[Event]) -> None:
        """Of the text as the model wrote it; an answer that calls tools instead of saying something has none."""
        policy = self._notes.policy
        if policy.format is None or policy.output is None or (self._last is not TextDelta):
            return
        findings = policy.format.check("".join(self._said))
        judged = [Judged(one, policy.output.actions.of(one)) for one in findings]
        self._notes.found(policy.output, [one for one in judged if one.action != "pass"])
        if any(one.action in ENDING for one in judged):
            raise AnswerEnded(self, self._last_events(passed, batch))

    def _finish(self, channel: _Channel, passed: list[Event], batch: Sequence[Event]) -> None:
        reviewer = self._reviewers.pop(channel, None)
        if reviewer is not None:
            tail = reviewer.tail
            self._tails.pop(channel, None)
            if tail is not None and tail.held:
                self._tails[channel] = tail
            self._release(channel, reviewer.feed("", final=True), passed, batch)
        self._logprobs.pop(channel, None)

    def _release(self, channel: _Channel, released: Released, passed: list[Event], batch: Sequence[Event]) -> None:
        text = released.text
        held = self._logprobs.get(channel)
        tokens = () if held is None else held.release(released.length, released.changed)
        if text or tokens:
            if isinstance(channel, int):
                passed.append(ToolCallDelta(channel, arguments=text))
            else:
                passed.append(channel(text, tokens))
        if released.ending is not None:
            raise AnswerEnded(self, self._last_events(passed, batch))

    def _last_events(self, passed: list[Event], batch: Sequence[Event]) -> Sequence[Event]:
        """With the backend's own count where it came along, else with what was seen to come."""
        if not self._settled:
            self._settled = True
            self.leave()
            for part in self._parts:
                self._notes.ended(part)
        usage = next((event for event in batch if isinstance(event, Usage)), None)
        if usage is None:
            request, record = self._request, self._exchange.record
            usage = Usage(
                record.prompt_estimate or prompt_tokens(request),
                int(self._tokens),
                reasoning_tokens=int(self._reasoned),
            )
        return (*passed, Replacement(self._notes.message), usage, Finish("content_filter"))


def _last_texts(events: Sequence[Event]) -> Collection[int]:
    """The places of texts that are the last of their kind, which is known where the answer's end came with them, as it does when it came whole."""
    if type(events[-1]) is not Finish:
        return ()
    last: dict[type[Event], int] = {type(event): place for place, event in enumerate(events)}
    return {last.get(TextDelta, -1), last.get(ReasoningDelta, -1)}


def _joined(events: Sequence[Event]) -> list[Event]:
    """Neighbouring texts of a kind as one: what came together is looked through once."""
    joined: list[Event] = []
    last: Event | None = None
    for event in events:
        if type(event) is not type(last):
            joined.append(event)
        elif isinstance(event, TextDelta) and isinstance(last, TextDelta):
            event = joined[-1] = TextDelta(last.text + event.text, last.logprobs + event.logprobs)
        elif isinstance(event, ReasoningDelta) and isinstance(last, ReasoningDelta):
            event = joined[-1] = ReasoningDelta(last.text + event.text, last.logprobs + event.logprobs)
        else:
            joined.append(event)
        last = event
    return joined
