"""Takes ``<think>…</think>`` out of the text of answers whose server leaves it there."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.sections.processing import ThinkingRule
from seekway.core.types import Event, GenerateRequest, ReasoningDelta, TextDelta
from seekway.engine.reasoning import ReasoningSplitter, Split
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.stages.matching import first_match


class SeparateThinking:
    """The reasoning goes on as reasoning, or nowhere; an answer whose server sends reasoning apart is left as it is."""

    name = "separate_thinking"

    def __init__(self, rules: Sequence[ThinkingRule]) -> None:
        self._rules = [(rule, rule) for rule in rules]

    def open(self, request: GenerateRequest, exchange: Exchange) -> ThinkingStream | None:
        rule = first_match(self._rules, request, exchange)
        return None if rule is None else ThinkingStream(rule)


class ThinkingStream:
    def __init__(self, rule: ThinkingRule) -> None:
        self._keep = rule.keep
        self._splitter: ReasoningSplitter | None = ReasoningSplitter(opened=rule.opened)

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        passed: list[Event] = []
        for event in events:
            if isinstance(event, TextDelta):
                passed += self._split(event)
            else:
                self._finish(passed)
                passed.append(event)
        return passed

    def end(self) -> Sequence[Event]:
        passed: list[Event] = []
        self._finish(passed)
        return passed

    def _split(self, event: TextDelta) -> list[Event]:
        if self._splitter is None:
            return [event]
        split = self._splitter.feed(event.text)
        if split.answer == event.text:
            return [event]
        passed: list[Event] = []
        self._add(passed, split)
        return passed

    def _finish(self, passed: list[Event]) -> None:
        """Nothing more of the text is reasoning."""
        if self._splitter is not None:
            self._add(passed, self._splitter.finish())
            self._splitter = None

    def _add(self, passed: list[Event], split: Split) -> None:
        if split.reasoning and self._keep:
            passed.append(ReasoningDelta(split.reasoning))
        if split.answer:
            passed.append(TextDelta(split.answer))
