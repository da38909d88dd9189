"""Puts the real values in again where a model answers with their placeholders."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from seekway.core.types import Event, GenerateRequest, ReasoningDelta, TextDelta, ToolCallDelta
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.pii.placeholders import Placeholders, Restorer
from seekway.pipeline.stage import StreamFilter

_Channel = type[TextDelta] | type[ReasoningDelta] | int


class RestoreValues:
    """Behind whatever keeps or reviews answers: those see placeholders only."""

    name = "restore_values"

    def open(self, request: GenerateRequest, exchange: Exchange) -> StreamFilter | None:
        notes = exchange.review
        return None if notes is None or not notes.placeholders else RestoringFilter(notes.placeholders)


class RestoringFilter:
    """Text, reasoning and each tool call's arguments are texts of their own. A delta that was changed loses its log-probabilities."""

    __slots__ = ("_last", "_placeholders", "_restorers")

    def __init__(self, placeholders: Placeholders) -> None:
        self._placeholders = placeholders
        self._restorers: dict[_Channel, Restorer] = {}
        self._last: _Channel | None = None

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        passed: list[Event] = []
        for event in events:
            if isinstance(event, TextDelta | ReasoningDelta):
                self._turn(type(event), passed)
                text = self._restorer(type(event)).feed(event.text)
                if text == event.text:
                    passed.append(event)
                elif text:
                    passed.append(type(event)(text))
            elif isinstance(event, ToolCallDelta):
                self._turn(event.index, passed)
                passed.append(
                    msgspec.structs.replace(event, arguments=self._restorer(event.index).feed(event.arguments))
                )
            else:
                passed += self.end()
                passed.append(event)
        return passed

    def end(self) -> Sequence[Event]:
        passed: list[Event] = []
        for channel in tuple(self._restorers):
            self._finish(channel, passed)
        return passed

    def _restorer(self, channel: _Channel) -> Restorer:
        restorer = self._restorers.get(channel)
        if restorer is None:
            restorer = self._restorers[channel] = self._placeholders.restorer(in_json=isinstance(channel, int))
        return restorer

    def _turn(self, channel: _Channel, passed: list[Event]) -> None:
        """What is held of text or reasoning belongs before what follows it."""
        last, self._last = self._last, channel
        if last is not None and last != channel and not isinstance(last, int):
            self._finish(last, passed)

    def _finish(self, channel: _Channel, passed: list[Event]) -> None:
        restorer = self._restorers.pop(channel, None)
        held = "" if restorer is None else restorer.end()
        if held:
            passed.append(ToolCallDelta(channel, arguments=held) if isinstance(channel, int) else channel(held))
