from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
import structlog

from seekway.applications.agents.agent import AgentEvent, AgentTask, SourcesFound
from seekway.applications.agents.work import ToolAgent
from seekway.applications.definition import AgentUse, Definition, KnowledgeUse, Strategy, ToolUse
from seekway.applications.events import AnswerDelta, AnswerReplaced, ReasoningDelta, ThoughtChanged
from seekway.applications.records import AppRecord, Source, Thought
from seekway.applications.tools.tool import Calling
from seekway.applications.tools.toolbox import Toolbox
from seekway.core.caller import ANONYMOUS
from seekway.core.errors import BackendUnavailable, ConfigError
from seekway.core.types import (
    Event,
    Finish,
    GenerateRequest,
    Message,
    Replacement,
    TextDelta,
    ToolCallDelta,
    ToolChoice,
    Usage,
)
from seekway.core.types import ReasoningDelta as ModelReasoning
from tests.fakes.scripted_models import ScriptedModels

NOTHING = KnowledgeUse()
CLOCK = ToolUse("builtin", name="current_time")


def _call(arguments: str = "{}", name: str = "current_time", index: int = 0) -> Sequence[Event]:
    half = len(arguments) // 2
    return (
        ToolCallDelta(index, f"c{index}", name, arguments[:half]),
        ToolCallDelta(index, arguments=arguments[half:]),
    )


def _end(*events: Event, tokens: int = 5, reason: str = "stop") -> list[Event]:
    return [*events, Usage(tokens, 1), Finish("stop" if reason == "stop" else "tool_calls")]


def _task(agent: AgentUse, *, knowledge: KnowledgeUse = NOTHING) -> AgentTask:
    app = AppRecord("", "a1", "helper", "Helper", Definition("agent-chat", agent=agent, knowledge=knowledge))
    request = GenerateRequest("r1", "m", (Message("system", "Be good."), Message("user", "What time is it?")))
    return AgentTask(app, ANONYMOUS, "m1", request, "What time is it?", "u", asyncio.get_running_loop().time() + 60)


async def _find(calling: Calling, query: str) -> Sequence[Source]:
    assert calling.user == "u"
    return [Source(n, "d", "D", "x", f"Doc {query}", "s", 1, 0.5, f"Text {n}") for n in (1, 2)]


async def _run(models: ScriptedModels, task: AgentTask) -> list[AgentEvent]:
    toolbox = Toolbox((), lambda _: ({}, {}), _find, lambda: 1_700_000_000.0, structlog.get_logger())
    events: list[AgentEvent] = []
    try:
        async with contextlib.aclosing(ToolAgent(models, toolbox, lambda: 1.5).run(task)) as stream:
            events.extend([event async for event in stream])
    finally:
        await toolbox.close()
    return events


def _answer(events: Sequence[AgentEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, AnswerDelta))


def _thoughts(events: Sequence[AgentEvent]) -> list[Thought]:
    """As they are at last."""
    last = {event.thought.id: event.thought for event in events if isinstance(event, ThoughtChanged)}
    return list(last.values())


async def test_a_tool_is_called_and_its_result_is_read() -> None:
    models = ScriptedModels(
        _end(ModelReasoning("hm"), TextDelta("Let me see."), *_call('{"timezone": "Asia/Shanghai"}')),
        _end(TextDelta("It is "), TextDelta("6:13.")),
    )
    events = await _run(models, _task(AgentUse(tools=(CLOCK,))))
    assert _answer(events) == "Let me see.It is 6:13."
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["hm"]
    assert sum(isinstance(event, Usage) for event in events) == 2
    first, second = _thoughts(events)
    assert (first.position, first.text, first.tool, first.message, first.created_at) == (
        1,
        "Let me see.",
        "current_time",
        "m1",
        1500,
    )
    assert msgspec.json.decode(first.tool_input) == {"current_time": {"timezone": "Asia/Shanghai"}}
    assert "2023-11-15 06:13:20 Wednesday" in first.observation
    assert first.labels == {"current_time": {"en_US": "Current time", "zh_Hans": "Current time"}}
    assert (second.position, second.text, second.tool) == (2, "It is 6:13.", "")
    asked = models.asked
    assert [request.id for request in asked] == ["r1-1", "r1-2"]
    assert [tool.name for tool in asked[0].tools] == ["current_time"]
    *_, assistant, result = asked[1].messages
    assert (assistant.content, assistant.reasoning, assistant.tool_calls[0].id) == ("Let me see.", "hm", "c0")
    assert (result.role, result.tool_call_id) == ("tool", "c0")


async def test_each_step_is_told_as_it_fills_under_one_id() -> None:
    models = ScriptedModels(_end(TextDelta("T"), *_call()), _end(TextDelta("A")))
    events = await _run(models, _task(AgentUse(tools=(CLOCK,))))
    told = [event.thought for event in events if isinstance(event, ThoughtChanged)]
    assert [(one.position, bool(one.text), bool(one.tool), bool(one.observation)) for one in told] == [
        (1, False, False, False),
        (1, True, True, False),
        (1, True, True, True),
        (2, False, False, False),
        (2, True, False, False),
    ]
    assert len({one.id for one in told}) == 2


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("nothing", "{}", "There is no tool 'nothing'"),
        ("current_time", "{", "not valid JSON"),
        ("current_time", "[]", "no JSON object"),
        ("current_time", '{"timezone": 3}', "do not fit at timezone"),
        ("current_time", '{"timezone": "Moon/Far"}', "no time zone"),
        ("current_time", '{"timezone": "../../etc/passwd"}', "no time zone"),
    ],
)
async def test_a_call_that_fails_is_told_to_the_model(name: str, arguments: str, says: str) -> None:
    models = ScriptedModels(_end(*_call(arguments, name)), _end(TextDelta("Sorry.")))
    events = await _run(models, _task(AgentUse(tools=(CLOCK,))))
    assert _answer(events) == "Sorry."
    assert says in str(models.asked[1].messages[-1].content)
    assert says in msgspec.json.decode(_thoughts(events)[0].observation)[name]


async def test_several_calls_are_made_together_and_answered_in_order() -> None:
    calls = (*_call('{"timezone": "UTC"}'), *_call('{"timezone": "Asia/Tokyo"}', index=1))
    models = ScriptedModels(_end(*calls), _end(TextDelta("Done.")))
    events = await _run(models, _task(AgentUse(tools=(CLOCK,))))
    results = models.asked[1].messages[-2:]
    assert [message.tool_call_id for message in results] == ["c0", "c1"]
    assert "Tokyo" in str(results[1].content)
    thought = _thoughts(events)[0]
    assert thought.tool == "current_time"
    assert len(msgspec.json.decode(thought.observation)["current_time"]) == 2


@pytest.mark.parametrize(
    ("agent", "turns"), [({"max_steps": 2}, 2), ({"max_tokens": 10}, 2), ({"max_seconds": 1e-9}, 0)]
)
@pytest.mark.parametrize("strategy", ["function_call", "react"])
async def test_bounds_end_the_calls_and_the_model_answers_without(
    agent: Mapping[str, Any], turns: int, strategy: Strategy
) -> None:
    acting = (
        _end(*_call())
        if strategy == "function_call"
        else _end(TextDelta('Thought: x\nAction: {"tool": "current_time", "input": {}}'))
    )
    last = _end(TextDelta("Enough." if strategy == "function_call" else "Final Answer: Enough."))
    models = ScriptedModels(*[acting] * turns, last)
    events = await _run(models, _task(AgentUse(strategy, (CLOCK,), **agent)))
    assert _answer(events).strip() == "Enough."
    assert len(models.asked) == turns + 1
    final = models.asked[-1]
    assert "no more tools" in str(final.messages[-1].content)
    if strategy == "function_call":
        assert final.tool_choice == ToolChoice("none")


async def test_a_model_that_calls_although_it_may_not_is_not_heeded() -> None:
    models = ScriptedModels(_end(*_call()), _end(TextDelta("x"), *_call()))
    events = await _run(models, _task(AgentUse(tools=(CLOCK,), max_steps=1)))
    assert _answer(events) == "x"
    assert len(models.asked) == 2


async def test_passages_that_tools_find_are_numbered_over_the_answer() -> None:
    search = [_end(*_call(f'{{"query": "q{n}"}}', "search_knowledge")) for n in (1, 2)]
    models = ScriptedModels(*search, _end(TextDelta("See [3].")))
    events = await _run(models, _task(AgentUse(), knowledge=KnowledgeUse(("d",))))
    found = [source for event in events if isinstance(event, SourcesFound) for source in event.sources]
    assert [source.position for source in found] == [1, 2, 3, 4]
    assert str(models.asked[2].messages[-1].content).startswith("[3] Doc q2\nText 1")


async def test_a_replaced_answer_ends_the_work() -> None:
    models = ScriptedModels([TextDelta("bad"), Replacement("No."), Usage(1, 1), Finish("content_filter")])
    events = await _run(models, _task(AgentUse(tools=(CLOCK,))))
    assert [event for event in events if isinstance(event, AnswerReplaced)] == [AnswerReplaced("No.")]
    assert len(models.asked) == 1


async def test_a_models_failure_is_the_agents() -> None:
    with pytest.raises(BackendUnavailable):
        await _run(ScriptedModels([TextDelta("a"), BackendUnavailable("gone")]), _task(AgentUse(tools=(CLOCK,))))


async def test_a_tool_that_is_not_there_is_an_error_not_a_silence() -> None:
    for use in (ToolUse("openapi", "shop"), ToolUse("mcp", "shop"), ToolUse("builtin", name="dance")):
        with pytest.raises(ConfigError):
            await _run(ScriptedModels(), _task(AgentUse(tools=(use,))))
    off = ToolUse("mcp", "shop", enabled=False)
    assert _answer(await _run(ScriptedModels(_end(TextDelta("Hi"))), _task(AgentUse(tools=(off,))))) == "Hi"


async def test_closing_the_work_ends_the_models_stream_at_once() -> None:
    models = ScriptedModels([TextDelta("a"), None])
    toolbox = Toolbox((), lambda _: ({}, {}), _find, lambda: 0.0, structlog.get_logger())
    stream = ToolAgent(models, toolbox, lambda: 0.0).run(_task(AgentUse(tools=(CLOCK,))))
    async for event in stream:
        if isinstance(event, AnswerDelta):
            break
    await stream.aclose()
    assert models.closed == 1


async def test_reasoning_by_words_shows_the_final_answer_alone() -> None:
    models = ScriptedModels(
        _end(
            TextDelta("Thought: I need the ti"),
            TextDelta("me\nAct"),
            TextDelta('ion: {"tool": "current_time", "input": {"timezone": "UTC"}}'),
        ),
        _end(TextDelta("Thought: I know\nFinal An"), TextDelta("swer: It "), TextDelta("is late.")),
    )
    events = await _run(models, _task(AgentUse("react", (CLOCK,))))
    assert _answer(events) == "It is late."
    first, second = _thoughts(events)
    assert (first.text, first.tool) == ("I need the time", "current_time")
    assert second.text == "I know"
    assert models.asked[0].tools == ()
    assert "\nObservation:" in models.asked[0].sampling.stop
    assert str(models.asked[1].messages[-1].content).startswith("Observation: 2023-11-14")
    assert "current_time" in str(models.asked[0].messages[0].content)
