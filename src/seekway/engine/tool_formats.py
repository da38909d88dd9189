"""How models write tool calls, by what their chat template shows.

========== ==================================================================== ==========================
format     written as                                                           known by
========== ==================================================================== ==========================
hermes     ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``             the rest (Qwen, Hermes)
deepseek   ``<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>…<｜tool▁sep｜>…``          ``<｜tool▁calls▁begin｜>``
llama      ``{"name": …, "parameters": {…}}`` as the whole answer               ``"parameters":`` and ipython
bare       ``{"name": …, "arguments": {…}}``, forced through a JSON schema      ``tool_choice``
========== ==================================================================== ==========================

A template that does not show tools to the model gets them in a system message, in the format the model otherwise uses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from seekway.core.types import Tool, ToolCall

CALLS_BEGIN: Final = "<｜tool▁calls▁begin｜>"
CALLS_END: Final = "<｜tool▁calls▁end｜>"
CALL_BEGIN: Final = "<｜tool▁call▁begin｜>"
CALL_END: Final = "<｜tool▁call▁end｜>"
SEPARATOR: Final = "<｜tool▁sep｜>"
HERMES_BEGIN: Final = "<tool_call>"
HERMES_END: Final = "</tool_call>"
PYTHON_TAG: Final = "<|python_tag|>"

MARKERS: Final = (CALLS_BEGIN, CALLS_END, CALL_BEGIN, CALL_END, SEPARATOR, HERMES_BEGIN, HERMES_END, PYTHON_TAG)
"""Markers that may be control tokens and yet must reach the parsers."""

FormatName = Literal["hermes", "deepseek", "llama"]

_HERMES_HOW: Final = (
    "To call a function, answer with one block for each call, and nothing after the last one:\n"
    '<tool_call>\n{"name": "FUNCTION", "arguments": {"PARAMETER": "VALUE"}}\n</tool_call>'
)
_LLAMA_HOW: Final = (
    "To call a function, answer with one JSON object and nothing else:\n"
    '{"name": "FUNCTION", "parameters": {"PARAMETER": "VALUE"}}'
)
_DEEPSEEK_HOW: Final = (
    "To call functions, end your answer with exactly this, one part from begin to end for each call:\n"
    f"{CALLS_BEGIN}{CALL_BEGIN}function{SEPARATOR}FUNCTION\n```json\n"
    f'{{"PARAMETER": "VALUE"}}\n```{CALL_END}{CALLS_END}'
)


class ToolFormat(msgspec.Struct, frozen=True):
    name: FormatName

    def instructions(self, tools: Sequence[Tool]) -> str:
        """The text that tells a model of its tools where its template does not: one JSON object a line, then how to call."""
        listed = "\n".join(
            json.dumps({"name": t.name, "description": t.description, "parameters": t.parameters}, ensure_ascii=False)
            for t in tools
        )
        how = {"hermes": _HERMES_HOW, "llama": _LLAMA_HOW, "deepseek": _DEEPSEEK_HOW}[self.name]
        return (
            f"You can call these functions; each line is one, its parameters as a JSON schema:\n{listed}\n\n{how}\n"
            "Call a function only when it helps to answer; its result comes in the next message."
        )

    def write_calls(self, calls: Sequence[ToolCall]) -> str:
        """Earlier calls as the model would have written them."""
        if self.name == "deepseek":
            inner = "\n".join(
                f"{CALL_BEGIN}function{SEPARATOR}{c.name}\n```json\n{c.arguments}\n```{CALL_END}" for c in calls
            )
            return f"{CALLS_BEGIN}{inner}{CALLS_END}"
        key = "parameters" if self.name == "llama" else "arguments"
        written = [f'{{"name": {json.dumps(c.name, ensure_ascii=False)}, "{key}": {c.arguments}}}' for c in calls]
        if self.name == "llama":
            return ";".join(written)
        return "\n".join(f"{HERMES_BEGIN}\n{call}\n{HERMES_END}" for call in written)


def tool_format_of(template: str) -> ToolFormat:
    """The format a template's text shows."""
    if CALLS_BEGIN in template:
        return ToolFormat("deepseek")
    if HERMES_BEGIN not in template and "ipython" in template and '"parameters":' in template:
        return ToolFormat("llama")
    return ToolFormat("hermes")
