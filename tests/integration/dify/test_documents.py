"""Documents over Dify's knowledge API."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.integration.dify.conftest import LINES, PARENTS, Client


async def _texts(client: Client, dataset: str, document: str) -> list[str]:
    found = await client.ok("GET", f"/datasets/{dataset}/documents/{document}/segments?limit=100")
    return [one["content"] for one in found["data"]]


@pytest.mark.parametrize("word", ["create-by-text", "create_by_text"])
async def test_a_text_comes_to_be_found(client: Client, word: str) -> None:
    dataset = await client.dataset()
    body = {"name": "Guide", "text": "alpha one\nbeta two", "process_rule": LINES, "unknown": {"x": 1}}
    made = await client.ok("POST", f"/datasets/{dataset}/document/{word}", body)
    assert made["document"]["indexing_status"] in ("waiting", "parsing", "cleaning", "splitting", "indexing")
    assert made["batch"]
    await client.knowledge.ingester.idle()
    path = f"/datasets/{dataset}/documents/{made['document']['id']}"
    shown = await client.ok("GET", path)
    assert (shown["indexing_status"], shown["display_status"], shown["error"]) == ("completed", "available", None)
    assert (shown["word_count"], shown["segment_count"], shown["doc_form"]) == (17, 2, "text_model")
    assert (shown["enabled"], shown["archived"], shown["hit_count"]) == (True, False, 0)
    assert shown["document_process_rule"]["mode"] == "custom"
    status = (await client.ok("GET", f"/datasets/{dataset}/documents/{made['batch']}/indexing-status"))["data"][0]
    assert (status["indexing_status"], status["completed_segments"], status["total_segments"]) == ("completed", 2, 2)
    moments = [status[f"{step}_at"] for step in ("processing_started", "parsing_completed", "cleaning_completed", "splitting_completed", "completed")]  # fmt: skip
    assert moments == sorted(moments)
    assert await _texts(client, dataset, made["document"]["id"]) == ["alpha one", "beta two"]
    counted = await client.ok("GET", f"/datasets/{dataset}")
    assert (counted["document_count"], counted["total_available_documents"], counted["word_count"]) == (1, 1, 18)


@pytest.mark.parametrize("word", ["create-by-file", "create_by_file"])
async def test_a_file_is_added_with_its_json(client: Client, word: str) -> None:
    dataset = await client.dataset()
    path = f"/datasets/{dataset}/document/{word}"
    answer = await client.upload(
        "POST", path, "甲方\n乙方".encode(), "合同.txt", {"process_rule": LINES, "doc_form": None}
    )
    assert answer.status == 200, answer.body
    document: Any = answer.json()["document"]
    assert document["name"] == "合同.txt"
    await client.knowledge.ingester.idle()
    assert await _texts(client, dataset, document["id"]) == ["甲方", "乙方"]
    info = await client.ok("GET", f"/datasets/{dataset}/documents/{document['id']}/upload-file")
    assert (info["name"], info["size"], info["extension"]) == ("合同.txt", 13, "txt")


async def test_the_same_file_is_known_under_its_name(client: Client) -> None:
    dataset = await client.dataset()
    first = await client.document(dataset, "text", "a.txt")
    assert await client.document(dataset, "text", "a.txt") == first
    assert await client.document(dataset, "text", "b.txt") != first


@pytest.mark.parametrize(
    ("file", "name", "status", "code"),
    [
        (None, "a.txt", 400, "no_file_uploaded"),
        (b"x", "a.exe", 415, "unsupported_file_type"),
        (b"x", "", 400, "filename_not_exists_error"),
        (b"x", "a/b.txt", 400, "invalid_param"),
        (b"", "a.txt", 400, "invalid_param"),
        (b"x" * (2**20 + 1), "a.txt", 413, "file_too_large"),
        (b"x" * (4 * 2**20), "a.txt", 413, "file_too_large"),
    ],
)
async def test_bad_uploads_are_refused(client: Client, file: bytes | None, name: str, status: int, code: str) -> None:
    dataset = await client.dataset()
    answer = await client.upload("POST", f"/datasets/{dataset}/document/create-by-file", file, name, {"doc_form": "text_model"})  # fmt: skip
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
    assert (await client.ok("GET", f"/datasets/{dataset}/documents"))["total"] == 0


async def test_forms_that_are_none_are_refused(client: Client) -> None:
    dataset = await client.dataset()
    path = f"/datasets/{dataset}/document/create-by-file"
    assert await client.refused("POST", path, {"name": "x"}) == (400, "no_file_uploaded")
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        headers = (f"authorization: Bearer {client.key}", f"content-type: {kind}")
        answer = await client.served.ask("POST", f"/v1{path}", b"--y\r\nnothing", headers)
        assert answer.status == 400, answer.body
    bad = await client.upload("POST", path, b"x", data={"process_rule": {"mode": "custom"}})
    assert (bad.status, bad.json()["code"]) == (400, "invalid_param")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "x", "text": " "},
        {"name": "x", "text": "y", "process_rule": {"mode": "odd"}},
        {"name": "x", "text": "y", "process_rule": {"mode": "custom", "rules": {"segmentation": {"max_tokens": 9}}}},
        {"name": "x", "text": "y", "doc_form": "odd"},
        {"name": "x", "text": "y", "indexing_technique": "economy", "original_document_id": None},
    ],
)
async def test_bad_texts_are_refused(client: Client, body: object) -> None:
    dataset = await client.dataset()
    await client.document(dataset, "there")
    path = f"/datasets/{dataset}/document/create-by-text"
    assert await client.refused("POST", path, body) == (400, "invalid_param")
    assert (await client.ok("GET", f"/datasets/{dataset}/documents"))["total"] == 1


async def test_the_first_document_says_how_all_are_indexed(client: Client) -> None:
    made = await client.ok("POST", "/datasets", {"name": "Open"})
    path = f"/datasets/{made['id']}/document/create-by-text"
    assert await client.refused("POST", path, {"name": "x", "text": "y"}) == (400, "invalid_param")
    await client.document(made["id"], "y\n\nz", indexing_technique="economy", doc_form="hierarchical_model", process_rule=PARENTS)  # fmt: skip
    shown = await client.ok("GET", f"/datasets/{made['id']}")
    assert (shown["indexing_technique"], shown["doc_form"]) == ("economy", "hierarchical_model")
    assert await client.refused("POST", path, {"name": "q", "text": "y", "doc_form": "qa_model"}) == (
        400,
        "invalid_param",
    )
    # What it does not say is as the last one said.
    other = await client.ok("POST", path, {"name": "q", "text": "other"})
    assert other["document"]["doc_form"] == "hierarchical_model"


@pytest.mark.parametrize("word", ["update-by-text", "update_by_text"])
async def test_a_document_is_changed_by_text(client: Client, word: str) -> None:
    dataset = await client.dataset()
    document = await client.document(dataset, "old one\nold two")
    path = f"/datasets/{dataset}/documents/{document}/{word}"
    changed = await client.ok("POST", path, {"name": "New", "text": "new one\nnew two\nnew three"})
    assert (changed["document"]["id"], changed["document"]["name"]) == (document, "New")
    await client.knowledge.ingester.idle()
    assert await _texts(client, dataset, document) == ["new one", "new two", "new three"]
    renamed = await client.ok("POST", path, {"name": "Newer"})
    assert (renamed["document"]["name"], renamed["document"]["indexing_status"]) == ("Newer", "completed")
    again = await client.ok("POST", path, {"process_rule": {"mode": "automatic"}})
    assert again["document"]["name"] == "Newer"
    await client.knowledge.ingester.idle()
    assert len(await _texts(client, dataset, document)) == 1


@pytest.mark.parametrize(("method", "tail"), [("POST", "/update-by-file"), ("POST", "/update_by_file"), ("PATCH", "")])
async def test_a_document_is_changed_by_file(client: Client, method: str, tail: str) -> None:
    dataset = await client.dataset()
    document = await client.document(dataset, "old")
    path = f"/datasets/{dataset}/documents/{document}{tail}"
    answer = await client.upload(method, path, b"new one\nnew two", "b.md", {"name": "B"})
    assert answer.status == 200, answer.body
    await client.knowledge.ingester.idle()
    assert await _texts(client, dataset, document) == ["new one", "new two"]
    named = await client.upload(method, path, None, data={"name": "C"})
    renamed: Any = named.json()["document"]
    assert renamed["name"] == "C"


async def test_lists_are_paged_searched_and_filtered_by_what_is_displayed(client: Client) -> None:
    dataset = await client.dataset()
    made = [await client.document(dataset, f"text {k}", f"file {k}.txt") for k in range(3)]
    for action, one in (("disable", made[0]), ("archive", made[1])):
        body = {"document_ids": [one]}
        assert await client.ok("PATCH", f"/datasets/{dataset}/documents/status/{action}", body) == {"result": "success"}
    path = f"/datasets/{dataset}/documents"
    for status, expected in (("disabled", made[0]), ("archived", made[1]), ("available", made[2])):
        found = await client.ok("GET", f"{path}?status={status}")
        assert [one["id"] for one in found["data"]] == [expected]
        assert found["data"][0]["display_status"] == status
    assert (await client.ok("GET", f"{path}?status=error"))["data"] == []
    assert [one["id"] for one in (await client.ok("GET", f"{path}?keyword=FILE%201"))["data"]] == [made[1]]
    assert (await client.ok("GET", f"{path}?limit=2"))["has_more"] is True
    assert await client.refused("GET", f"{path}?status=odd") == (400, "invalid_param")


async def test_what_is_disabled_or_archived_is_not_found_until_it_is_back(client: Client) -> None:
    dataset = await client.dataset()
    document = await client.document(dataset, "alpha")

    async def found() -> int:
        return len((await client.ok("POST", f"/datasets/{dataset}/retrieve", {"query": "alpha"}))["records"])

    for off, on in (("disable", "enable"), ("archive", "un_archive")):
        for action, expected in ((off, 0), (on, 1)):
            await client.ok("PATCH", f"/datasets/{dataset}/documents/status/{action}", {"document_ids": [document]})
            assert await found() == expected
    await client.ok("PATCH", f"/datasets/{dataset}/documents/status/archive", {"document_ids": [document]})
    update = f"/datasets/{dataset}/documents/{document}/update-by-text"
    assert await client.refused("POST", update, {"name": "x", "text": "y"}) == (403, "archived_document_immutable")
    status = f"/datasets/{dataset}/documents/status"
    assert await client.refused("PATCH", f"{status}/odd", {"document_ids": []}) == (400, "invalid_param")
    assert await client.refused("PATCH", f"{status}/enable", {"document_ids": ["x"]}) == (404, "not_found")


async def test_a_deleted_document_leaves_nothing(client: Client) -> None:
    dataset = await client.dataset()
    document = await client.document(dataset, "alpha")
    path = f"/datasets/{dataset}/documents/{document}"
    await client.ok("DELETE", path, status=204)
    assert await client.refused("GET", path) == (404, "not_found")
    assert await client.refused("DELETE", path) == (404, "not_found")
    assert (await client.ok("POST", f"/datasets/{dataset}/retrieve", {"query": "alpha"}))["records"] == []
    status = f"/datasets/{dataset}/documents/{document}/indexing-status"
    assert await client.refused("GET", status) == (404, "not_found")


async def test_files_are_opened_by_address_and_in_an_archive(client: Client) -> None:
    dataset = await client.dataset()
    one = await client.document(dataset, "one", "手册.txt")
    two = await client.document(dataset, "two", "手册.txt")
    url = str((await client.ok("GET", f"/datasets/{dataset}/documents/{one}/download"))["url"])
    path = "/" + url.split("/", 3)[3]
    file = await client.served.ask("GET", path)
    assert (file.status, file.body) == (200, b"one")
    assert file.headers["content-disposition"].startswith("attachment")
    for bad in (
        path.replace(one, two),
        path[:-1],
        path.split("?", maxsplit=1)[0],
        f"{path}%C3%A9",
    ):
        assert (await client.served.ask("GET", bad)).status == 401
    answer = await client.ask("POST", f"/datasets/{dataset}/documents/download-zip", {"document_ids": [one, two]})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert sorted(archive.read(name) for name in archive.namelist()) == [b"one", b"two"]
    assert await client.refused("POST", f"/datasets/{dataset}/documents/download-zip", {"document_ids": []}) == (400, "invalid_param")  # fmt: skip


async def test_a_document_that_cannot_be_read_says_why(client: Client) -> None:
    dataset = await client.dataset()
    answer = await client.upload("POST", f"/datasets/{dataset}/document/create-by-file", b"%PDF-1.7 broken", "x.pdf")
    document: Any = answer.json()["document"]
    await client.knowledge.ingester.idle()
    shown = await client.ok("GET", f"/datasets/{dataset}/documents/{document['id']}")
    assert (shown["indexing_status"], shown["display_status"]) == ("error", "error")
    assert "x.pdf" in shown["error"]


async def test_metadata_may_be_left_out_or_asked_for_alone(client: Client) -> None:
    dataset = await client.dataset()
    path = f"/datasets/{dataset}/documents/{await client.document(dataset, 'alpha')}"
    assert set(await client.ok("GET", f"{path}?metadata=only")) == {"id", "doc_type", "doc_metadata"}
    assert "doc_metadata" not in await client.ok("GET", f"{path}?metadata=without")
    assert await client.refused("GET", f"{path}?metadata=odd") == (400, "invalid_metadata")
