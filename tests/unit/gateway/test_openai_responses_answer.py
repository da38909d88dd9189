"""A response says what the model said, whole or as events; and never that it is complete when it is not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import (
    BackendUnavailable,
    ContextLengthExceeded,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.types import (
    ErrorEvent,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from seekway.gateway.dialects.openai_chat_answer import AnswerHead
from seekway.gateway.dialects.openai_responses import RequestEcho, ResponsesDelivery, read_response_request
from seekway.gateway.dialects.openai_responses_answer import ResponsesCollector, ResponsesStream

Json = dict[str, Any]
HEAD = AnswerHead("resp_abc", "response", 1000, "m", "fp")
USAGE = Usage(10, 6, cached_tokens=4, reasoning_tokens=2)
STOP = (USAGE, Finish("stop"))
CALLS: tuple[Event, ...] = (
    ReasoningDelta("Hm, "),
    ReasoningDelta("two."),
    TextDelta("Wait"),
    TextDelta("."),
    ToolCallDelta(0, "c0", "f", '{"a"'),
    ToolCallDelta(1, "c1", "g", ""),
    ToolCallDelta(0, arguments=":1}"),
    ToolCallDelta(1, arguments="{}"),
    USAGE,
    Finish("tool_calls"),
)


def clock() -> float:
    return 1009.7


def whole(events: Sequence[Event], delivery: ResponsesDelivery | None = None) -> Json:
    collector = ResponsesCollector(HEAD, delivery or ResponsesDelivery(), clock)
    assert collector.feed(events) == b""
    return msgspec.json.decode(collector.end(), type=Json)


def streamed(batches: Sequence[Sequence[Event]], delivery: ResponsesDelivery | None = None) -> list[Json]:
    stream = ResponsesStream(HEAD, delivery or ResponsesDelivery(stream=True), clock)
    return blocks(b"".join(map(stream.feed, batches)) + stream.end())


def blocks(body: bytes) -> list[Json]:
    """The events of a body, each named twice alike and numbered in turn."""
    assert body.endswith(b"\n\n")
    events: list[Json] = []
    for number, block in enumerate(body.decode().removesuffix("\n\n").split("\n\n")):
        first, second = block.split("\n")
        event = msgspec.json.decode(second.removeprefix("data: "), type=Json)
        assert first == f"event: {event['type']}"
        assert event["sequence_number"] == number
        events.append(event)
    return events


def kinds(events: Sequence[Json]) -> list[str]:
    return [cast("str", event["type"]).removeprefix("response.") for event in events]


def add_delta(output: Sequence[Json], event: Json) -> None:
    index: int = event["output_index"]
    item = output[index]
    if item["type"] == "function_call":
        item["arguments"] += event["delta"]
        return
    part: Json = item["content"][event["content_index"]]
    part["text"] += event["delta"]
    if "logprobs" in event:
        part["logprobs"] += event["logprobs"]


def rebuilt(events: Sequence[Json]) -> list[Json]:
    """The output as a client that follows the events puts it together, each ``done`` compared with its deltas."""
    output: list[Json] = []
    for event in events:
        kind: str = event["type"]
        index: int = event.get("output_index", -1)
        if kind == "response.output_item.added":
            assert index == len(output)
            assert event["item"]["status"] == "in_progress"
            output.append(event["item"])
        elif kind.endswith(".delta"):
            assert output[index]["id"] == event["item_id"]
            assert output[index]["status"] == "in_progress"
            add_delta(output, event)
        elif kind == "response.content_part.added":
            assert output[index]["id"] == event["item_id"]
            output[index]["content"] = [*output[index]["content"], event["part"]]
        elif kind == "response.function_call_arguments.done":
            assert output[index]["arguments"] == event["arguments"]
        elif kind == "response.content_part.done":
            assert output[index]["content"][event["content_index"]] == event["part"]
        elif kind.endswith("text.done"):
            assert output[index]["content"][event["content_index"]]["text"] == event["text"]
        elif kind == "response.output_item.done":
            output[index] |= {
                name: event["item"][name] for name in ("status", "encrypted_content") if name in event["item"]
            }
            assert output[index] == event["item"]
    return output


def test_a_response_has_every_member() -> None:
    wanted = '{"model":"m","input":"hi","instructions":"Be brief.","metadata":{"a":"b"},"store":true}'
    _, delivery = read_response_request(wanted.encode(), "r")
    assert whole((TextDelta("Hello"), *STOP), delivery) == {
        "id": "resp_abc",
        "object": "response",
        "created_at": 1000,
        "completed_at": 1009,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": "Be brief.",
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {"a": "b"},
        "model": "m",
        "output": [
            {
                "type": "message",
                "id": "msg_abc_0",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 6,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 16,
        },
        "user": None,
    }


def test_reasoning_text_and_calls_are_items_in_their_order() -> None:
    assert whole(CALLS)["output"] == [
        {
            "type": "reasoning",
            "id": "rs_abc_0",
            "status": "completed",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "Hm, two."}],
        },
        {
            "type": "message",
            "id": "msg_abc_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Wait.", "annotations": [], "logprobs": []}],
        },
        {"type": "function_call", "id": "fc_abc_2", "status": "completed", "call_id": "c0", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call", "id": "fc_abc_3", "status": "completed", "call_id": "c1", "name": "g", "arguments": "{}"},
    ]  # fmt: skip


def test_the_events_of_a_stream_come_in_the_documented_order() -> None:
    assert kinds(streamed([CALLS])) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_a_stream_begins_with_the_response_in_progress() -> None:
    first, second = blocks(ResponsesStream(HEAD, ResponsesDelivery(stream=True), clock).feed([]))
    assert kinds([first, second]) == ["created", "in_progress"]
    assert first["response"] == second["response"]
    assert (first["response"]["status"], first["response"]["output"], first["response"]["usage"]) == (
        "in_progress",
        [],
        None,
    )


def test_what_a_client_puts_together_is_what_the_last_event_says() -> None:
    events = streamed([CALLS])
    assert rebuilt(events) == events[-1]["response"]["output"]
    assert events[-1]["response"] == whole(CALLS)


def test_wrapped_reasoning_stands_where_it_was_asked_for_and_comes_back() -> None:
    delivery = ResponsesDelivery(stream=True, encrypted_reasoning=True, echo=RequestEcho())
    events = streamed([CALLS], delivery)
    assert "encrypted_content" not in events[2]["item"]
    item = events[-1]["response"]["output"][0]
    assert item == rebuilt(events)[0]
    del item["content"]
    body = {"model": "m", "input": [item, *events[-1]["response"]["output"][1:]]}
    request, _ = read_response_request(msgspec.json.encode(body), "r")
    assert [(m.content, m.reasoning, len(m.tool_calls)) for m in request.messages] == [("Wait.", "Hm, two.", 2)]


def test_text_after_a_call_is_another_message() -> None:
    events = (TextDelta("a"), ToolCallDelta(0, "c", "f", "{"), TextDelta("b"), ToolCallDelta(0, arguments="}"), *STOP)
    seen = streamed([events])
    assert [item["type"] for item in rebuilt(seen)] == ["message", "function_call", "message"]
    assert seen[-1]["response"] == whole(events)


def test_empty_deltas_begin_nothing() -> None:
    assert whole((TextDelta(""), ReasoningDelta(""), *STOP))["output"] == []
    assert kinds(streamed([[TextDelta(""), *STOP]])) == ["created", "in_progress", "completed"]


def test_a_call_without_arguments_is_whole() -> None:
    events = streamed([[ToolCallDelta(0, "c", "f"), USAGE, Finish("tool_calls")]])
    assert events[-1]["response"]["output"][0]["arguments"] == ""
    assert rebuilt(events) == events[-1]["response"]["output"]


def test_a_call_of_a_namespaces_function_has_both_names_apart() -> None:
    delivery = ResponsesDelivery(stream=True, namespaced={"agents__wait": ("agents", "wait")})
    called = (ToolCallDelta(0, "c", "agents__wait", "{}"), ToolCallDelta(1, "d", "wait", "{}"))
    events = streamed([[*called, USAGE, Finish("tool_calls")]], delivery)
    first, second = events[-1]["response"]["output"]
    assert (first["namespace"], first["name"]) == ("agents", "wait")
    assert "namespace" not in second
    assert rebuilt(events) == [first, second]
    assert whole((*called, USAGE, Finish("tool_calls")), delivery)["output"] == [first, second]


def test_logprobs_stand_on_deltas_and_on_the_text() -> None:
    token = TokenLogprob("Hi", -0.5, (72, 105), (TopLogprob("Ho", -1.0),))
    events = streamed([[TextDelta("Hi", (token,)), *STOP]])
    expected: Json = {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Ho", "logprob": -1.0, "bytes": []}],
    }
    assert events[4]["logprobs"] == [expected]
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == [expected]


@pytest.mark.parametrize(("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_cut_off_is_incomplete(reason: FinishReason, why: str) -> None:
    cut = (ReasoningDelta("a"), TextDelta("b"), USAGE, Finish(reason))
    events = streamed([cut])
    assert kinds(events)[-1] == "incomplete"
    for response in (whole(cut), events[-1]["response"]):
        assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": why})
        assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]
        assert response["completed_at"] is None
        assert response["usage"]["total_tokens"] == 16
    assert rebuilt(events) == events[-1]["response"]["output"]


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ((TextDelta("a"),), "stream_interrupted"),
        ((TextDelta("a"), USAGE), "stream_interrupted"),
        ((TextDelta("a"), Finish("stop")), "stream_interrupted"),
        ((TextDelta("a"), USAGE, Finish("aborted")), "stream_interrupted"),
        ((TextDelta("a"), USAGE, Finish("insufficient_system_resource")), "overloaded"),
        ((TextDelta("a"), ErrorEvent("engine_crashed", "It crashed.")), "engine_crashed"),
        ((), "stream_interrupted"),
    ],
)
def test_no_false_completed(events: tuple[Event, ...], code: str) -> None:
    collector, stream = ResponsesCollector(HEAD, ResponsesDelivery()), ResponsesStream(HEAD, ResponsesDelivery())
    for encoder in (collector, stream):
        encoder.feed(events)
        with pytest.raises(SeekwayError) as caught:
            encoder.end()
        assert caught.value.code == code
    assert kinds_of_end(stream, caught.value) == ["error", "failed"]


def kinds_of_end(stream: ResponsesStream, error: SeekwayError) -> list[str]:
    body = stream.fail(error).decode()
    return [line.removeprefix("event: ").removeprefix("response.") for line in body.split("\n") if line[:6] == "event:"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StreamInterrupted("It broke off."), "server_error"),
        (BackendUnavailable("It is away."), "server_error"),
        (RateLimited("Too many."), "rate_limit_exceeded"),
        (ContextLengthExceeded("Too long.", param="input"), "invalid_prompt"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 3, 6])
def test_a_failed_stream_says_so_twice_and_keeps_what_came(error: SeekwayError, code: str, before: int) -> None:
    stream = ResponsesStream(HEAD, ResponsesDelivery(stream=True), clock)
    begun = stream.feed(CALLS[:before]) if before else b""
    events = blocks(begun + stream.fail(error))
    assert kinds(events)[:2] == ["created", "in_progress"]
    assert kinds(events)[-2:] == ["error", "failed"]
    told = events[-2]
    assert (told["code"], told["message"], told["param"]) == (error.code, error.message, error.param)
    assert told["error"] == {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
    response = events[-1]["response"]
    assert (response["status"], response["error"]) == ("failed", {"code": code, "message": error.message})
    assert [item["status"] for item in response["output"]] == {
        0: [],
        1: ["incomplete"],
        3: ["completed", "incomplete"],
        6: ["completed", "completed", "incomplete", "incomplete"],
    }[before]


def test_a_failed_answer_is_openais_error_envelope() -> None:
    body = ResponsesCollector(HEAD, ResponsesDelivery()).fail(RateLimited("Too many."))
    assert msgspec.json.decode(body)["error"]["code"] == "rate_limit_exceeded"


TEXT = st.text(max_size=6).filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text))
PIECE: st.SearchStrategy[TextDelta | ReasoningDelta | ToolCallDelta] = st.one_of(
    st.builds(TextDelta, TEXT),
    st.builds(ReasoningDelta, TEXT),
    st.builds(ToolCallDelta, st.integers(0, 3), arguments=TEXT),
)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Any order of text, reasoning and pieces of calls; a call's first piece has its id and name."""
    events: list[Event] = []
    begun: set[int] = set()
    for piece in draw(st.lists(PIECE, max_size=12)):
        if isinstance(piece, ToolCallDelta) and piece.index not in begun:
            begun.add(piece.index)
            events.append(ToolCallDelta(piece.index, f"c{piece.index}", f"f{piece.index}", piece.arguments))
        else:
            events.append(piece)
    reason: FinishReason = draw(st.sampled_from(("stop", "tool_calls", "length")))
    return [*events, USAGE, Finish(reason)]


@given(answers(), st.lists(st.integers(0, 14), max_size=5))
def test_any_split_of_an_answer_means_the_same(events: list[Event], cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut < len(events)), len(events)]
    batches = [events[start:end] for start, end in itertools.pairwise(places)]
    seen = streamed(batches)
    assert seen == streamed([events])
    assert rebuilt(seen) == seen[-1]["response"]["output"]
    assert seen[-1]["response"] == whole(events)
    for kind, delta in (("message", TextDelta), ("reasoning", ReasoningDelta)):
        said = "".join(item["content"][0]["text"] for item in seen[-1]["response"]["output"] if item["type"] == kind)
        assert said == "".join(event.text for event in events if isinstance(event, delta))
