"""An agent's work on one question: the model and its tools in turns, told step by step."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Final

import msgspec

from seekway.applications.agents.agent import AgentEvent, AgentTask, SourcesFound
from seekway.applications.agents.bounds import Bounds
from seekway.applications.agents.calling import Called, arguments_of, by_name, call_tools
from seekway.applications.agents.react_prompt import REACT_STOP, observed, react_instructions
from seekway.applications.agents.react_text import ReactText
from seekway.applications.agents.turn import Turn
from seekway.applications.events import AnswerDelta, AnswerReplaced, ReasoningDelta, ThoughtChanged
from seekway.applications.ports import Models
from seekway.applications.records import Thought
from seekway.applications.tools.knowledge_search import as_text
from seekway.applications.tools.tool import Calling, RunnableTool, ToolResult
from seekway.applications.tools.toolbox import Toolbox
from seekway.core.types import (
    GenerateRequest,
    Message,
    Replacement,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    Usage,
)
from seekway.core.types import (
    ReasoningDelta as ModelReasoning,
)

_ENOUGH: Final = (
    "You may call no more tools. Answer the question now with what you know, and say what you could not find out."
)
_OUT_OF_TIME: Final = "Not finished: the time for tools is over."


class ToolAgent:
    """The :class:`seekway.applications.agents.agent.Agent` of both strategies. ``clock`` gives Unix seconds."""

    def __init__(self, models: Models, toolbox: Toolbox, clock: Callable[[], float]) -> None:
        self._models = models
        self._toolbox = toolbox
        self._clock = clock

    async def run(self, task: AgentTask) -> AsyncGenerator[AgentEvent, None]:
        work = _Work(self._models, task, await self._toolbox.tools_of(task.app), self._clock)
        # Closed here, so that the model's stream ends at once with this one.
        async with contextlib.aclosing(work.run()) as events:
            async for event in events:
                yield event


class _Work:
    def __init__(
        self, models: Models, task: AgentTask, tools: Mapping[str, RunnableTool], clock: Callable[[], float]
    ) -> None:
        self._models = models
        self._task = task
        self._tools = tools
        self._wall_clock = clock
        self._loop = asyncio.get_running_loop()
        self._bounds = Bounds(task, self._loop.time)
        self._calling = Calling(task.app, task.caller, task.user)
        self._react = task.app.definition.agent.strategy == "react"
        self._messages = list(task.request.messages)
        self._sources = 0
        self._position = 0
        if self._react and tools:
            self._messages[:0] = [Message("system", react_instructions(tools.values()))]

    async def run(self) -> AsyncGenerator[AgentEvent, None]:
        while True:
            acts = bool(self._tools) and self._bounds.step()
            self._position += 1
            thought = self._thought()
            turn, reader = Turn(), ReactText() if self._react and self._tools else None
            yield ThoughtChanged(thought)
            replaced = False
            async with contextlib.aclosing(self._turn(turn, reader, acts)) as events:
                async for event in events:
                    replaced = replaced or isinstance(event, AnswerReplaced)
                    yield event
            calls = () if replaced or not acts else self._calls(turn, reader)
            text = turn.text if reader is None else reader.thought
            if not calls:
                yield ThoughtChanged(msgspec.structs.replace(thought, text=text))
                return
            thought = msgspec.structs.replace(
                thought,
                text=text,
                tool=";".join(dict.fromkeys(call.name for call in calls)),
                labels=self._labels(calls),
                tool_input=by_name(calls, [arguments_of(call) for call in calls]),
            )
            yield ThoughtChanged(thought)
            called = await self._call(calls)
            sources = [source for one in called for source in one.result.sources]
            if sources:
                yield SourcesFound(tuple(sources))
            yield ThoughtChanged(
                msgspec.structs.replace(thought, observation=by_name(calls, [one.result.text for one in called]))
            )
            self._go_on(turn, reader, called)

    async def _turn(self, turn: Turn, reader: ReactText | None, acts: bool) -> AsyncGenerator[AgentEvent, None]:
        async with contextlib.aclosing(self._models.generate(self._request(acts), self._task.caller)) as events:
            async for event in events:
                match event:
                    case TextDelta(text=text):
                        turn.say(text)
                        shown = text if reader is None else reader.feed(text)
                        if shown:
                            yield AnswerDelta(shown)
                    case ModelReasoning(text=text):
                        turn.reason(text)
                        yield ReasoningDelta(text)
                    case ToolCallDelta():
                        turn.call(event)
                    case Replacement(text=text):
                        yield AnswerReplaced(text)
                    case Usage():
                        self._bounds.spent(event)
                        yield event
                    case _:
                        pass
        if reader is not None and (rest := reader.end() if acts else _last(reader)):
            yield AnswerDelta(rest)

    def _request(self, acts: bool) -> GenerateRequest:
        request = self._task.request
        messages = list(self._messages)
        if not acts and self._tools:
            messages.append(Message("system", _ENOUGH))
        extra: dict[str, object] = {}
        if self._react:
            stop = (*request.sampling.stop, *REACT_STOP) if self._tools else request.sampling.stop
            extra["sampling"] = msgspec.structs.replace(request.sampling, stop=stop)
        elif self._tools:
            # Named also where none may be called: the messages before tell of calls.
            extra["tools"] = tuple(
                Tool(tool.name, tool.description, dict(tool.parameters)) for tool in self._tools.values()
            )
            extra["tool_choice"] = ToolChoice("auto" if acts else "none")
        return msgspec.structs.replace(
            request,
            id=f"{request.id}-{self._position}",
            messages=tuple(messages),
            deadline_s=max(0.001, self._task.deadline - self._loop.time()),
            **extra,
        )

    def _calls(self, turn: Turn, reader: ReactText | None) -> Sequence[ToolCall]:
        if reader is None:
            return turn.calls()
        action = reader.action()
        return () if action is None else (action,)

    async def _call(self, calls: Sequence[ToolCall]) -> list[Called]:
        try:
            async with asyncio.timeout_at(self._bounds.until):
                called = await call_tools(self._tools, calls, self._calling)
        except TimeoutError:
            return [Called(call, ToolResult(_OUT_OF_TIME)) for call in calls]
        return [self._numbered(one) for one in called]

    def _numbered(self, called: Called) -> Called:
        """Sources are numbered over the whole answer, in the text that the model reads as well."""
        result = called.result
        if not result.sources or not self._sources:
            self._sources += len(result.sources)
            return called
        sources = tuple(
            msgspec.structs.replace(source, position=source.position + self._sources) for source in result.sources
        )
        self._sources += len(sources)
        return Called(called.call, ToolResult(as_text(sources), sources))

    def _go_on(self, turn: Turn, reader: ReactText | None, called: Sequence[Called]) -> None:
        if reader is not None:
            self._messages += (
                Message("assistant", turn.text, reasoning=turn.reasoning or None),
                Message("user", observed(called[0].result.text)),
            )
            return
        calls = tuple(one.call for one in called)
        self._messages.append(Message("assistant", turn.text, reasoning=turn.reasoning or None, tool_calls=calls))
        self._messages += [Message("tool", one.result.text, tool_call_id=one.call.id) for one in called]

    def _thought(self) -> Thought:
        return Thought(self._task.message, str(uuid.uuid4()), self._position, created_at=int(self._wall_clock() * 1000))

    def _labels(self, calls: Sequence[ToolCall]) -> dict[str, dict[str, str]]:
        known = {call.name: self._tools[call.name].label for call in calls if call.name in self._tools}
        return {name: {"en_US": label, "zh_Hans": label} for name, label in known.items()}


def _last(reader: ReactText) -> str:
    """The answer of a model that was told to call nothing more and may have tried nevertheless."""
    return reader.end() or ("" if reader.action() is None else reader.thought)
