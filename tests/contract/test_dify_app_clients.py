"""The published clients of Dify's app endpoints work against Seekway unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import ClientRun

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]
OWN = pytest.mark.parametrize("client", ["difyclient", "node_dify"])
PLAIN = pytest.mark.parametrize("name", ["helper", "agent", "thinker"])
ANSWER = "Hello, Ann."


def assert_done(seen: Any, status: int = 200) -> Any:
    assert seen["status"] == status, seen
    return seen["body"]


def assert_streamed(events: list[Any], kind: str = "message") -> None:
    said = [event for event in events if event["event"] == kind]
    assert "".join(event["answer"] for event in said) == ANSWER
    assert len(said) == 2
    assert events[-1]["event"] == "message_end"
    assert events[-1]["metadata"]["usage"]["total_tokens"] == 10


@OWN
def test_dify_s_own_clients_chat(apps_run: ClientRun, client: str) -> None:
    seen = apps_run(client)
    assert assert_done(seen["whole"])["answer"] == ANSWER
    assert_streamed(seen["stream"]["events"])


@OWN
def test_dify_s_own_clients_complete(apps_run: ClientRun, client: str) -> None:
    seen = apps_run(client)
    assert assert_done(seen["completion"])["mode"] == "completion"
    assert_streamed(seen["completion_stream"]["events"])


@OWN
def test_dify_s_own_clients_read_and_name_conversations(apps_run: ClientRun, client: str) -> None:
    seen = apps_run(client)["conversation"]
    assert [one["query"] for one in assert_done(seen["messages"])["data"]] == ["Hi", "And?"]
    assert assert_done(seen["conversations"])["data"]
    assert assert_done(seen["renamed"])["name"] == "Mine"
    if client == "node_dify":
        assert_done(seen["deleted"], 204)


@OWN
def test_dify_s_own_clients_rate_upload_and_read_parameters(apps_run: ClientRun, client: str) -> None:
    seen = apps_run(client)
    assert assert_done(seen["feedback"]) == {"result": "success"}
    assert assert_done(seen["upload"], 201)["name"] == "a.txt"
    assert assert_done(seen["parameters"])["file_upload"]["enabled"] is True


@OWN
def test_dify_s_own_clients_read_refusals(apps_run: ClientRun, client: str) -> None:
    seen = apps_run(client)
    assert assert_done(seen["wrong_key"], 401)["code"] == "unauthorized"
    if client == "node_dify":
        assert assert_done(seen["workflow"], 400)["code"] == "not_workflow_app"


def test_the_strictest_client_reads_whole_answers(apps_run: ClientRun) -> None:
    seen = apps_run("difypython")
    for kind, mode in (("chat", "chat"), ("completion", "completion")):
        answer = seen[kind]
        assert (answer["answer"], answer["mode"]) == (ANSWER, mode)
        assert answer["metadata"]["usage"]["total_price"] == "0.00000285"
        assert answer["metadata"]["retriever_resources"][0]["content"] == "Thirty days."


def test_the_strictest_client_reads_streams(apps_run: ClientRun) -> None:
    seen = apps_run("difypython")
    assert_streamed(seen["chat_stream"]["events"])
    assert_streamed(seen["completion_stream"]["events"])
    assert_streamed(seen["asynchronous"]["events"])
    assert seen["asynchronous"]["answer"] == ANSWER
    # Its event for what it does not know keeps reasoning out of the answer.
    thinker = seen["thinker_stream"]
    assert_streamed(thinker["events"])
    assert [one["data"]["reasoning"] for one in thinker["events"] if one["event"] == "reasoning_chunk"] == [
        *("Let me see.", ""),
    ]
    assert thinker["kinds"][0] == "StreamResponse"


def test_the_strictest_client_reads_an_agent_s_steps(apps_run: ClientRun) -> None:
    seen = apps_run("difypython")["agent_stream"]
    thought = "AgentThoughtStreamResponse"
    assert seen["kinds"] == [
        *(thought, thought),
        "MessageFileStreamResponse",
        *(["AgentMessageStreamResponse"] * 2),
        "MessageEndStreamResponse",
    ]
    first, filled = seen["events"][:2]
    assert first["id"] == filled["id"]
    assert (first["tool"], filled["tool"]) == ("", "current_time")


def test_the_strictest_client_does_the_rest(apps_run: ClientRun) -> None:
    seen = apps_run("difypython")["around"]
    assert seen["suggested"]["data"] == ["What of Hi?"]
    for name in ("feedback", "withdrawn", "stop", "stop_completion"):
        assert seen[name] == {"result": "success"}
    assert seen["upload"]["extension"] == "txt"


@pytest.mark.parametrize(
    ("name", "kind", "status", "code"),
    [
        ("agent_blocking", "DifyAPIError", 400, "bad_request"),
        ("not_chat", "DifyNotChatApp", 400, "not_chat_app"),
        ("streaming", "DifyNotChatApp", 400, "not_chat_app"),
        ("unknown_conversation", "DifyResourceNotFound", 404, "not_found"),
        ("wrong_key", "DifyAPIError", 401, "unauthorized"),
        ("workflow", "DifyAPIError", 400, "not_workflow_app"),
        ("workflow_stop", "DifyAPIError", 400, "not_workflow_app"),
        ("text_to_audio", "DifyInvalidParam", 400, "invalid_param"),
        ("audio_to_text", "DifyAPIError", 400, "speech_to_text_disabled"),
    ],
)
def test_the_strictest_client_knows_refusals(apps_run: ClientRun, name: str, kind: str, status: int, code: str) -> None:
    seen = apps_run("difypython")["refusals"][name]
    assert (seen["kind"], seen["status"], seen["code"]) == (kind, status, code)


def test_the_strictest_client_reads_an_answer_that_breaks_off(apps_run: ClientRun) -> None:
    said, error = apps_run("difypython")["breaks_off"]["events"]
    assert said["answer"] == "So"
    assert (error["event"], error["code"], error["status"]) == ("error", "completion_request_error", 400)


def test_dify_oapi_asks(apps_run: ClientRun) -> None:
    seen = apps_run("difyoapi_app")
    assert assert_done(seen["answered"])["answer"] == ANSWER
    assert_streamed(seen["streamed"]["events"])
    assert assert_done(seen["completion"]["answer"])["answer"] == ANSWER
    assert assert_done(seen["completion"]["stopped"]) == {"result": "success"}


def test_dify_oapi_leads_conversations(apps_run: ClientRun) -> None:
    seen = apps_run("difyoapi_app")["conversation"]
    assert len(assert_done(seen["history"])["data"]) == 1
    assert assert_done(seen["list"])["limit"] == 5
    assert [one["name"] for one in assert_done(seen["variables"])["data"]] == ["city"]
    assert assert_done(seen["suggested"])["data"] == ["What of Hi?"]
    assert assert_done(seen["stopped"]) == assert_done(seen["feedback"]) == {"result": "success"}
    assert assert_done(seen["feedbacks"])["data"][0]["rating"] == "like"
    assert assert_done(seen["renamed"])["name"] == "Mine"
    assert_done(seen["deleted"], 204)


def test_dify_oapi_keeps_annotations(apps_run: ClientRun) -> None:
    seen = apps_run("difyoapi_app")["annotations"]
    assert_done(seen["made"], 201)
    for name in ("listed", "listed_by_completion"):
        assert assert_done(seen[name])["total"] == 1
    assert_done(seen["changed"])
    assert_done(seen["deleted"], 204)
    assert assert_done(seen["job"])["job_status"] == "waiting"


def test_dify_oapi_reads_what_stands_around(apps_run: ClientRun) -> None:
    seen = apps_run("difyoapi_app")["around"]
    assert assert_done(seen["info"])["name"] == "Helper"
    assert assert_done(seen["site"])["title"] == "Helper"
    assert assert_done(seen["meta"]) == {"tool_icons": {}}
    assert "system_parameters" in assert_done(seen["parameters"])
    assert assert_done(seen["upload"], 201)["size"] == 5


def test_the_ai_sdk_asks_applications(apps_run: ClientRun) -> None:
    seen = apps_run("node_dify_ai_provider")
    assert (seen["chat"]["text"], seen["chat"]["usage"]["totalTokens"]) == (ANSWER, 10)
    assert seen["chat"]["told"]["conversationId"]
    assert seen["file"]["text"] == ANSWER
    assert seen["wrong_key"]["status"] == 401


@PLAIN
def test_the_ai_sdk_streams_applications(apps_run: ClientRun, name: str) -> None:
    seen = apps_run("node_dify_ai_provider")[{"helper": "stream"}.get(name, name)]
    assert "".join(seen["pieces"]) == ("It is noon." if name == "agent" else ANSWER)
    assert (seen["finish"], seen["usage"]["totalTokens"]) == ("stop", 10)


def test_the_ai_sdk_is_told_of_an_answer_that_breaks_off(apps_run: ClientRun) -> None:
    seen = apps_run("node_dify_ai_provider")["breaker"]
    assert seen["pieces"] == ["So"]
    assert "completion_request_error" in seen["errors"][0]
