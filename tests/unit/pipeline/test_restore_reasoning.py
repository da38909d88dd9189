"""A client that forgets a tool turn's reasoning gets it put back; nobody else's request is touched."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence

import msgspec
import pytest

from seekway.core.sections.reasoning import ReasoningSettings
from seekway.core.types import (
    Event,
    Finish,
    GenerateRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    Thinking,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from seekway.observability.record import RequestRecord
from seekway.pipeline.caller import Caller
from seekway.pipeline.directory import BackendKind, Member, Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.reasoning_memory import LocalReasoningMemory, ReasoningMemory
from seekway.pipeline.stages.restore_reasoning import NoteReasoning, RestoreReasoning, reasoning_stages
from tests.fakes.backend import FakeBackend, model_info

TOOLS = (Tool("search"),)
CALL = ToolCall("call_1", "search", '{"q":"sea"}')
USER = Message("user", "look it up")
OUTPUT = Message("tool", "blue", tool_call_id="call_1")
ANSWER: tuple[Event, ...] = (
    ReasoningDelta("I should "),
    ReasoningDelta("search."),
    TextDelta("Wait."),
    ToolCallDelta(0, "call_1", "search", '{"q":'),
    ToolCallDelta(0, arguments='"sea"}'),
    Usage(1, 1),
    Finish("tool_calls"),
)


def exchange(tenant: str = "t", kind: BackendKind = "deepseek") -> Exchange:
    route = Route(Member("b", FakeBackend(), kind), model_info("m"), "m")
    return Exchange(RequestRecord("r"), Caller(tenant=tenant), route=route)


def ask(*messages: Message, tools: tuple[Tool, ...] = TOOLS, thinking: bool | None = None) -> GenerateRequest:
    return GenerateRequest("1", "m", messages, tools=tools, thinking=Thinking(thinking))


def note(memory: ReasoningMemory, events: Iterable[Event] = ANSWER, of: Exchange | None = None, batch: int = 2) -> None:
    """An answer passes the stream stage, ``batch`` events at a time."""
    stream = NoteReasoning(memory).open(ask(USER), of or exchange())
    assert stream is not None
    whole = list(events)
    for start in range(0, len(whole), batch):
        piece = whole[start : start + batch]
        assert stream.feed(piece) == piece
    assert stream.end() == ()


def restored(memory: ReasoningMemory, request: GenerateRequest, of: Exchange | None = None) -> GenerateRequest:
    done = RestoreReasoning(memory)(request, of or exchange())
    assert isinstance(done, GenerateRequest)
    return done


def turn(*calls: ToolCall, reasoning: str | None = None) -> Message:
    return Message("assistant", "Wait.", reasoning=reasoning, tool_calls=calls or (CALL,))


@pytest.fixture
def memory() -> LocalReasoningMemory:
    return LocalReasoningMemory(ReasoningSettings())


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_forgotten_reasoning_is_put_back(memory: LocalReasoningMemory, batch: int) -> None:
    note(memory, batch=batch)
    request = restored(memory, ask(USER, turn(), OUTPUT))
    assert request.messages == (USER, turn(reasoning="I should search."), OUTPUT)


def test_empty_reasoning_counts_as_forgotten(memory: LocalReasoningMemory) -> None:
    note(memory)
    assert restored(memory, ask(turn(reasoning=""), OUTPUT)).messages[0].reasoning == "I should search."


def test_it_is_put_back_also_where_the_request_offers_no_tools_any_more(memory: LocalReasoningMemory) -> None:
    note(memory)
    assert restored(memory, ask(USER, turn(), OUTPUT, tools=())).messages[1].reasoning


def test_reasoning_of_its_own_stays(memory: LocalReasoningMemory) -> None:
    note(memory)
    request = ask(USER, turn(reasoning="mine"), OUTPUT)
    assert restored(memory, request) is request


@pytest.mark.parametrize("thinking", [False])
def test_a_request_without_thinking_needs_none(memory: LocalReasoningMemory, thinking: bool) -> None:
    note(memory)
    request = ask(USER, turn(), OUTPUT, thinking=thinking)
    assert restored(memory, request) is request


def test_what_is_not_known_stays_as_it_is(memory: LocalReasoningMemory) -> None:
    request = ask(USER, turn(), OUTPUT)
    assert restored(memory, request) is request


def test_no_other_tenant_gets_it(memory: LocalReasoningMemory) -> None:
    note(memory, of=exchange("t"))
    request = ask(USER, turn(), OUTPUT)
    assert restored(memory, request, exchange("other")) is request


def test_an_id_used_again_for_another_call_gets_no_false_reasoning(memory: LocalReasoningMemory) -> None:
    other = ToolCall("call_1", "search", '{"q":"sky"}')
    note(memory)
    note(
        memory,
        (
            ReasoningDelta("Now the sky."),
            ToolCallDelta(0, "call_1", "search", '{"q": "sky"}'),
            Usage(1, 1),
            Finish("tool_calls"),
        ),
    )
    request = restored(memory, ask(USER, turn(), OUTPUT, turn(other), OUTPUT))
    assert [m.reasoning for m in request.messages if m.tool_calls] == ["I should search.", "Now the sky."]


def test_calls_of_one_answer_share_its_reasoning_also_when_a_client_sends_them_apart(
    memory: LocalReasoningMemory,
) -> None:
    second = ToolCall("call_2", "search", "{}")
    pieces = (
        ReasoningDelta("Two."),
        ToolCallDelta(0, "call_1", "search", '{"q":'),
        ToolCallDelta(1, "call_2", "search", "{"),
        ToolCallDelta(0, arguments='"sea"}'),
        ToolCallDelta(1, arguments="}"),
        Usage(1, 1),
        Finish("tool_calls"),
    )
    note(memory, pieces)
    request = restored(memory, ask(USER, turn(CALL), OUTPUT, turn(second), OUTPUT))
    assert [m.reasoning for m in request.messages if m.tool_calls] == ["Two.", "Two."]


def test_an_answer_that_did_not_end_well_is_not_kept(memory: LocalReasoningMemory) -> None:
    stream = NoteReasoning(memory).open(ask(USER), exchange())
    assert stream is not None
    stream.feed(ANSWER)
    assert len(memory) == 0


def test_an_answer_without_calls_is_not_kept(memory: LocalReasoningMemory) -> None:
    note(memory, (ReasoningDelta("Hm."), TextDelta("Blue."), Usage(1, 1), Finish("stop")))
    assert len(memory) == 0


def test_no_thought_is_given_back_to_deepseek_as_no_thought(memory: LocalReasoningMemory) -> None:
    note(memory, ANSWER[2:], exchange(kind="deepseek"))
    assert restored(memory, ask(USER, turn(), OUTPUT)).messages[1].reasoning == ""


def test_no_thought_of_another_backend_is_not_kept(memory: LocalReasoningMemory) -> None:
    note(memory, ANSWER[2:], exchange(kind="openai"))
    assert len(memory) == 0


def test_reasoning_longer_than_any_context_is_not_kept(memory: LocalReasoningMemory) -> None:
    note(memory, (*(ReasoningDelta("x" * 1_000_000),) * 5, *ANSWER[3:]))
    assert len(memory) == 0


def test_requests_without_tools_are_not_watched(memory: LocalReasoningMemory) -> None:
    stage = NoteReasoning(memory)
    assert stage.open(ask(USER, tools=()), exchange()) is None
    assert stage.open(ask(USER, thinking=False), exchange()) is None
    trial = exchange()
    trial.trial = True
    assert stage.open(ask(USER), trial) is None


async def test_a_memory_elsewhere_may_take_its_time(memory: LocalReasoningMemory) -> None:
    note(memory)

    class Elsewhere:
        def keep(self, calls: Sequence[bytes], reasoning: str) -> None:
            raise AssertionError

        def recall(self, calls: Sequence[bytes]) -> Awaitable[Mapping[bytes, str]]:
            async def answer() -> Mapping[bytes, str]:
                return memory.recall(calls)

            return answer()

    waiting = RestoreReasoning(Elsewhere())(ask(USER, turn(), OUTPUT), exchange())
    assert not isinstance(waiting, GenerateRequest)
    assert (await waiting).messages[1].reasoning == "I should search."


def test_the_stages_share_one_memory_and_can_be_left_out(memory: LocalReasoningMemory) -> None:
    (restore,), (noting,) = reasoning_stages(ReasoningSettings(), memory)
    stream = noting.open(ask(USER), exchange())
    assert stream is not None
    stream.feed(ANSWER)
    stream.end()
    done = restore(ask(USER, turn(), OUTPUT), exchange())
    assert isinstance(done, GenerateRequest)
    assert done.messages[1].reasoning
    reasoning_stages(ReasoningSettings(), memory)
    assert len(memory) == 1
    assert reasoning_stages(ReasoningSettings(restore=False), memory) == ((), ())
    assert len(memory) == 0


def test_nothing_but_the_messages_changes(memory: LocalReasoningMemory) -> None:
    note(memory)
    before = ask(USER, turn(), OUTPUT)
    after = restored(memory, before)
    assert msgspec.structs.replace(after, messages=()) == msgspec.structs.replace(before, messages=())
