"""The canonical events arrive at an Anthropic client as its own message, streamed or whole, and a broken answer never looks whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.core.errors import BackendProtocolError, EngineCrashed, Overloaded, SeekwayError, StreamInterrupted
from seekway.core.types import (
    ErrorEvent,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from seekway.gateway.dialects.anthropic_answer import MessageCollector, MessageHead, MessageStream
from seekway.gateway.dialects.anthropic_blocks import WireTurn, read_conversation
from seekway.gateway.dialects.anthropic_messages import AnthropicDelivery

Json = dict[str, Any]

HEAD = MessageHead("msg_1", "m", "req-1")
USAGE = Usage(10, 5, 4, 2)
STOP = Finish("stop")


def sse(body: bytes) -> list[tuple[str, Json]]:
    """Each event's name and data; every block must be two lines."""
    found: list[tuple[str, Json]] = []
    for block in body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        assert found[-1][0] == found[-1][1]["type"]
    return found


def streamed(batches: Sequence[Sequence[Event]], *, show_thinking: bool = True) -> list[tuple[str, Json]]:
    stream = MessageStream(HEAD, AnthropicDelivery(True, show_thinking))
    return sse(b"".join(stream.feed(batch) for batch in batches) + stream.end())


def whole(events: Sequence[Event], *, show_thinking: bool = True) -> Json:
    collector = MessageCollector(HEAD, AnthropicDelivery(False, show_thinking))
    assert collector.feed(events) == b""
    return msgspec.json.decode(collector.end(), type=dict[str, Any])


def gathered(events: Sequence[tuple[str, Json]]) -> Json:
    """What a client makes of a stream, with the order of the events checked on the way."""
    assert events[0][0] == "message_start"
    assert [name for name, _ in events[-2:]] == ["message_delta", "message_stop"]
    message: Json = events[0][1]["message"]
    content: list[Json] = message["content"]
    inputs: dict[int, str] = {}
    is_open = False
    for name, data in events[1:-2]:
        if name == "content_block_start":
            assert not is_open
            assert data["index"] == len(content)
            content.append(data["content_block"])
            is_open = True
            continue
        assert is_open
        assert data["index"] == len(content) - 1
        block = content[-1]
        if name == "content_block_stop":
            is_open = False
            continue
        assert name == "content_block_delta"
        delta: Json = data["delta"]
        kind, value = delta.pop("type"), next(iter(delta.values()))
        assert value
        if kind == "text_delta":
            block["text"] += value
        elif kind == "thinking_delta":
            block["thinking"] += value
        elif kind == "signature_delta":
            block["signature"] = value
        else:
            assert (kind, block["type"]) == ("input_json_delta", "tool_use")
            inputs[data["index"]] = inputs.get(data["index"], "") + value
    assert not is_open
    for index, text in inputs.items():
        content[index]["input"] = as_input(text)
    return {**message, **events[-2][1]["delta"], "usage": events[-2][1]["usage"]}


def as_input(text: str) -> Json:
    try:
        return msgspec.json.decode(text, type=Json)
    except msgspec.MsgspecError:
        return {"INVALID_JSON": text}


def call(index: int, *pieces: str) -> list[Event]:
    return [ToolCallDelta(index, f"t{index}", "f"), *(ToolCallDelta(index, arguments=piece) for piece in pieces)]


ANSWER: list[Event] = [
    ReasoningDelta("let "),
    ReasoningDelta("me"),
    TextDelta("I "),
    TextDelta("look"),
    *call(0, '{"city":', '"Köln"}'),
    *call(1, "{}"),
    USAGE,
    Finish("tool_calls"),
]
CONTENT: list[Json] = [
    {"type": "thinking", "thinking": "let me", "signature": "unsigned"},
    {"type": "text", "text": "I look"},
    {"type": "tool_use", "id": "t0", "name": "f", "input": {"city": "Köln"}},
    {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
]
COUNTS = {
    "input_tokens": 6,
    "output_tokens": 5,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 4,
    "output_tokens_details": {"thinking_tokens": 2},
}


def test_a_whole_message() -> None:
    assert whole(ANSWER) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": CONTENT,
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": COUNTS,
    }


def test_a_stream_opens_and_closes_each_block_in_turn() -> None:
    events = streamed([ANSWER])
    assert [name for name, _ in events] == [
        "message_start",
        *("content_block_start", *["content_block_delta"] * 3, "content_block_stop"),
        *("content_block_start", *["content_block_delta"] * 2, "content_block_stop"),
        *("content_block_start", *["content_block_delta"] * 2, "content_block_stop"),
        *("content_block_start", *["content_block_delta"] * 1, "content_block_stop"),
        "message_delta",
        "message_stop",
    ]
    start = events[0][1]["message"]
    assert (start["content"], start["stop_reason"], start["usage"]["input_tokens"]) == ([], None, 0)
    assert gathered(events) == whole(ANSWER)


def test_a_tool_starts_before_its_arguments() -> None:
    stream = MessageStream(HEAD, AnthropicDelivery(True))
    stream.feed([TextDelta("a")])
    names = [(name, data.get("content_block")) for name, data in sse(stream.feed(call(0)))]
    block: Json = {"type": "tool_use", "id": "t0", "name": "f", "input": {}}
    assert names == [("content_block_stop", None), ("content_block_start", block)]


@pytest.mark.parametrize(
    ("events", "reason", "sequence"),
    [
        ([TextDelta("a"), USAGE, STOP], "end_turn", None),
        ([TextDelta("a"), USAGE, Finish("stop", "END")], "stop_sequence", "END"),
        ([TextDelta("a"), USAGE, Finish("length")], "max_tokens", None),
        ([TextDelta("a"), USAGE, Finish("content_filter")], "refusal", None),
        ([*call(0, "{}"), USAGE, Finish("tool_calls")], "tool_use", None),
        ([*call(0, "{}"), USAGE, STOP], "tool_use", None),
        ([*call(0, "{"), USAGE, Finish("length")], "max_tokens", None),
        ([TextDelta("a"), USAGE, Finish("tool_calls")], "end_turn", None),
        ([USAGE, STOP], "end_turn", None),
    ],
)
def test_stop_reasons(events: list[Event], reason: str, sequence: str | None) -> None:
    for message in (whole(events), gathered(streamed([events]))):
        assert (message["stop_reason"], message["stop_sequence"]) == (reason, sequence)


BROKEN: list[tuple[list[Event], type[SeekwayError]]] = [
    ([], StreamInterrupted),
    ([TextDelta("a")], StreamInterrupted),
    ([TextDelta("a"), USAGE], StreamInterrupted),
    ([TextDelta("a"), STOP], StreamInterrupted),
    ([TextDelta("a"), USAGE, Finish("aborted")], StreamInterrupted),
    ([TextDelta("a"), USAGE, Finish("insufficient_system_resource")], Overloaded),
    ([TextDelta("a"), ErrorEvent("engine_crashed", "Gone.")], StreamInterrupted),
    ([*call(0, "{}"), TextDelta("a"), ToolCallDelta(0, arguments="more"), USAGE, STOP], BackendProtocolError),
]


@pytest.mark.parametrize(("events", "error"), BROKEN)
@pytest.mark.parametrize("encoder", [MessageStream, MessageCollector])
def test_an_answer_that_is_not_whole_ends_in_its_error(
    encoder: type[MessageStream | MessageCollector], events: list[Event], error: type[SeekwayError]
) -> None:
    made = encoder(HEAD, AnthropicDelivery())
    written = made.feed(events)
    with pytest.raises(error):
        made.end()
    assert b"message_stop" not in written
    assert b"message_delta" not in written


def test_an_error_within_a_stream_is_its_last_event() -> None:
    stream = MessageStream(HEAD, AnthropicDelivery(True))
    body = stream.feed([TextDelta("a")]) + stream.fail(EngineCrashed("It is gone."))
    name, data = sse(body)[-1]
    assert name == "error"
    assert data == {
        "type": "error",
        "error": {
            "type": "api_error",
            "message": "It is gone.",
            "details": {"error_code": "engine_crashed", "param": None},
        },
        "request_id": "req-1",
    }
    assert json.loads(MessageCollector(HEAD, AnthropicDelivery()).fail(EngineCrashed("It is gone."))) == data


def test_keep_alives_mean_nothing_to_a_client() -> None:
    assert sse(MessageStream(HEAD, AnthropicDelivery(True)).keep_alive) == [("ping", {"type": "ping"})]
    assert not MessageCollector(HEAD, AnthropicDelivery()).keep_alive.strip()


def test_thoughts_stay_out_when_the_client_does_not_want_them() -> None:
    assert whole(ANSWER, show_thinking=False)["content"] == CONTENT[1:]
    assert gathered(streamed([ANSWER], show_thinking=False))["content"] == CONTENT[1:]


@pytest.mark.parametrize("text", ["{", "nonsense", "[1]", '{"a":1}}'])
def test_arguments_that_are_no_object_are_given_as_they_are(text: str) -> None:
    block = whole([*call(0, text), USAGE, STOP])["content"][0]
    assert block["input"] == {"INVALID_JSON": text}


def test_large_numbers_in_arguments_stay_as_the_model_wrote_them() -> None:
    collector = MessageCollector(HEAD, AnthropicDelivery())
    collector.feed([*call(0, '{"n": 100000000000000000000000000.0}'), USAGE, STOP])
    assert b'"input":{"n": 100000000000000000000000000.0}' in collector.end()


def test_deltas_without_text_open_no_block() -> None:
    silent = (TextDelta("", (TokenLogprob("", 0.0),)), ReasoningDelta(""))
    assert whole([*silent, USAGE, STOP])["content"] == []
    assert gathered(streamed([[*silent, USAGE, STOP]]))["content"] == []


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    turn = msgspec.convert({"role": "assistant", "content": whole(ANSWER)["content"]}, WireTurn)
    results = [{"type": "tool_result", "tool_use_id": name, "content": "ok"} for name in ("t0", "t1")]
    back, *_ = read_conversation(None, [turn, msgspec.convert({"role": "user", "content": results}, WireTurn)])
    assert (back.content, back.reasoning) == ("I look", "let me")
    assert [call.arguments for call in back.tool_calls] == ['{"city":"Köln"}', "{}"]


def test_a_piece_of_a_call_that_ended_while_it_was_held_opens_nothing() -> None:
    first, second = call(0, "{}"), call(1, "{}")
    mixed = [first[0], *second, ReasoningDelta("a"), first[1], ToolCallDelta(1), USAGE, STOP]
    assert [block["type"] for block in whole(mixed)["content"]] == ["tool_use", "tool_use", "thinking"]


WORDS = st.text(st.characters(codec="utf-8"), max_size=6)
FINISHES: list[FinishReason] = ["stop", "length", "tool_calls", "content_filter"]


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Texts, thoughts and calls whose pieces may be mixed with anything, whole at the end."""
    lanes: list[list[Event]] = []
    for index in range(draw(st.integers(0, 3))):
        arguments = json.dumps(draw(st.dictionaries(WORDS, WORDS | st.integers(), max_size=2)))
        cut = sorted(draw(st.lists(st.integers(0, len(arguments)), max_size=3)))
        pieces = [arguments[a:b] for a, b in zip([0, *cut], [*cut, len(arguments)], strict=True)]
        lanes.append(call(index, *pieces))
    lanes.append([TextDelta(text) for text in draw(st.lists(WORDS, max_size=4))])
    lanes.append([ReasoningDelta(text) for text in draw(st.lists(WORDS, max_size=4))])
    events: list[Event] = []
    while any(lanes):
        lane = draw(st.sampled_from([lane for lane in lanes if lane]))
        events.append(lane.pop(0))
    return [*events, USAGE, Finish(draw(st.sampled_from(FINISHES)))]


@settings(max_examples=150, deadline=None)
@given(answers(), st.data())
def test_any_batching_gives_the_same_message_streamed_or_whole(events: list[Event], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))
    batches = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    message = whole(events)
    assert gathered(streamed(batches)) == message
    assert gathered(streamed([[event] for event in events])) == message


@settings(max_examples=150, deadline=None)
@given(answers())
def test_mixed_calls_come_out_whole(events: list[Event]) -> None:
    content: list[Json] = whole(events)["content"]
    wanted: dict[str, str] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            wanted[f"t{event.index}"] = wanted.get(f"t{event.index}", "") + event.arguments
    found = {block["id"]: block["input"] for block in content if block["type"] == "tool_use"}
    assert found == {name: json.loads(text) for name, text in wanted.items()}
    for kind, delta in (("text", TextDelta), ("thinking", ReasoningDelta)):
        said = "".join(event.text for event in events if isinstance(event, delta))
        assert "".join(block[kind] for block in content if block["type"] == kind) == said
