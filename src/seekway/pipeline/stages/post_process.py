"""Changes an app's or a tenant's answers by a list of simple steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

import msgspec

from seekway.core.errors import ConfigError
from seekway.core.sections.processing import Change, PostProcessRule
from seekway.core.types import Event, Finish, GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.rules.pattern_detector import Pattern, PatternDetector
from seekway.pipeline.stages.answer_text.edges import Append, MaxLength, Prepend, TrimEdges
from seekway.pipeline.stages.answer_text.plain_text import StripMarkdown
from seekway.pipeline.stages.answer_text.replacing import Replace
from seekway.pipeline.stages.answer_text.text_filter import TextFilter, TextFilters, TextStream
from seekway.pipeline.stages.matching import first_match

MakeFilter = Callable[[], TextFilter]


class PostProcess:
    """Raises ``ConfigError`` with the rule's name for a step that lacks what its kind needs, or a pattern that cannot be used."""

    name = "post_process"

    def __init__(self, rules: Sequence[PostProcessRule]) -> None:
        self._rules = [(rule, tuple(_step(rule.name, change) for change in rule.steps)) for rule in rules]

    def open(self, request: GenerateRequest, exchange: Exchange) -> PostProcessed | None:
        steps = first_match(self._rules, request, exchange)
        return None if steps is None else PostProcessed([make() for make in steps])


class PostProcessed:
    """A cut answer ends with the finish reason ``length``."""

    def __init__(self, filters: Sequence[TextFilter]) -> None:
        self._stream = TextStream(TextFilters(filters))
        self._bounds = [one for one in filters if isinstance(one, MaxLength)]

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        events = self._stream.feed(events)
        if not any(bound.cut for bound in self._bounds):
            return events
        return [
            msgspec.structs.replace(event, reason="length", stop=None)
            if isinstance(event, Finish) and event.reason == "stop"
            else event
            for event in events
        ]

    def end(self) -> Sequence[Event]:
        return self._stream.end()


def _step(rule: str, change: Change) -> MakeFilter:
    match change.kind:
        case "strip_markdown":
            return StripMarkdown
        case "trim":
            return TrimEdges
        case "prepend":
            return partial(Prepend, change.text)
        case "append":
            return partial(Append, change.text)
        case "max_length":
            if not change.characters:
                raise ConfigError(f"processing.post_process: {rule}: max_length needs characters.", param="characters")
            return partial(MaxLength, change.characters, change.text)
        case "replace":
            if not change.pattern:
                raise ConfigError(f"processing.post_process: {rule}: replace needs a pattern.", param="pattern")
            found = Pattern(rule, change.pattern, "replace", "low", longest=change.longest)
            return partial(Replace, PatternDetector((found,)), change.text)
        case _:
            assert_never(change.kind)
