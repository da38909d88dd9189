"""What a server streams comes out as canonical events, and nothing that it did not say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seekway.core.errors import BackendProtocolError, InvalidRequest, StreamInterrupted
from seekway.core.types import (
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from seekway.engine.upstream.errors import Refusals
from seekway.engine.upstream.response_events import FINISH_REASONS, ResponseEvents


def reader() -> ResponseEvents:
    return ResponseEvents("r1", "fake", Refusals("fake", None))


def choice(delta: object = None, **members: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta or {}, **members}]}


FINISHED = choice(finish_reason="stop")


def run(*chunks: object) -> list[Event]:
    response = reader()
    events = [event for chunk in chunks for event in response.read(json.dumps(chunk).encode())]
    response.read(b"[DONE]")
    return [*events, *response.end()]


def test_text_and_reasoning_come_apart_under_either_name() -> None:
    events = run(
        choice({"role": "assistant", "content": "", "reasoning_content": None}),
        choice({"reasoning_content": "a"}),
        choice({"reasoning": "b"}),
        choice({"reasoning": "c", "reasoning_content": "c"}),
        choice({"content": "<think>d"}),
        choice({"content": "e"}, finish_reason="length"),
    )
    assert events == [
        ReasoningDelta("a"), ReasoningDelta("b"), ReasoningDelta("c"), TextDelta("<think>d"), TextDelta("e"),
        Usage(0, 0), Finish("length"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, Usage(9, 4)),
        (
            {
                "prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(9, 4, 6, 2),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}, Usage(9, 4, 5)),
        ({"prompt_tokens": 9, "completion_tokens": None, "prompt_tokens_details": None}, Usage(9, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "reasoning_tokens": 1}, Usage(9, 4, 0, 1)),
    ],
)  # fmt: skip
def test_usage_is_read_under_every_servers_names_and_wherever_it_stands(wire: dict[str, Any], usage: Usage) -> None:
    assert run(FINISHED, {"choices": [], "usage": wire})[-2:] == [usage, Finish("stop")]
    assert run(choice({"content": "x"}, finish_reason="stop") | {"usage": wire})[-2:] == [usage, Finish("stop")]
    early: dict[str, object] = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}}
    assert run(early, FINISHED | {"usage": wire}, {"choices": None, "usage": None})[-2] == usage


@pytest.mark.parametrize(("word", "reason"), [*FINISH_REASONS.items(), ("quantum_flux", "aborted")])
def test_finish_reasons_are_kept_and_unknown_ones_claim_no_success(word: str, reason: str) -> None:
    assert run(choice(finish_reason=word))[-1] == Finish(reason)  # pyright: ignore[reportArgumentType] - parametrized


@pytest.mark.parametrize("name", ["stop_reason", "matched_stop"])
def test_the_stop_string_is_told_and_a_stop_token_is_not(name: str) -> None:
    assert run(choice(finish_reason="stop", **{name: "END"}))[-1] == Finish("stop", "END")
    assert run(choice(finish_reason="stop", **{name: 128001}))[-1] == Finish("stop")


def piece(index: int | None = None, call_id: str | None = None, name: str | None = None, arguments: str | None = None):
    members: dict[str, object] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        members["index"] = index
    if call_id is not None:
        members["id"] = call_id
    return choice({"tool_calls": [members]})


def test_tool_calls_are_announced_once_and_their_arguments_continue() -> None:
    events = run(
        piece(0, "a", "add", ""),
        piece(0, None, None, '{"x"'),
        piece(0, "a", "add", ":1}"),
        piece(1, "b", "sub", "{}"),
        choice(finish_reason="tool_calls"),
    )
    assert events[:-2] == [
        ToolCallDelta(0, "a", "add"),
        ToolCallDelta(0, arguments='{"x"'),
        ToolCallDelta(0, arguments=":1}"),
        ToolCallDelta(1, "b", "sub", "{}"),
    ]


def test_calls_without_index_or_id_are_told_apart_and_can_be_answered() -> None:
    events = run(
        piece(None, "a", "add", "{"),
        piece(None, None, None, "}"),
        piece(None, "b", "sub", "{}"),
        piece(5, None, "mul", "{}"),
        choice(finish_reason="tool_calls"),
    )
    assert events[:-2] == [
        ToolCallDelta(0, "a", "add", "{"),
        ToolCallDelta(0, arguments="}"),
        ToolCallDelta(1, "b", "sub", "{}"),
        ToolCallDelta(2, "call_r1_2", "mul", "{}"),
    ]


def test_a_name_that_comes_late_is_waited_for_and_one_that_never_comes_is_an_error() -> None:
    events = run(piece(0, "a", None, '{"x"'), piece(0, None, "add", ":1}"), choice(finish_reason="tool_calls"))
    assert events[0] == ToolCallDelta(0, "a", "add", '{"x":1}')
    with pytest.raises(BackendProtocolError):
        run(piece(0, "a", None, "{}"), choice(finish_reason="tool_calls"))


def test_logprobs_of_chat_keep_bytes_and_alternatives() -> None:
    token = {
        "token": "é", "logprob": -0.5, "bytes": None,
        "top_logprobs": [{"token": "e", "logprob": -1.0, "bytes": [101]}],
    }  # fmt: skip
    expected = TokenLogprob("é", -0.5, (0xC3, 0xA9), (TopLogprob("e", -1.0, (101,)),))
    assert run(choice({"content": "é"}, logprobs={"content": [token]}), FINISHED)[0] == TextDelta("é", (expected,))
    reasoning = choice({"reasoning_content": "é"}, logprobs={"content": None, "reasoning_content": [token]})
    assert run(reasoning, FINISHED)[0] == ReasoningDelta("é", (expected,))


def test_completions_give_text_and_their_older_logprobs() -> None:
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [None, -0.25], "top_logprobs": [None, {"c": -2.0}]}
    events = run({"choices": [{"index": 0, "text": "ab", "logprobs": logprobs, "finish_reason": "stop"}]})
    top = TopLogprob("c", -2.0, (99,))
    assert events[0] == TextDelta("ab", (TokenLogprob("b", -0.25, (98,), (top,)),))


def test_a_stream_without_a_finish_reason_is_never_a_success() -> None:
    response = reader()
    response.read(json.dumps(choice({"content": "x"})).encode())
    with pytest.raises(StreamInterrupted):
        response.end()
    response.read(b"[DONE]")
    with pytest.raises(BackendProtocolError):
        response.end()


def test_nothing_after_done_counts() -> None:
    response = reader()
    response.read(json.dumps(FINISHED).encode())
    response.read(b" [DONE] ")
    assert response.done
    assert response.read(b"not json") == []
    assert response.read(b"[DONE]") == []
    assert response.end() == (Usage(0, 0), Finish("stop"))


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b"<html>", b'{"choices": 3}', b'{"choices":[{"delta":{"content":5}}]}', b"\xff", b"",
     b'{"choices":[{"index":1,"delta":{"content":"x"}}]}'],
)  # fmt: skip
def test_what_is_no_chunk_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(BackendProtocolError):
        reader().read(data)


def test_an_error_in_the_stream_ends_it() -> None:
    with pytest.raises(InvalidRequest):
        run({"error": {"message": "bad", "code": 400}})
    with pytest.raises(StreamInterrupted):
        run(choice({"content": "x"}), {"error": {"message": "worker died"}, "choices": []})
    with pytest.raises(StreamInterrupted):
        run(choice(finish_reason="error"))
    assert run(FINISHED | {"error": None})[-1] == Finish("stop")
