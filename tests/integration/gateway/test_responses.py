"""``POST /v1/responses`` over the wire: whole, streamed, refused and broken; and the reasoning that a client forgot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from seekway.core.errors import EngineCrashed, RateLimited
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import Finish, GenerateRequest, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from seekway.pipeline.directory import Member
from tests.fakes.backend import FakeBackend, Step, model_info, reply
from tests.integration.gateway.served import Served, serving

RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"
Json = dict[str, Any]


def body(**fields: object) -> bytes:
    return msgspec.json.encode({"model": "fake", "input": "hi", **fields})


def events_of(stream: bytes) -> list[Json]:
    blocks = stream.decode().removesuffix("\n\n").split("\n\n")
    return [msgspec.json.decode(block.split("data: ", 1)[1], type=Json) for block in blocks if block != ": keep-alive"]


@pytest.mark.parametrize("path", [RESPONSES, "/responses"])
async def test_a_response_is_answered(path: str) -> None:
    async with serving() as served:
        answer = await served.ask("POST", path, body(store=True))
        response = answer.json()
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert (response["object"], response["status"], response["store"]) == ("response", "completed", False)
        assert str(response["id"]).startswith("resp_")
        assert b'"text":"Hello, world!"' in answer.body


async def test_a_stream_ends_with_completed_and_no_done() -> None:
    async with serving() as served:
        answer = await served.ask("POST", RESPONSES, body(stream=True))
        events = events_of(answer.body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert events[0]["type"] == "response.created"
        assert events[-1]["type"] == "response.completed"
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert b"[DONE]" not in answer.body
        request = served.backend.requests[-1]
        assert isinstance(request, GenerateRequest)
        assert request.stream


async def test_a_silent_stream_is_kept_alive_by_comments() -> None:
    go_on = asyncio.Event()
    backend = FakeBackend([go_on, *reply("Hi")])
    async with serving(backend, GatewaySettings(keep_alive_interval_s=0.05)) as served, served.connect() as connection:
        await connection.send("POST", RESPONSES, body(stream=True))
        assert (await connection.head()).status == 200
        assert await connection.piece() == b": keep-alive\n\n"
        go_on.set()
        rest = b""
        while piece := await connection.piece():
            rest += piece
        assert events_of(rest)[-1]["type"] == "response.completed"


async def test_a_failure_before_the_answer_has_its_own_status() -> None:
    async with serving(FakeBackend([RateLimited("Too many.", retry_after_s=3)])) as served:
        for stream in (False, True):
            answer = await served.ask("POST", RESPONSES, body(stream=stream))
            assert (answer.status, answer.error()[0]) == (429, "rate_limit_exceeded")
            assert answer.headers["retry-after"] == "3"


async def test_a_failure_in_the_middle_is_an_error_and_failed() -> None:
    async with serving(FakeBackend([TextDelta("It"), EngineCrashed("It died.")])) as served:
        events = events_of((await served.ask("POST", RESPONSES, body(stream=True))).body)
        assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
        assert (events[-2]["code"], events[-2]["error"]["message"]) == ("engine_crashed", "It died.")
        assert events[-1]["response"]["error"] == {"code": "server_error", "message": "It died."}
        assert events[-1]["response"]["output"][0]["content"][0]["text"] == "It"
        answer = await served.ask("POST", RESPONSES, body())
        assert (answer.status, answer.error()[0]) == (500, "engine_crashed")


ROWS: list[tuple[bytes, int, str, str | None]] = [
    (b"", 400, "invalid_json", None),
    (b"{", 400, "invalid_json", None),
    (b"[]", 400, "invalid_request_error", None),
    (b'{"model":"fake","input":"\xff"}', 400, "invalid_json", None),
    (body(input=None), 422, "invalid_parameter", "input"),
    (body(model="nobody"), 404, "model_not_found", "model"),
    (body(previous_response_id="resp_1"), 400, "unsupported_parameter", "previous_response_id"),
    (body(background=True), 400, "unsupported_parameter", "background"),
    (body(tools=[{"type": "web_search"}]), 400, "unsupported_parameter", "tools[0].type"),
    (body(input=[{"type": "item_reference", "id": "x"}]), 400, "unsupported_parameter", "input[0]"),
    (b'{"model":"fake","input":' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400, "invalid_json", None),
]


async def test_a_bad_request_is_answered_and_the_next_one_served() -> None:
    async with serving() as served, served.connect() as connection:
        for bad, status, code, param in ROWS:
            answer = await connection.ask("POST", RESPONSES, bad)
            assert (answer.status, *answer.error()) == (status, code, param), bad[:80]
            assert (await connection.ask("POST", RESPONSES, body())).status == 200


async def test_nothing_is_kept_to_be_asked_for() -> None:
    async with serving() as served:
        answer = await served.ask("GET", f"{RESPONSES}/resp_1")
        assert (answer.status, answer.error()[0]) == (404, "not_found")


def thinks_and_calls(request: GenerateRequest) -> Sequence[Step]:
    usage = Usage(7, 5)
    if request.messages[-1].role == "tool":
        return (TextDelta(request.messages[1].reasoning or ""), usage, Finish("stop"))
    return (
        ReasoningDelta("I must look."),
        ToolCallDelta(0, "call_1", "look", '{"at": "sea"}'),
        usage,
        Finish("tool_calls"),
    )


async def ask_again(served: Served, at: str) -> tuple[int, bytes]:
    """What a client sends that has dropped the reasoning and has written the arguments anew."""
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"' + at + '"}'}}
    messages = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "blue"},
    ]
    answer = await served.ask("POST", CHAT, msgspec.json.encode({"model": "thinker", "messages": messages}))
    return answer.status, answer.body


async def test_deepseek_gets_the_reasoning_that_a_client_forgot_and_no_other() -> None:
    info = msgspec.structs.replace(model_info("thinker"), capabilities=("chat", "reasoning", "tools"))
    cloud = Member("cloud", FakeBackend(thinks_and_calls, models=(info,)), "deepseek")
    tool = {"type": "function", "function": {"name": "look"}}
    asked = {"model": "thinker", "messages": [{"role": "user", "content": "look"}], "tools": [tool]}
    async with serving(others=[cloud]) as served:
        assert (await ask_again(served, "sea"))[0] == 400
        assert (await served.ask("POST", CHAT, msgspec.json.encode(asked))).status == 200
        status, whole = await ask_again(served, "sea")
        assert (status, b"I must look." in whole) == (200, True)
        assert (await ask_again(served, "sky"))[0] == 400
