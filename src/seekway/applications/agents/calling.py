"""The calls that a model asked for, made together, each with what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from seekway.applications.tools.arguments import read_arguments
from seekway.applications.tools.tool import Calling, RunnableTool, ToolResult
from seekway.core.errors import ToolFailed
from seekway.core.types import ToolCall

_MOST_AT_ONCE = 8
_MOST_CALLS = 32


class Called(msgspec.Struct, frozen=True):
    call: ToolCall
    result: ToolResult


async def call_tools(tools: Mapping[str, RunnableTool], calls: Sequence[ToolCall], calling: Calling) -> list[Called]:
    """In the order of ``calls``. What fails is told to the model in its result."""
    room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def one(call: ToolCall) -> Called:
        async with room:
            return Called(call, await _result(tools, call, calling))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(call)) for call in calls[:_MOST_CALLS]]
    left = [Called(call, ToolResult("Not called: too many calls at once.")) for call in calls[_MOST_CALLS:]]
    return [*(task.result() for task in tasks), *left]


async def _result(tools: Mapping[str, RunnableTool], call: ToolCall, calling: Calling) -> ToolResult:
    tool = tools.get(call.name)
    if tool is None:
        return ToolResult(f"There is no tool {call.name!r}; there are {', '.join(sorted(tools)) or 'none'}.")
    try:
        return await tool.call(read_arguments(tool, call.arguments), calling)
    except ToolFailed as error:
        return ToolResult(error.message)


def by_name(calls: Sequence[ToolCall], values: Sequence[Any]) -> str:
    """JSON of values by the tools' names; a name that stands several times has its values in a list."""
    grouped: dict[str, list[Any]] = {}
    for call, value in zip(calls, values, strict=True):
        grouped.setdefault(call.name, []).append(value)
    return msgspec.json.encode({name: one if len(one) > 1 else one[0] for name, one in grouped.items()}).decode()


def arguments_of(call: ToolCall) -> Any:
    """As they are shown: an object, or the text where it is none."""
    try:
        return msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError):
        return call.arguments
