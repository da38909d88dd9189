"""Answers asked for whole: one JSON object, and the same canonical events and the same strictness as a stream's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from seekway.core.errors import (
    BackendProtocolError,
    DeadlineExceeded,
    InvalidRequest,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.types import (
    Event,
    Finish,
    GenerateRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from seekway.engine.upstream import generation as generation_module
from tests.fakes.upstream import JSON, STREAM, Exchange, Script
from tests.integration.engine.upstream_calls import WELL, answer, collect, connected

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}
COUNTED = Usage(7, 2, 4)


def whole(deadline_s: float | None = None, **members: Any) -> GenerateRequest:
    members.setdefault("messages", (Message("user", "hi"),))
    return GenerateRequest("r1", "m", deadline_s=deadline_s, stream=False, **members)


def chat(message: dict[str, Any], reason: str | None = "stop", **members: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason, **members}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()


async def events_of(body: bytes, *headers: str, request: GenerateRequest | None = None) -> list[Event]:
    async with connected(answer(200, body, *(headers or (JSON,)))) as (_, backend):
        return await collect(backend, request or whole())


async def failure_of(script: Script, request: GenerateRequest | None = None, **settings: Any) -> SeekwayError:
    async with connected(script, **settings) as (_, backend):
        with pytest.raises(SeekwayError) as caught:
            await collect(backend, request or whole())
        assert backend.busy == 0
        return caught.value


async def test_the_server_is_asked_for_the_whole_and_keeps_its_connection() -> None:
    async with connected(answer(200, chat({"content": "Hello"}), JSON)) as (upstream, backend):
        for _ in range(3):
            assert await collect(backend, whole()) == [TextDelta("Hello"), COUNTED, Finish("stop")]
        assert upstream.connections == 1
    request = upstream.requests[0]
    assert request.headers["accept"] == "application/json"
    assert request.json() == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}


async def test_a_clients_stream_options_are_not_sent_where_nothing_streams() -> None:
    async with connected(answer(200, chat({"content": "Hello"}), JSON)) as (upstream, backend):
        await collect(backend, whole(extra={"stream_options": {"include_usage": False}, "stream": True, "x": 1}))
    body = upstream.requests[0].json()
    assert (body["stream"], body["x"]) == (False, 1)
    assert "stream_options" not in body


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_comes_before_the_text_under_either_name(name: str) -> None:
    assert await events_of(chat({"content": "4", name: "2+2"})) == [
        ReasoningDelta("2+2"), TextDelta("4"), COUNTED, Finish("stop"),
    ]  # fmt: skip


async def test_tool_calls_come_whole_each_with_an_id_of_its_own() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x":1}'}},
        {"id": "", "type": "function", "function": {"name": "sub", "arguments": ""}},
        {"type": "function", "function": {"name": "mul", "arguments": None}},
        {"id": "a", "index": 0, "type": "function", "function": {"name": "div", "arguments": "{}"}},
    ]
    assert await events_of(chat({"content": None, "tool_calls": calls}, "tool_calls")) == [
        ToolCallDelta(0, "a", "add", '{"x":1}'),
        ToolCallDelta(1, "call_r1_1", "sub"),
        ToolCallDelta(2, "call_r1_2", "mul"),
        ToolCallDelta(3, "a", "div", "{}"),
        COUNTED,
        Finish("tool_calls"),
    ]


async def test_logprobs_and_stop_strings_are_kept() -> None:
    logprobs = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]}
    events = await events_of(chat({"content": "a"}, logprobs=logprobs, stop_reason="END"))
    assert events == [TextDelta("a", (TokenLogprob("a", -0.5, (97,)),)), COUNTED, Finish("stop", "END")]


async def test_a_completion_gives_its_text() -> None:
    body = json.dumps({"choices": [{"text": "ab", "index": 0, "finish_reason": "length"}], "usage": USAGE}).encode()
    request = whole(messages=(), prompt="x")
    assert await events_of(body, request=request) == [TextDelta("ab"), COUNTED, Finish("length")]


async def test_blank_lines_sent_to_keep_the_connection_alive_are_no_part_of_the_answer() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.head(200, JSON, "Transfer-Encoding: chunked")
        for _ in range(3):
            await exchange.chunk(b"\n")
            await asyncio.sleep(0)
        await exchange.chunk(chat({"content": "Hello"}))
        await exchange.end()

    async with connected(script) as (_, backend):
        assert await collect(backend, whole()) == [TextDelta("Hello"), COUNTED, Finish("stop")]


async def test_an_answer_without_usage_counts_nothing() -> None:
    body = json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": "quantum"}]}).encode()
    assert await events_of(body) == [TextDelta("a"), Usage(0, 0), Finish("aborted")]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BackendProtocolError),
        (b"<html>", BackendProtocolError),
        (b"[]", BackendProtocolError),
        (b"{}", BackendProtocolError),
        (b'{"choices":[]}', BackendProtocolError),
        (chat({"content": "a"}, None), BackendProtocolError),
        (chat({"content": 5}), BackendProtocolError),
        (chat({"content": "a"}).replace(b'"index": 0', b'"index": 1'), BackendProtocolError),
        (chat({"tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]}), BackendProtocolError),
        (chat({"content": "a"}, "error"), StreamInterrupted),
        (b'{"error":{"message":"worker died"}}', StreamInterrupted),
        (b'{"error":{"message":"no such parameter","code":400}}', InvalidRequest),
        (chat({"content": "a"}) + b"}", BackendProtocolError),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(body: bytes, error: type[SeekwayError]) -> None:
    assert type(await failure_of(answer(200, body, JSON))) is error


async def test_other_media_types_and_other_statuses_are_refused() -> None:
    assert type(await failure_of(answer(200, WELL, STREAM))) is BackendProtocolError
    assert type(await failure_of(answer(200, b"hello", "Content-Type: text/html"))) is BackendProtocolError
    error = await failure_of(answer(429, b'{"error":{"message":"slow down"}}', JSON, "Retry-After: 4"))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 4.0


async def test_an_answer_cut_off_is_interrupted() -> None:
    async def short(exchange: Exchange) -> None:
        await exchange.head(200, JSON, "Content-Length: 500")
        await exchange.send(chat({"content": "Hello"})[:60])
        exchange.hang_up()

    async def reset(exchange: Exchange) -> None:
        await exchange.head(200, JSON, "Transfer-Encoding: chunked")
        await exchange.chunk(chat({"content": "Hello"})[:60])
        exchange.reset()

    for script in (short, reset):
        assert type(await failure_of(script)) is StreamInterrupted


async def test_an_answer_without_bound_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_module, "MAX_WHOLE_BYTES", 64 * 1024)
    refused = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.head(200, JSON, "Transfer-Encoding: chunked")
        try:
            for _ in range(100_000):
                await exchange.chunk(b" " * 1000)
        except ConnectionError:
            refused.set()
            raise

    async with connected(script) as (_, backend):
        with pytest.raises(BackendProtocolError):
            await collect(backend, whole())
        await asyncio.wait_for(refused.wait(), 20)


async def test_silence_and_the_callers_deadline_have_an_end() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.head(200, JSON, "Transfer-Encoding: chunked")
        await exchange.chunk(b"\n")
        await exchange.until_gone()

    assert type(await failure_of(script, idle_timeout_s=0.1)) is DeadlineExceeded
    assert type(await failure_of(script, whole(deadline_s=0.1))) is DeadlineExceeded
