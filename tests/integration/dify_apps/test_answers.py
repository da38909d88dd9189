"""Questions over Dify's app endpoints: whole answers, streams to the byte, and what they are refused for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from seekway.applications.events import AnswerDelta, AnswerReplaced, FileGiven, ReasoningDelta, ThoughtChanged
from seekway.applications.records import MessageFile, Thought
from seekway.applications.service import AskedFile
from seekway.core.errors import BackendUnavailable, EngineCrashed, InvalidRequest, NotFound, RateLimited
from seekway.core.sections.applications import ApplicationSettings
from seekway.core.sections.gateway import GatewaySettings
from seekway.security.keys import KeyTable
from tests.fakes.applications import SOURCE, FakeApplications
from tests.integration.dify_apps.conftest import AGENT, CHAT, WRITER, Client, events_of, refusal_of
from tests.integration.gateway.served import serving

HI: dict[str, object] = {"inputs": {}, "query": "Hi", "user": "ann"}
STREAM: dict[str, object] = {**HI, "response_mode": "streaming"}
USAGE = {
    "prompt_tokens": 7,
    "prompt_unit_price": "0.15",
    "prompt_price_unit": "0.000001",
    "prompt_price": "0.00000105",
    "completion_tokens": 3,
    "completion_unit_price": "0.6",
    "completion_price_unit": "0.000001",
    "completion_price": "0.0000018",
    "total_tokens": 10,
    "total_price": "0.00000285",
    "currency": "USD",
    "latency": 0.25,
}
THOUGHT = Thought("", "t-1", 1, "Look.", "time", {"time": {"en_US": "Time"}}, '{"time": {}}', "noon", (), 5000)


async def test_a_chat_is_answered_whole(client: Client) -> None:
    client.fake.sources, client.fake.annotation = (SOURCE,), "a-1"
    answer = await client.chat(extra={"unknown": 1}, files=None, conversation_id=None, retriever_from="dev")
    (_, caller, asked) = client.fake.asked[0]
    assert (caller.app, asked.session, asked.blocking, asked.auto_name) == ("helper", "ann", True, True)
    metadata = answer.pop("metadata")
    assert metadata["usage"] == USAGE
    (source,) = metadata["retriever_resources"]
    assert None not in source.values()
    told = ("position", "dataset_id", "dataset_name", "document_id", "document_name", "segment_id", "score", "content")
    assert [source[name] for name in told] == [
        *(1, "d-1", "Handbook", "doc-1", "returns.md", "s-1", 0.75),
        "Thirty days.",
    ]
    assert metadata["annotation_reply"] == {"id": "a-1", "account": {"id": client.fake.asked[0][0].id, "name": "Ann"}}
    assert answer.pop("id") == answer.pop("message_id")
    assert answer.pop("task_id")
    assert answer.pop("conversation_id")
    assert isinstance(answer.pop("created_at"), int)
    assert answer == {"event": "message", "mode": "chat", "answer": "Hello"}


async def test_a_stream_is_dify_s_to_the_byte(client: Client) -> None:
    client.fake.script = (AnswerDelta('"H\n'), AnswerDelta("好"))
    answer = await client.ask("POST", "/chat-messages", STREAM)
    assert answer.status == 200
    head = [answer.headers[name] for name in ("content-type", "cache-control", "x-accel-buffering")]
    assert head == ["text/event-stream", "no-cache", "no"]
    task = events_of(answer.body)[0]["task_id"]
    (conversation,), _ = await client.store.conversations.conversations(
        client.fake.asked[0][0].id,
        (await client.store.conversations.user("", client.fake.asked[0][0].id, "ann")).id,
    )
    (message,) = await client.store.messages.history(conversation.id, 1)
    shared = f'"task_id":"{task}","message_id":"{message.id}","conversation_id":"{conversation.id}","created_at":{message.created_at // 1000}'
    usage = json.dumps(USAGE, separators=(",", ":"))
    assert answer.body.decode() == (
        f'data: {{"event":"message",{shared},"id":"{message.id}","answer":"\\"H\\n"}}\n\n'
        f'data: {{"event":"message",{shared},"id":"{message.id}","answer":"好"}}\n\n'
        f'data: {{"event":"message_end",{shared},"id":"{message.id}","metadata":{{"usage":{usage},"retriever_resources":[]}},"files":[]}}\n\n'
    )
    assert [piece.count(b"data: ") for piece in answer.pieces] == [1, 1, 1]


async def test_a_completion_has_no_conversation(client: Client) -> None:
    writer = client.of(WRITER)
    whole = await writer.ok("POST", "/completion-messages", {"inputs": {"query": "Hi"}, "user": 5})
    assert (whole["mode"], whole["answer"]) == ("completion", "Hello")
    assert "conversation_id" not in whole
    assert client.fake.asked[0][2].session == "5"
    streamed = await writer.ask("POST", "/completion-messages", STREAM)
    events = events_of(streamed.body)
    assert [event["event"] for event in events] == ["message", "message", "message_end"]
    assert all("conversation_id" not in event for event in events)


async def test_an_agent_thinks_aloud(client: Client) -> None:
    file = MessageFile("f-1", "image", "local_file", upload="u-1", belongs_to="assistant")
    client.fake.script = (ThoughtChanged(THOUGHT), FileGiven(file), AnswerDelta("Noon."))
    answer = await client.of(AGENT).ask("POST", "/chat-messages", STREAM)
    thought, given, said, end = events_of(answer.body)
    assert [one["event"] for one in (thought, given, said, end)] == [
        *("agent_thought", "message_file", "agent_message"),
        "message_end",
    ]
    assert {name: thought[name] for name in ("id", "position", "thought", "observation", "tool", "tool_input")} == {
        "id": "t-1",
        "position": 1,
        "thought": "Look.",
        "observation": "noon",
        "tool": "time",
        "tool_input": '{"time": {}}',
    }
    assert (thought["tool_labels"], thought["message_files"]) == ({"time": {"en_US": "Time"}}, [])
    assert (given["id"], given["type"], given["belongs_to"]) == ("f-1", "image", "assistant")
    assert given["url"].endswith("/v1/files/u-1/preview")
    assert said["answer"] == "Noon."
    assert [one["id"] for one in end["files"]] == ["f-1"]
    listed = await client.of(AGENT).ok("GET", f"/messages?conversation_id={end['conversation_id']}&user=ann")
    assert listed["data"][0]["agent_thoughts"][0]["observation"] == "noon"


async def test_agents_only_stream(client: Client) -> None:
    refused = await client.of(AGENT).refused("POST", "/chat-messages", HI)
    assert refused[:2] == (400, "bad_request")
    assert not client.fake.asked


async def test_reasoning_stands_apart(client: Client) -> None:
    client.fake.script = (ReasoningDelta("Let me"), ReasoningDelta(" see"), AnswerDelta("Yes"))
    events = events_of((await client.ask("POST", "/chat-messages", STREAM)).body)
    assert [event["event"] for event in events] == [*(["reasoning_chunk"] * 3), "message", "message_end"]
    data = [event["data"] for event in events[:3]]
    assert [(one["reasoning"], one["is_final"]) for one in data] == [("Let me", False), (" see", False), ("", True)]
    whole = await client.chat()
    assert (whole["answer"], whole["metadata"]["reasoning_content"]) == ("Yes", "Let me see")


async def test_a_moderated_answer_is_replaced(client: Client) -> None:
    client.fake.script = (AnswerDelta("Bad"), AnswerReplaced("Sorry."))
    events = events_of((await client.ask("POST", "/chat-messages", STREAM)).body)
    assert [event["event"] for event in events] == ["message", "message_replace", "message_end"]
    assert (events[1]["answer"], events[1]["reason"]) == ("Sorry.", "output_moderation")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("city is required in input form", param="city"), 400, "invalid_param"),
        (NotFound("Conversation Not Exists."), 404, "not_found"),
        (RateLimited("Too fast.", retry_after_s=3), 429, "rate_limit_error"),
        (BackendUnavailable("No model."), 400, "completion_request_error"),
    ],
)
async def test_a_refused_question_has_its_own_status(client: Client, error: Exception, status: int, code: str) -> None:
    assert isinstance(error, InvalidRequest | NotFound | RateLimited | BackendUnavailable)
    client.fake.refusal = error
    for body in (HI, STREAM):
        assert await client.refused("POST", "/chat-messages", body) == (status, code, error.message)


async def test_what_a_model_finds_invalid_is_not_the_client_s_mistake(client: Client) -> None:
    client.fake.script = (InvalidRequest("The model has no such parameter."),)
    told = (400, "completion_request_error", "The model has no such parameter.")
    assert await client.refused("POST", "/chat-messages", HI) == told
    (error,) = events_of((await client.ask("POST", "/chat-messages", STREAM)).body)
    assert (error["status"], error["code"], error["message"]) == told


async def test_what_fails_later_is_an_event(client: Client) -> None:
    client.fake.script = (AnswerDelta("So"), EngineCrashed("The engine crashed."))
    answer = await client.ask("POST", "/chat-messages", STREAM)
    assert answer.status == 200
    said, error = events_of(answer.body)
    assert said["answer"] == "So"
    expected = {"event": "error", "status": 400, "code": "completion_request_error", "message": "The engine crashed."}
    assert {name: error[name] for name in expected} == expected
    assert error["message_id"] == said["message_id"]
    assert (await client.refused("POST", "/chat-messages", HI))[:2] == (400, "completion_request_error")
    await asyncio.wait_for(client.served.drain.wait_idle(), 10)
    assert '"error_type":"engine_crashed"' in client.served.log()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"inputs": {}, "query": "Hi"}, "Arg user must be provided."),
        ({"inputs": {}, "query": "Hi", "user": ""}, "Arg user must be provided."),
        ({"inputs": {}, "user": "ann"}, "query is missing."),
        ({**HI, "inputs": "no"}, ""),
        ({**HI, "conversation_id": "no-uuid"}, "conversation_id is not a valid UUID."),
        ({**HI, "files": [{"type": "smell", "transfer_method": "remote_url"}]}, ""),
        (b"{", ""),
        (b"[]", ""),
        (b"", ""),
    ],
)
async def test_bad_questions_are_refused(client: Client, body: object, message: str) -> None:
    status, code, said = await client.refused("POST", "/chat-messages", body)
    assert (status, code) == (400, "invalid_param")
    assert not message or said == message
    assert not client.fake.asked


async def test_what_comes_with_a_question_arrives(client: Client) -> None:
    first = await client.chat("Why?")
    files = [
        {"type": "image", "transfer_method": "remote_url", "url": "https://x.test/a.png"},
        {"type": "document", "transfer_method": "local_file", "upload_file_id": "u", "url": ""},
    ]
    more: dict[str, Any] = {"inputs": {"city": "Köln"}, "files": files, "auto_generate_name": False}
    again = await client.chat("And?", conversation_id=first["conversation_id"], **more)
    asked = client.fake.asked[1][2]
    assert again["conversation_id"] == first["conversation_id"] == asked.conversation
    assert (asked.inputs, asked.auto_name) == ({"city": "Köln"}, False)
    assert asked.files == (
        AskedFile("image", "remote_url", "https://x.test/a.png"),
        AskedFile("document", "local_file", upload="u"),
    )
    await client.chat(conversation_id="", response_mode="blocking")
    assert client.fake.asked[2][2].conversation is None


async def test_only_the_word_streaming_streams(client: Client) -> None:
    for mode in (None, "blocking", "Streaming"):
        answer = await client.ask("POST", "/chat-messages", {**HI, "response_mode": mode})
        assert answer.headers["content-type"] == "application/json"


async def test_applications_are_asked_by_their_kind(client: Client) -> None:
    writer = client.of(WRITER)
    assert (await writer.refused("POST", "/chat-messages", HI))[:2] == (400, "not_chat_app")
    assert (await writer.refused("POST", "/chat-messages/t/stop", {"user": "ann"}))[:2] == (400, "not_chat_app")
    assert (await client.refused("POST", "/completion-messages", HI))[:2] == (400, "app_unavailable")
    assert (await client.refused("POST", "/completion-messages/t/stop", HI))[:2] == (400, "app_unavailable")


async def test_an_answer_is_stopped(client: Client) -> None:
    assert await client.ok("POST", "/chat-messages/t-1/stop", {"user": "ann"}) == {"result": "success"}
    assert await client.of(WRITER).ok("POST", "/completion-messages/t-2/stop", {"user": "b"}) == {"result": "success"}
    assert client.fake.stopped == [("helper", "t-1", "ann"), ("writer", "t-2", "b")]
    assert (await client.refused("POST", "/chat-messages/t/stop", {}))[2] == "Arg user must be provided."


@pytest.mark.parametrize("body", [HI, STREAM])
async def test_a_client_that_goes_ends_the_work(client: Client, body: object) -> None:
    client.fake.script = (AnswerDelta("So"), asyncio.Event())
    async with client.served.connect() as connection:
        await connection.send("POST", "/v1/chat-messages", json.dumps(body).encode(), client.head())
        await asyncio.wait_for(client.fake.working.wait(), 10)
        if body is STREAM:
            await connection.head()
            assert b"So" in await connection.piece()
    await asyncio.wait_for(client.fake.ended.wait(), 10)
    assert client.fake.closed == 1
    await asyncio.wait_for(client.served.drain.wait_idle(), 10)
    assert '"error_type":"cancelled"' in client.served.log()


async def test_a_silent_stream_is_kept_alive(fake: FakeApplications, keys: KeyTable) -> None:
    gate = asyncio.Event()
    fake.script = (gate, AnswerDelta("So"))
    async with serving(gateway=GatewaySettings(keep_alive_interval_s=0.05), table=keys) as served:
        served.front.applications = fake
        client = Client(served, fake, CHAT)
        async with served.connect() as connection:
            await connection.send("POST", "/v1/chat-messages", json.dumps(STREAM).encode(), client.head())
            assert (await connection.head()).status == 200
            assert await connection.piece() == b"event: ping\n\n"
            assert await connection.piece() == b"event: ping\n\n"
            gate.set()
            while (piece := await connection.piece()) == b"event: ping\n\n":
                pass
            assert b'"answer":"So"' in piece


async def test_an_answer_that_takes_too_long_is_ended(fake: FakeApplications, keys: KeyTable) -> None:
    fake.script = (AnswerDelta("So"), asyncio.Event())
    async with serving(gateway=GatewaySettings(request_timeout_s=0.3), table=keys) as served:
        served.front.applications = fake
        client = Client(served, fake, CHAT)
        events = events_of((await client.ask("POST", "/chat-messages", STREAM)).body)
        assert (events[-1]["event"], events[-1]["status"]) == ("error", 504)
        assert (await client.refused("POST", "/chat-messages", HI))[:2] == (504, "deadline_exceeded")
        assert fake.closed == 2


async def test_an_application_answers_so_many_at_once(client: Client) -> None:
    client.served.front.application_settings = ApplicationSettings(max_active_requests=1)
    gate = asyncio.Event()
    client.fake.script = (AnswerDelta("So"), gate)
    async with client.served.connect() as connection:
        await connection.send("POST", "/v1/chat-messages", json.dumps(STREAM).encode(), client.head())
        await connection.head()
        assert b"So" in await connection.piece()
        status, code, message = await client.refused("POST", "/chat-messages", HI)
        assert (status, code) == (429, "too_many_requests")
        assert message.endswith("allowed for helper is 1.")
        gate.set()
        while await connection.piece():
            pass
    await client.chat()
    client.fake.refusal = InvalidRequest("No.")
    for _ in range(2):
        assert (await client.refused("POST", "/chat-messages", HI))[0] == 400


async def test_nothing_is_begun_while_the_gateway_stops(client: Client) -> None:
    client.served.drain.begin()
    answer = await client.ask("POST", "/chat-messages", HI)
    assert refusal_of(answer)[:2] == (503, "overloaded")


async def test_a_question_is_on_record(client: Client) -> None:
    await client.ask("POST", "/chat-messages", STREAM)
    await asyncio.wait_for(client.served.drain.wait_idle(), 10)
    (line,) = [json.loads(line) for line in client.served.log().splitlines() if "/v1/chat-messages" in line]
    assert (line["path"], line["model"], line["status"], line["key"]) == ("/v1/chat-messages", "app:helper", 200, CHAT)
    metrics = (await client.served.ask("GET", "/metrics")).body.decode()
    assert 'seekway_tokens_total{model="app:helper",type="output"} 3' in metrics
    assert 'gen_ai_operation_name="chat-messages"' in metrics
