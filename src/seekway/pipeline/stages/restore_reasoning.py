"""Puts the reasoning back that a client has left out of a turn that called tools.

DeepSeek answers 400 where it is missing (api-docs.deepseek.com, "Thinking Mode"), and many clients know nothing of ``reasoning_content``.
:class:`NoteReasoning` notes it as answers pass, :class:`RestoreReasoning` stands before ``prune_reasoning``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

import msgspec

from seekway.core.sections.reasoning import ReasoningSettings
from seekway.core.types import Event, GenerateRequest, Message, ReasoningDelta, ToolCall, ToolCallDelta
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.reasoning_memory import LocalReasoningMemory, ReasoningMemory, call_key

_MOST_CHARACTERS = 4 * 1024 * 1024
"""Longer reasoning is not kept: more than any model's context holds."""


class RestoreReasoning:
    """A turn whose reasoning is not known, or that has its own, stays as it is."""

    name = "restore_reasoning"

    def __init__(self, memory: ReasoningMemory) -> None:
        self._memory = memory

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest | Awaitable[GenerateRequest]:
        if request.thinking.enabled is False:
            return request
        lacking = [m for m in request.messages if m.tool_calls and not m.reasoning]
        if not lacking:
            return request
        caller = exchange.caller
        keys = {id(m): [call_key(caller, call) for call in m.tool_calls] for m in lacking}
        found = self._memory.recall([key for of_message in keys.values() for key in of_message])
        if isinstance(found, Mapping):
            return _restored(request, keys, found)
        return _when_found(request, keys, found)


class NoteReasoning:
    """A stream stage that changes nothing; only requests that offer tools are watched."""

    name = "note_reasoning"

    def __init__(self, memory: ReasoningMemory) -> None:
        self._memory = memory

    def open(self, request: GenerateRequest, exchange: Exchange) -> NotingFilter | None:
        if not request.tools or request.thinking.enabled is False or exchange.trial:
            return None
        return NotingFilter(self._memory, exchange)


class NotingFilter:
    """Keeps what it has noted when the stream has ended well: a client that never saw the end has no call to send back."""

    __slots__ = ("_arguments", "_exchange", "_ids", "_length", "_memory", "_names", "_reasoning")

    def __init__(self, memory: ReasoningMemory, exchange: Exchange) -> None:
        self._memory = memory
        self._exchange = exchange
        self._reasoning: list[str] = []
        self._length = 0
        self._ids: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._arguments: dict[int, list[str]] = {}

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        for event in events:
            # By exact type: most events are text, which is then passed over in two comparisons.
            if type(event) is ReasoningDelta:
                self._note_reasoning(event.text)
            elif type(event) is ToolCallDelta:
                self._note_call(event)
        return events

    def end(self) -> Sequence[Event]:
        if self._ids and self._length <= _MOST_CHARACTERS and (self._reasoning or self._by_deepseek()):
            caller = self._exchange.caller
            calls = [
                call_key(caller, ToolCall(of_call, self._names[index], "".join(self._arguments[index])))
                for index, of_call in self._ids.items()
            ]
            self._memory.keep(calls, "".join(self._reasoning))
        return ()

    def _note_reasoning(self, text: str) -> None:
        self._length += len(text)
        if self._length <= _MOST_CHARACTERS:
            self._reasoning.append(text)
        else:
            self._reasoning.clear()

    def _note_call(self, event: ToolCallDelta) -> None:
        if event.id is not None:
            self._ids[event.index] = event.id
            self._names[event.index] = event.name or ""
        self._arguments.setdefault(event.index, []).append(event.arguments)

    def _by_deepseek(self) -> bool:
        """Its cloud wants the member back even where the model had nothing to think about; elsewhere an empty one is noise."""
        route = self._exchange.route
        return route is not None and route.member.kind == "deepseek"


def reasoning_stages(
    settings: ReasoningSettings, memory: LocalReasoningMemory
) -> tuple[tuple[RestoreReasoning, ...], tuple[NoteReasoning, ...]]:
    """The request stage and the stream stage over ``memory``, which keeps to ``settings`` from now on; none where they say so."""
    memory.bound(settings)
    if not settings.restore:
        return (), ()
    return (RestoreReasoning(memory),), (NoteReasoning(memory),)


async def _when_found(
    request: GenerateRequest, keys: Mapping[int, Sequence[bytes]], found: Awaitable[Mapping[bytes, str]]
) -> GenerateRequest:
    return _restored(request, keys, await found)


def _restored(
    request: GenerateRequest, keys: Mapping[int, Sequence[bytes]], found: Mapping[bytes, str]
) -> GenerateRequest:
    if not found:
        return request

    def mended(message: Message) -> Message:
        for key in keys.get(id(message), ()):
            if key in found:
                return msgspec.structs.replace(message, reasoning=found[key])
        return message

    return msgspec.structs.replace(request, messages=tuple(map(mended, request.messages)))
