"""Conversations, messages, variables and feedback over Dify's app endpoints."""

from __future__ import annotations

import uuid

import pytest

from seekway.applications.records import Variable
from tests.integration.dify_apps.conftest import WRITER, Client

NOBODY = str(uuid.UUID(int=7))


async def test_conversations_are_listed_named_and_deleted(client: Client) -> None:
    made = [await client.chat(f"Question {number}", inputs={"city": "Köln"}) for number in range(3)]
    ids = [one["conversation_id"] for one in made]
    listed = await client.ok("GET", "/conversations?user=ann&limit=2&pinned=false&first_id=")
    assert (listed["limit"], listed["has_more"]) == (2, True)
    assert [one["id"] for one in listed["data"]] == ids[:0:-1]
    assert set(listed["data"][0]) == {"id", "name", "inputs", "status", "introduction", "created_at", "updated_at"}
    assert (listed["data"][0]["inputs"], listed["data"][0]["status"]) == ({"city": "Köln"}, "normal")
    rest = await client.ok("GET", f"/conversations?user=ann&limit=2&last_id={ids[1]}")
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (ids[:1], False)
    by_age = await client.ok("GET", "/conversations?user=ann&sort_by=created_at")
    assert [one["id"] for one in by_age["data"]] == ids
    path = f"/conversations/{ids[0]}"
    assert (await client.ok("POST", f"{path}/name", {"name": " Mine ", "user": "ann"}))["name"] == "Mine"
    body = {"auto_generate": True, "user": "ann", "name": ""}
    assert (await client.ok("POST", f"{path}/name", body))["name"] == "A fine name"
    answer = await client.ask("DELETE", path, {"user": "ann"})
    assert (answer.status, answer.body) == (204, b"")
    assert (await client.refused("DELETE", path, {"user": "ann"}))[1:] == ("not_found", "Conversation Not Exists.")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/conversations?limit=0", 400, "limit is a whole number from 1 to 100."),
        ("/conversations?limit=101", 400, ""),
        ("/conversations?limit=x", 400, ""),
        ("/conversations?sort_by=name", 400, ""),
        ("/conversations?last_id=x", 400, "last_id is not a valid UUID."),
        (f"/conversations?last_id={NOBODY}", 404, "Last Conversation Not Exists."),
        ("/messages?user=ann", 400, "conversation_id is missing."),
        ("/messages?user=ann&conversation_id=x", 400, ""),
        (f"/messages?user=ann&conversation_id={NOBODY}", 404, "Conversation Not Exists."),
        (f"/messages/{NOBODY}/suggested", 400, "Arg user must be provided."),
        (f"/messages/{NOBODY}/suggested?user=ann", 404, "Message Not Exists."),
        ("/messages/x/suggested?user=ann", 404, ""),
        (f"/conversations/{NOBODY}/variables?user=ann", 404, "Conversation Not Exists."),
        ("/app/feedbacks?limit=102", 400, ""),
        ("/end-users/x", 404, ""),
    ],
)
async def test_what_cannot_be_listed_is_refused(client: Client, path: str, status: int, message: str) -> None:
    refused = await client.refused("GET", path)
    assert refused[0] == status
    assert not message or refused[2] == message


async def test_messages_are_read_backwards_and_given_forwards(client: Client) -> None:
    first = await client.chat("One")
    conversation = first["conversation_id"]
    others = [await client.chat(query, conversation_id=conversation) for query in ("Two", "Three")]
    await client.ok("POST", f"/messages/{others[1]['id']}/feedbacks", {"rating": "like", "user": "ann", "content": "!"})
    path = f"/messages?conversation_id={conversation}&user=ann"
    listed = await client.ok("GET", f"{path}&limit=2")
    assert ([one["query"] for one in listed["data"]], listed["has_more"]) == (["Two", "Three"], True)
    newest = listed["data"][1]
    assert newest["feedback"] == {"rating": "like"}
    assert listed["data"][0]["feedback"] is None
    assert (newest["answer"], newest["status"], newest["message_tokens"], newest["answer_tokens"]) == (
        *("Hello", "normal"),
        *(7, 3),
    )
    assert (newest["message_files"], newest["agent_thoughts"], newest["retriever_resources"]) == ([], [], [])
    older = await client.ok("GET", f"{path}&first_id={others[0]['id']}")
    assert ([one["query"] for one in older["data"]], older["has_more"]) == (["One"], False)
    assert (await client.refused("GET", f"{path}&first_id={NOBODY}"))[1:] == ("not_found", "First Message Not Exists.")


async def test_another_user_sees_nothing(client: Client) -> None:
    made = await client.chat()
    conversation, message = made["conversation_id"], made["id"]
    question: dict[str, object] = {"inputs": {}, "query": "x", "user": "bob", "conversation_id": conversation}
    for method, path, body in (
        ("GET", f"/messages?conversation_id={conversation}&user=bob", None),
        ("GET", f"/messages?conversation_id={conversation}", None),
        ("GET", f"/messages/{message}/suggested?user=bob", None),
        ("POST", f"/messages/{message}/feedbacks", {"rating": "like", "user": "bob"}),
        ("POST", f"/conversations/{conversation}/name", {"name": "x", "user": "bob"}),
        ("DELETE", f"/conversations/{conversation}", {"user": "bob"}),
        ("GET", f"/conversations/{conversation}/variables?user=bob", None),
        ("POST", "/chat-messages", question),
    ):
        assert (await client.refused(method, path, body))[:2] == (404, "not_found"), path
    assert (await client.ok("GET", "/conversations?user=bob"))["data"] == []


async def test_who_names_nobody_shares_a_user(client: Client) -> None:
    await client.ok("GET", "/conversations")
    app = await client.store.apps.by_slug("", "helper")
    shared = await client.store.conversations.user("", app.id, "DEFAULT-USER")
    told = await client.ok("GET", f"/end-users/{shared.id}")
    assert (told["session_id"], told["is_anonymous"], told["type"]) == ("DEFAULT-USER", True, "service-api")
    assert (told["app_id"], told["tenant_id"]) == (app.id, "")
    assert told["created_at"].startswith("2023-11-14T")
    body = b""
    assert (await client.refused("DELETE", f"/conversations/{NOBODY}", body))[0] == 404


async def test_feedback_is_given_changed_and_taken_back(client: Client) -> None:
    message = (await client.chat())["id"]
    path = f"/messages/{message}/feedbacks"
    for rating, content in (("like", "Good"), ("dislike", None)):
        body = {"rating": rating, "user": "ann", "content": content}
        assert await client.ok("POST", path, body) == {"result": "success"}
    (told,) = (await client.ok("GET", "/app/feedbacks?page=1&limit=101"))["data"]
    assert (told["rating"], told["message_id"], told["from_source"]) == ("dislike", message, "user")
    assert told["created_at"] <= told["updated_at"]
    for _ in range(2):
        await client.ok("POST", path, {"rating": None, "user": "ann"})
    assert (await client.ok("GET", "/app/feedbacks"))["data"] == []
    assert (await client.refused("POST", path, {"rating": "love", "user": "ann"}))[:2] == (400, "invalid_param")
    assert (await client.refused("POST", path, {"rating": "like"}))[2] == "Arg user must be provided."


async def test_questions_are_suggested_where_that_is_switched_on(client: Client) -> None:
    message = (await client.chat("Snow"))["id"]
    told = await client.ok("GET", f"/messages/{message}/suggested?user=ann")
    assert told == {"data": ["What of Snow?"], "result": "success"}
    app = await client.store.apps.by_slug("", "agent")
    agent = client.of("app-of-agent")
    body: dict[str, object] = {"inputs": {}, "query": "x", "user": "ann", "response_mode": "streaming"}
    await agent.ask("POST", "/chat-messages", body)
    user = await client.store.conversations.user("", app.id, "ann")
    (conversation,), _ = await client.store.conversations.conversations(app.id, user.id)
    (message,) = await client.store.messages.history(conversation.id, 1)
    refused = await agent.refused("GET", f"/messages/{message.id}/suggested?user=ann")
    assert refused == (400, "bad_request", "Suggested Questions Is Disabled.")


async def test_variables_are_read_and_set(client: Client) -> None:
    conversation = (await client.chat())["conversation_id"]
    add = client.store.conversations.add_variable
    made = [
        await add(Variable(conversation, "", name, kind, value))
        for name, kind, value in (("city", "string", "Köln"), ("tags", "array[string]", ["a"]), ("n", "number", 1))
    ]
    path = f"/conversations/{conversation}/variables"
    listed = await client.ok("GET", f"{path}?user=ann&limit=2")
    assert ([one["name"] for one in listed["data"]], listed["has_more"], listed["limit"]) == (["city", "tags"], True, 2)
    rest = await client.ok("GET", f"{path}?user=ann&last_id={made[1].id}")
    assert [one["value"] for one in rest["data"]] == [1]
    one = await client.ok("GET", f"{path}?user=ann&variable_name=tags")
    assert [(one["value_type"], one["value"]) for one in one["data"]] == [("array[string]", ["a"])]
    changed = await client.ok("PUT", f"{path}/{made[0].id}", {"value": "Bonn", "user": "ann"})
    assert (changed["id"], changed["value"]) == (made[0].id, "Bonn")
    assert (await client.refused("PUT", f"{path}/{made[2].id}", {"value": "x", "user": "ann"}))[:2] == (
        *(400, "bad_request"),
    )
    assert (await client.refused("PUT", f"{path}/{NOBODY}", {"value": 1, "user": "ann"}))[1:] == (
        *("not_found", "Conversation Variable Not Exists."),
    )
    assert (await client.refused("PUT", f"{path}/{made[0].id}", {"user": "ann"}))[:2] == (400, "invalid_param")


async def test_a_completion_has_no_conversations(client: Client) -> None:
    writer = client.of(WRITER)
    for method, path in (
        ("GET", "/conversations"),
        ("GET", "/messages"),
        ("GET", f"/messages/{NOBODY}/suggested"),
        ("POST", f"/conversations/{NOBODY}/name"),
        ("DELETE", f"/conversations/{NOBODY}"),
        ("GET", f"/conversations/{NOBODY}/variables"),
        ("PUT", f"/conversations/{NOBODY}/variables/{NOBODY}"),
    ):
        assert (await writer.refused(method, path, {}))[:2] == (400, "not_chat_app"), path


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "  ", "auto_generate": False}, {"name": "x" * 256}])
async def test_a_conversation_needs_a_name(client: Client, body: dict[str, object]) -> None:
    conversation = (await client.chat())["conversation_id"]
    refused = await client.refused("POST", f"/conversations/{conversation}/name", {**body, "user": "ann"})
    assert refused[:2] == (400, "invalid_param")


async def test_a_user_s_name_fits_an_index(client: Client) -> None:
    await client.chat(user="u" * 512)
    body: dict[str, object] = {"inputs": {}, "query": "Hi", "user": "u" * 513}
    for refused in (
        await client.refused("POST", "/chat-messages", body),
        await client.refused("GET", f"/conversations?user={'u' * 513}"),
    ):
        assert refused == (400, "invalid_param", "user has at most 512 characters.")


async def test_nul_is_left_out_of_what_is_searched_and_kept(client: Client) -> None:
    asked = await client.chat()
    rating = {"rating": "like", "user": "ann", "content": "a\x00b"}
    await client.ok("POST", f"/messages/{asked['id']}/feedbacks", rating)
    assert (await client.ok("GET", "/app/feedbacks"))["data"][0]["content"] == "ab"
    note = {"question": "a cat", "answer": "yes"}
    await client.ok("POST", "/apps/annotations", note, 201)
    assert (await client.ok("GET", "/apps/annotations?keyword=c%00at"))["total"] == 1
