"""What a key of an application opens, and what it does not."""

from __future__ import annotations

import json

import msgspec
import pytest

from seekway.gateway.dify.app_routes import APP_ROUTES
from seekway.security.keys import KeyRecord, KeyTable, digest_of
from tests.fakes.applications import FakeApplications, an_app
from tests.integration.dify_apps.conftest import AGENT, CHAT, DATASET, MODELS, OTHER, WRITER, Client, refusal_of
from tests.integration.gateway.served import serving


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Authorization header must be provided and start with 'Bearer'"),
        ("Bearer", "Authorization header must be provided and start with 'Bearer'"),
        ("Basic abc", "Authorization scheme must be 'Bearer'"),
        ("Bearer app-unknown", "Access token is invalid"),
        (f"Bearer {DATASET}", "Access token is invalid"),
        (f"Bearer {MODELS}", "Access token is invalid"),
    ],
)
async def test_another_key_opens_no_application(client: Client, header: str | None, message: str) -> None:
    headers = () if header is None else (f"authorization: {header}",)
    answer = await client.served.ask("GET", "/v1/info", headers=headers)
    assert answer.headers["www-authenticate"] == 'bearer realm="api"'
    status, code, said = refusal_of(answer)
    assert (status, code) == (401, "unauthorized")
    assert said.startswith(message)


async def test_every_route_wants_a_key(client: Client) -> None:
    for route in APP_ROUTES:
        for path in (route.path, *route.also):
            answer = await client.served.ask(route.method, path.replace("{", "").replace("}", ""), b"{}")
            assert refusal_of(answer)[:2] == (401, "unauthorized"), path


async def test_a_key_opens_its_own_application(client: Client) -> None:
    for key, name, mode in ((CHAT, "Helper", "chat"), (WRITER, "Writer", "completion"), (AGENT, "Agent", "agent-chat")):
        told = await client.of(key).ok("GET", "/info")
        assert (told["name"], told["mode"]) == (name, mode)
    assert (await client.of("app-of-none").refused("GET", "/info"))[:2] == (403, "forbidden")


async def test_nothing_of_another_application_or_tenant_is_seen(client: Client) -> None:
    made = await client.chat()
    await client.ok("POST", f"/messages/{made['id']}/feedbacks", {"rating": "like", "user": "ann"})
    annotation = await client.ok("POST", "/apps/annotations", {"question": "q", "answer": "a"}, 201)
    user = (await client.ok("GET", "/app/feedbacks"))["data"][0]["from_end_user_id"]
    for key in (AGENT, OTHER):
        other = client.of(key)
        listed = f"/messages?conversation_id={made['conversation_id']}&user=ann"
        assert (await other.refused("GET", listed))[:2] == (404, "not_found")
        assert (await other.ok("GET", "/conversations?user=ann"))["data"] == []
        assert (await other.ok("GET", "/app/feedbacks"))["data"] == []
        assert (await other.ok("GET", "/apps/annotations"))["data"] == []
        path = f"/apps/annotations/{annotation['id']}"
        assert (await other.refused("DELETE", path))[:2] == (404, "not_found")
        assert (await other.refused("GET", f"/end-users/{user}"))[:2] == (404, "end_user_not_found")
        rating = {"rating": "dislike", "user": "ann"}
        assert (await other.refused("POST", f"/messages/{made['id']}/feedbacks", rating))[0] == 404


async def test_a_key_of_an_application_opens_no_model(client: Client) -> None:
    chat = {"model": "fake", "messages": [{"role": "user", "content": "hi"}]}
    for method, path in (("POST", "/chat/completions"), ("GET", "/models"), ("POST", "/messages")):
        assert (await client.ask(method, path, chat)).status == 403
    assert (await client.served.ask("GET", "/api/v1/data", headers=client.head())).status == 403


def test_a_key_of_an_application_has_no_scope_whatever_its_record_says() -> None:
    digest = digest_of(b"app-x")
    record = KeyRecord("k", digest.hex(), 0, scopes=("models", "admin"), app="helper")
    caller = KeyTable([record]).lookup(digest)
    assert caller is not None
    assert (caller.scopes, caller.app) == ((), "helper")


async def test_an_application_that_is_switched_off_is_closed(client: Client) -> None:
    await client.store.apps.create(an_app(slug="off", tenant="c"))
    app = await client.store.apps.by_slug("c", "off")
    await client.store.apps.change(msgspec.structs.replace(app, enabled=False))
    key = "app-of-off"
    table = KeyTable([KeyRecord("off", digest_of(key.encode()).hex(), 0, "c", scopes=(), app="off")])
    async with serving(table=table) as served:
        served.front.applications = client.fake
        answer = await served.ask("GET", "/v1/info", headers=(f"authorization: Bearer {key}",))
        assert refusal_of(answer) == (403, "forbidden", "The app's API service has been disabled.")


async def test_on_an_open_gateway_the_key_names_the_application(fake: FakeApplications) -> None:
    async with serving() as served:
        served.front.applications = fake
        writer = Client(served, fake, "app-writer")
        assert (await writer.ok("GET", "/info"))["name"] == "Writer"
        for key in ("app-nothing", "sk-writer", "dataset-x"):
            assert (await writer.of(key).refused("GET", "/info"))[:2] == (401, "unauthorized")
        for slug in ("agent", "helper"):
            await fake.store.apps.delete("", slug)
        assert (await writer.of("app-anything").ok("GET", "/info"))["name"] == "Writer"


async def test_a_gateway_without_applications_says_so(keys: KeyTable) -> None:
    async with serving(table=keys) as served:
        answer = await served.ask("GET", "/v1/info", headers=(f"authorization: Bearer {CHAT}",))
        assert refusal_of(answer)[:2] == (403, "forbidden")


async def test_unknown_paths_and_verbs_answer_in_the_same_form(client: Client) -> None:
    assert (await client.refused("PATCH", "/chat-messages"))[:2] == (405, "method_not_allowed")
    assert (await client.refused("GET", "/conversations/x/y"))[:2] == (404, "not_found")
    assert (await client.refused("GET", f"/messages/{'x'}/feedbacks"))[0] == 405
    # Anthropic's own path keeps Anthropic's form.
    answer = await client.served.ask("PATCH", "/v1/messages")
    assert json.loads(answer.body)["type"] == "error"
