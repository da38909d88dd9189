"""Changes the text of an answer as it streams by, whatever the pieces it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from seekway.core.types import Event, ReasoningDelta, TextDelta, ToolCallDelta


class TextFilter(Protocol):
    """One text's way through one change.

    What ``feed`` and ``end`` return, taken together, is the same however the text was cut, and holds back no more than it must.
    """

    def feed(self, text: str, /) -> str: ...

    def end(self, *, last: bool) -> str:
        """What was held back. ``last`` False: a tool call stands here, after which more text may follow."""
        ...


class TextFilters:
    """Several in a row as one."""

    def __init__(self, filters: Sequence[TextFilter]) -> None:
        self._filters = filters

    def feed(self, text: str) -> str:
        for text_filter in self._filters:
            text = text_filter.feed(text)
        return text

    def end(self, *, last: bool) -> str:
        text = ""
        for text_filter in self._filters:
            text = (text_filter.feed(text) if text else "") + text_filter.end(last=last)
        return text


class TextStream:
    """A :class:`seekway.pipeline.stage.StreamFilter` that puts the answer's text through ``text_filter``; reasoning and tool calls pass.

    Pieces that come out as they went in keep their log-probabilities; of a changed text there are none.
    """

    def __init__(self, text_filter: TextFilter) -> None:
        self._filter = text_filter
        self._ended = False

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        passed: list[Event] = []
        for event in events:
            if isinstance(event, TextDelta):
                text = self._filter.feed(event.text)
                if text:
                    passed.append(event if text == event.text else TextDelta(text))
                continue
            if isinstance(event, ToolCallDelta):
                self._flush(passed, last=False)
            elif not isinstance(event, ReasoningDelta):
                self._finish(passed)
            passed.append(event)
        return passed

    def end(self) -> Sequence[Event]:
        passed: list[Event] = []
        self._finish(passed)
        return passed

    def _finish(self, passed: list[Event]) -> None:
        if not self._ended:
            self._ended = True
            self._flush(passed, last=True)

    def _flush(self, passed: list[Event], *, last: bool) -> None:
        if held := self._filter.end(last=last):
            passed.append(TextDelta(held))
