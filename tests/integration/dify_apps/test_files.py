"""Files and audio over Dify's app endpoints."""

from __future__ import annotations

import json

import pytest

from seekway.gateway.dify.app_files import DOCUMENT_MB, IMAGE_MB
from tests.integration.dify_apps.conftest import AGENT, Client, refusal_of


async def test_a_file_is_uploaded_attached_and_previewed(client: Client) -> None:
    answer = await client.upload(b"\x89PNG", "手册 a.PNG", kind="image/png")
    assert answer.status == 201
    kept = json.loads(answer.body)
    assert (kept["name"], kept["size"], kept["extension"], kept["mime_type"]) == ("手册 a.PNG", 4, "png", "image/png")
    user = await client.store.conversations.user("", (await client.store.apps.by_slug("", "helper")).id, "ann")
    assert kept["created_by"] == user.id
    path = f"/files/{kept['id']}/preview"
    assert (await client.refused("GET", path))[:2] == (404, "file_not_found")
    file = {"type": "image", "transfer_method": "local_file", "upload_file_id": kept["id"]}
    asked = await client.chat(files=[file])
    assert (await client.refused("GET", f"{path}?user=bob"))[:2] == (404, "file_not_found")
    shown = await client.ask("GET", f"{path}?user=ann")
    assert (shown.status, shown.body, shown.headers["content-type"]) == (200, b"\x89PNG", "image/png")
    assert shown.headers["content-disposition"].startswith("inline")
    assert shown.headers["x-content-type-options"] == "nosniff"
    attached = await client.ask("GET", f"{path}?as_attachment=true")
    assert attached.headers["content-disposition"].startswith("attachment")
    assert (await client.of(AGENT).refused("GET", path))[:2] == (404, "file_not_found")
    listed = await client.ok("GET", f"/messages?conversation_id={asked['conversation_id']}&user=ann")
    (told,) = listed["data"][0]["message_files"]
    assert (told["upload_file_id"], told["transfer_method"], told["belongs_to"]) == (kept["id"], "local_file", "user")
    assert told["url"].endswith(f"/v1{path}")


@pytest.mark.parametrize(("name", "kind"), [("a.html", "text/html"), ("a.svg", "image/SVG+XML; a=b")])
async def test_what_could_be_a_page_is_only_downloaded(client: Client, name: str, kind: str) -> None:
    kept = json.loads((await client.upload(b"<script>", name, kind=kind)).body)
    file = {"type": "document", "transfer_method": "local_file", "upload_file_id": kept["id"]}
    await client.chat(files=[file])
    shown = await client.ask("GET", f"/files/{kept['id']}/preview")
    assert shown.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("name", ["a/b.txt", "a\\b.txt"])
async def test_a_name_is_no_path(client: Client, name: str) -> None:
    # In a header's quoted string a backslash escapes what follows it.
    answer = await client.upload(b"x", name.replace("\\", "\\\\"))
    assert refusal_of(answer) == (400, "invalid_param", "Filename contains invalid characters")


async def test_uploads_have_dify_s_limits(client: Client) -> None:
    for name, most in (("a.png", IMAGE_MB), ("a.pdf", DOCUMENT_MB)):
        fits = await client.upload(b"x" * most * 2**20, name)
        assert fits.status == 201
        answer = await client.upload(b"x" * (most * 2**20 + 1), name)
        assert refusal_of(answer)[:2] == (413, "file_too_large")


async def test_a_form_without_a_file_is_refused(client: Client) -> None:
    assert refusal_of(await client.upload(None))[:2] == (400, "no_file_uploaded")
    assert (await client.refused("POST", "/files/upload", {"user": "ann"}))[:2] == (400, "no_file_uploaded")
    assert refusal_of(await client.upload(times=2))[:2] == (400, "too_many_files")
    assert refusal_of(await client.upload(name=""))[1] in ("filename_not_exists_error", "no_file_uploaded")
    head = (f"authorization: Bearer {client.key}", "content-type: multipart/form-data")
    assert refusal_of(await client.served.ask("POST", "/v1/files/upload", b"x", head))[:2] == (400, "invalid_param")


async def test_what_is_no_media_type_is_taken_from_the_name(client: Client) -> None:
    for kind in ("中", "a b/c", "text/pl\x00ain"):
        kept = json.loads((await client.upload(b"%PDF", "a.pdf", kind=kind)).body)
        assert kept["mime_type"] == "application/pdf"


async def test_who_names_nobody_uploads_for_the_shared_user(client: Client) -> None:
    kept = json.loads((await client.upload(user=None)).body)
    assert (await client.ok("GET", f"/end-users/{kept['created_by']}"))["session_id"] == "DEFAULT-USER"


async def test_speech_is_switched_off(client: Client) -> None:
    answer = await client.upload(b"x", "a.mp3", path="/audio-to-text", kind="audio/mpeg")
    assert refusal_of(answer) == (400, "speech_to_text_disabled", "Speech to text is disabled.")
    answer = await client.upload(None, path="/audio-to-text")
    assert refusal_of(answer)[:2] == (400, "no_audio_uploaded")
    answer = await client.upload(b"x" * (32 * 2**20), "a.mp3", path="/audio-to-text")
    assert refusal_of(answer)[:2] == (413, "audio_too_large")
    refused = await client.refused("POST", "/text-to-audio", {"text": "Hi", "user": "ann"})
    assert refused == (400, "invalid_param", "TTS is not enabled")
