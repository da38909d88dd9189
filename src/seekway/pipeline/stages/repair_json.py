"""Mends the JSON of answers that were asked for as JSON, and of tool calls' arguments."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from seekway.core.sections.processing import JsonRule
from seekway.core.types import Event, GenerateRequest, ReasoningDelta, ResponseFormat, TextDelta, ToolCallDelta
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.stages.answer_text.json_mending import JsonMender
from seekway.pipeline.stages.matching import first_match


class RepairJson:
    """Valid JSON passes byte for byte and is not held back; an answer without any passes as it is."""

    name = "repair_json"

    def __init__(self, rules: Sequence[JsonRule]) -> None:
        self._rules = [(rule, rule) for rule in rules]

    def open(self, request: GenerateRequest, exchange: Exchange) -> JsonStream | None:
        rule = first_match(self._rules, request, exchange)
        if rule is None:
            return None
        asked = request.response_format.type != "text"
        arguments = rule.tool_arguments and bool(request.tools)
        return JsonStream(_openers(request.response_format) if asked else "", arguments) if asked or arguments else None


def _openers(wanted: ResponseFormat) -> str:
    """The brackets that the JSON asked for may begin with."""
    if wanted.type == "json_object":
        return "{"
    kind: object = (wanted.schema or {}).get("type")
    return {"object": "{", "array": "["}.get(kind, "{[") if isinstance(kind, str) else "{["


class JsonStream:
    """``openers`` empty leaves the text alone."""

    def __init__(self, openers: str, arguments: bool) -> None:
        self._text = JsonMender(openers) if openers else None
        self._mends_arguments = arguments
        self._call: int | None = None
        self._arguments = JsonMender("{")

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        passed: list[Event] = []
        for event in events:
            if isinstance(event, TextDelta) and self._text is not None:
                text = self._text.feed(event.text)
                if text:
                    passed.append(event if text == event.text else TextDelta(text))
            elif isinstance(event, ToolCallDelta):
                self._end_text(passed)
                passed.append(self._mended(event, passed) if self._mends_arguments else event)
            else:
                if not isinstance(event, TextDelta | ReasoningDelta):
                    self._finish(passed)
                passed.append(event)
        return passed

    def end(self) -> Sequence[Event]:
        passed: list[Event] = []
        self._finish(passed)
        return passed

    def _mended(self, event: ToolCallDelta, passed: list[Event]) -> ToolCallDelta:
        if event.index != self._call:
            self._end_call(passed)
            self._call = event.index
        return msgspec.structs.replace(event, arguments=self._arguments.feed(event.arguments))

    def _end_call(self, passed: list[Event]) -> None:
        """Close the arguments of the call under way; none at all are an object without members."""
        if self._call is None:
            return
        begun = self._arguments.begun
        rest = self._arguments.end(last=True)
        if not begun and not rest.strip():
            rest = "{}"
        if rest:
            passed.append(ToolCallDelta(self._call, arguments=rest))
        self._call, self._arguments = None, JsonMender("{")

    def _end_text(self, passed: list[Event]) -> None:
        if self._text is not None and (rest := self._text.end(last=True)):
            passed.append(TextDelta(rest))

    def _finish(self, passed: list[Event]) -> None:
        self._end_text(passed)
        self._end_call(passed)
