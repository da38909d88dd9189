"""Anthropic's dialect over HTTP: paths, keys, statuses, streams that break, counts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from seekway.core.errors import EngineCrashed, InvalidParameter, Overloaded
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import Finish, GenerateRequest, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from seekway.pipeline.directory import Member
from tests.fakes.backend import HANG, FakeBackend, model_info, reply
from tests.integration.gateway.served import Answer, Served, serving

Json = dict[str, Any]

PATHS = pytest.mark.parametrize("prefix", ["/v1", "/anthropic/v1"])
ASK: Json = {"model": "fake", "max_tokens": 9, "messages": [{"role": "user", "content": "two words"}]}


async def ask(served: Served, path: str = "/v1/messages", headers: tuple[str, ...] = (), **fields: object) -> Answer:
    return await served.ask("POST", path, msgspec.json.encode({**ASK, **fields}), headers)


def events(answer: Answer) -> list[tuple[str, Json]]:
    found: list[tuple[str, Json]] = []
    for block in answer.body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def refused(answer: Answer) -> tuple[int, str, str, str | None]:
    """Status, type, our code and the place of an error in Anthropic's envelope."""
    found: Json = json.loads(answer.body)
    assert found["type"] == "error"
    assert found["error"]["message"]
    assert found["request_id"] == answer.headers["x-request-id"]
    details: Json = found["error"]["details"]
    return answer.status, found["error"]["type"], details["error_code"], details["param"]


@PATHS
async def test_a_message_is_answered_whole_and_streamed(prefix: str) -> None:
    async with serving() as served:
        whole = await ask(served, f"{prefix}/messages")
        assert whole.status == 200
        assert whole.headers["request-id"] == whole.headers["x-request-id"]
        message = whole.json()
        assert message["content"] == [{"type": "text", "text": "Hello, world!"}]
        assert (message["type"], message["model"], message["stop_reason"]) == ("message", "fake", "end_turn")
        streamed = await ask(served, f"{prefix}/messages", stream=True)
        assert streamed.headers["content-type"].startswith("text/event-stream")
        names = [name for name, _ in events(streamed)]
        assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
        first, second = served.backend.requests
        assert isinstance(first, GenerateRequest)
        assert isinstance(second, GenerateRequest)
        assert (first.stream, second.stream) == (False, True)
        assert first.id.startswith("msg_")


async def test_thoughts_and_tools_stream_in_their_blocks() -> None:
    call = (ToolCallDelta(0, "t1", "f", '{"a"'), ToolCallDelta(0, arguments=":1}"))
    script = (ReasoningDelta("hm"), TextDelta("so"), *call, Usage(3, 4, 1, 1), Finish("tool_calls"))
    async with serving(FakeBackend(script)) as served:
        found = events(await ask(served, stream=True))
        kinds = [data["content_block"]["type"] for name, data in found if name == "content_block_start"]
        assert kinds == ["thinking", "text", "tool_use"]
        assert found[-2][1]["delta"]["stop_reason"] == "tool_use"
        assert found[-2][1]["usage"]["input_tokens"] == 2


@PATHS
async def test_a_failure_before_the_answer_has_its_own_status(prefix: str) -> None:
    cases = [
        (Overloaded("Wait.", retry_after_s=7), (529, "overloaded_error", "overloaded", None)),
        (InvalidParameter("No.", param="top_p"), (400, "invalid_request_error", "invalid_parameter", "top_p")),
        (EngineCrashed("Gone."), (500, "api_error", "engine_crashed", None)),
    ]
    for error, wanted in cases:
        async with serving(FakeBackend([error])) as served:
            for stream in (False, True):
                answer = await ask(served, f"{prefix}/messages", stream=stream)
                assert refused(answer) == wanted
                assert answer.headers.get("retry-after") == ("7" if wanted[0] == 529 else None)
        counted = [line for line in served.log().splitlines() if f'"status":{wanted[0]}' in line.replace(" ", "")]
        assert len(counted) == 2


async def test_a_failure_within_a_stream_is_an_event_and_no_end() -> None:
    async with serving(FakeBackend([TextDelta("a"), EngineCrashed("Gone.")])) as served:
        answer = await ask(served, stream=True)
        names = [name for name, _ in events(answer)]
        assert answer.status == 200
        assert names[-1] == "error"
        assert "message_delta" not in names
        assert "message_stop" not in names
        data = events(answer)[-1][1]
        assert data["error"]["details"]["error_code"] == "engine_crashed"
        assert data["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("reason", ["aborted", "insufficient_system_resource"])
async def test_an_answer_that_was_cut_is_no_message(reason: Any) -> None:
    async with serving(FakeBackend([TextDelta("a"), Usage(1, 1), Finish(reason)])) as served:
        assert (await ask(served)).status in (502, 529)
        assert events(await ask(served, stream=True))[-1][0] == "error"


async def test_a_silent_stream_is_kept_alive_with_pings() -> None:
    go_on = asyncio.Event()
    script = (TextDelta("a"), go_on, *reply("b"))
    settings = GatewaySettings(keep_alive_interval_s=0.05)
    async with serving(FakeBackend(script), settings) as served, served.connect() as connection:
        await connection.send("POST", "/v1/messages", msgspec.json.encode({**ASK, "stream": True}))
        await connection.head()
        pieces = [await connection.piece(), await connection.piece()]
        go_on.set()
        while piece := await connection.piece():
            pieces.append(piece)
        assert pieces[1].startswith(b"event: ping\n")
        assert b"message_stop" in pieces[-1]


async def test_a_client_that_goes_away_stops_the_work() -> None:
    backend = FakeBackend([TextDelta("a"), HANG])
    async with serving(backend) as served:
        async with served.connect() as connection:
            await connection.send("POST", "/v1/messages", msgspec.json.encode({**ASK, "stream": True}))
            await connection.head()
        await backend.idle.wait()
        assert backend.cancelled == 1


BAD_BODIES = [
    (b"{", (400, "invalid_request_error", "invalid_json", None)),
    (b'{"model":"fake","messages":[]}', (400, "invalid_request_error", "invalid_parameter", "messages")),
    (
        b'{"model":"fake","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document"}]}]}',
        (400, "invalid_request_error", "unsupported_parameter", "messages[0].content[0].type"),
    ),
    (
        b'{"model":"none","max_tokens":1,"messages":[{"role":"user","content":"a"}]}',
        (404, "not_found_error", "model_not_found", "model"),
    ),
]


@pytest.mark.parametrize(("body", "wanted"), BAD_BODIES)
@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages", "/v1/messages?beta=true"])
async def test_bad_bodies_are_refused_in_the_dialect(path: str, body: bytes, wanted: object) -> None:
    async with serving() as served:
        assert refused(await served.ask("POST", path, body)) == wanted


async def test_paths_and_verbs_that_are_not_there_are_refused_in_the_dialect() -> None:
    async with serving() as served:
        # Without these headers it is Dify's, who has a path of that name.
        assert refused(await served.ask("GET", "/v1/messages", headers=("anthropic-version: 2023-06-01",)))[:3] == (
            405,
            "invalid_request_error",
            "method_not_allowed",
        )
        assert refused(await served.ask("POST", "/anthropic/v1/nothing"))[:3] == (404, "not_found_error", "not_found")
        assert (await served.ask("POST", "/v1/nothing")).error() == ("not_found", None)


async def test_a_body_that_is_too_large_is_refused_in_the_dialect() -> None:
    async with serving(gateway=GatewaySettings(max_body_bytes=100)) as served:
        answer = await ask(served, messages=[{"role": "user", "content": "a" * 200}])
        assert refused(answer)[:3] == (413, "request_too_large", "body_too_large")


async def test_a_key_comes_as_either_header_and_bearer_wins() -> None:
    async with serving(keys="sk-good") as served:
        good = [
            ("x-api-key: sk-good",),
            ("authorization: Bearer sk-good",),
            ("authorization: Bearer sk-good", "x-api-key: sk-bad"),
        ]
        for headers in good:
            assert (await ask(served, headers=headers)).status == 200
        for headers in [(), ("x-api-key: sk-bad",), ("authorization: Bearer sk-bad", "x-api-key: sk-good")]:
            wanted = (401, "authentication_error", "invalid_api_key", None)
            assert refused(await ask(served, headers=headers)) == wanted


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", "nonsense", None])
async def test_no_version_is_asked_for(version: str | None) -> None:
    headers = () if version is None else (f"anthropic-version: {version}", "anthropic-beta: a,b")
    async with serving() as served:
        assert (await ask(served, headers=headers, temperature=1.2)).status == 200


async def test_claude_names_are_mapped_unless_someone_serves_them() -> None:
    served_one = FakeBackend(models=(model_info("claude-mine"),))
    async with serving(others=[Member("other", served_one)]) as served:
        assert (await ask(served, model="claude-opus-4-5")).json()["model"] == "fake"
        assert (await ask(served, model="claude-haiku-4")).json()["model"] == "fake"
        assert (await ask(served, model="claude-mine")).json()["model"] == "claude-mine"


@PATHS
async def test_tokens_are_counted_by_the_backend(prefix: str) -> None:
    async with serving() as served:
        answer = await ask(served, f"{prefix}/messages/count_tokens", system="a b c")
        assert answer.json() == {"input_tokens": 5, "estimated": False}
        assert "seekway-token-count" not in answer.headers
        request = served.backend.requests[-1]
        assert isinstance(request, GenerateRequest)
        assert (request.model, request.messages[0].role) == ("fake", "system")
        assert request.deadline_s is not None


async def test_an_estimate_says_so() -> None:
    backend = FakeBackend(models=(model_info("estimated"),))
    async with serving(backend) as served:
        answer = await ask(served, "/v1/messages/count_tokens", model="estimated")
        assert answer.json() == {"input_tokens": 2, "estimated": True}
        assert answer.headers["seekway-token-count"] == "estimated"


async def test_counts_are_refused_in_the_dialect() -> None:
    embedder = msgspec.structs.replace(model_info("embedder"), capabilities=("embed",))
    backend = FakeBackend(models=(model_info("fake"), embedder))
    async with serving(backend) as served:
        path = "/v1/messages/count_tokens"
        assert refused(await ask(served, path, model="none"))[:2] == (404, "not_found_error")
        assert refused(await ask(served, path, model="embedder"))[:2] == (400, "invalid_request_error")
        assert refused(await ask(served, path, messages=[]))[2:] == ("invalid_parameter", "messages")
        backend.error = Overloaded("Wait.")
        assert refused(await ask(served, path))[:2] == (529, "overloaded_error")


async def test_a_query_that_means_nothing_is_left_aside() -> None:
    async with serving() as served:
        body = b'{"model":"fake","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}'
        answer = await served.ask("POST", "/v1/messages?beta=true", body)
        assert (answer.status, answer.json()["type"]) == (200, "message")
        await served.drain.wait_idle()
        assert '"path":"/v1/messages"' in served.log()
