"""Datasets over Dify's knowledge API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.dify.conftest import APP_KEY, KEYS, Client
from tests.integration.gateway.served import serving


async def test_a_dataset_is_made_listed_shown_changed_and_deleted(client: Client) -> None:
    made = await client.ok("POST", "/datasets", {"name": "Handbook", "indexing_technique": "high_quality", "x": 1})
    assert (made["name"], made["embedding_model"], made["permission"]) == ("Handbook", "hashed", "only_me")
    assert made["embedding_available"] is True
    listed = await client.ok("GET", "/datasets?page=1&limit=20")
    assert [one["id"] for one in listed.pop("data")] == [made["id"]]
    assert listed == {"has_more": False, "limit": 20, "total": 1, "page": 1}
    path = f"/datasets/{made['id']}"
    assert await client.ok("GET", path) == made
    retrieval = {"search_method": "full_text_search", "reranking_enable": False, "top_k": 5, "score_threshold_enabled": False}  # fmt: skip
    change = {
        "name": "手册",
        "description": "All of it",
        "permission": "all_team_members",
        "retrieval_model": retrieval,
    }
    changed = await client.ok("PATCH", path, change)
    assert (changed["name"], changed["description"], changed["permission"]) == ("手册", "All of it", "all_team_members")
    assert changed["retrieval_model_dict"]["search_method"] == "full_text_search"
    assert await client.ok("GET", path) == changed
    await client.ok("DELETE", path, status=204)
    assert await client.refused("GET", path) == (404, "not_found")


async def test_a_name_is_taken_once(client: Client) -> None:
    await client.dataset("One")
    other = await client.dataset("Two")
    assert await client.refused("POST", "/datasets", {"name": "One"}) == (409, "dataset_name_duplicate")
    assert await client.refused("PATCH", f"/datasets/{other}", {"name": "One"}) == (409, "dataset_name_duplicate")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x", "permission": "everybody"},
        {"name": "x", "provider": "external"},
        {"name": "x", "summary_index_setting": {"enable": True}},
        b"[]",
        b"{",
        b"",
    ],
)
async def test_bad_datasets_are_refused(client: Client, body: object) -> None:
    status, code = await client.refused("POST", "/datasets", body)
    assert (status, code) in ((400, "invalid_param"), (400, "bad_request"))
    assert (await client.ok("GET", "/datasets"))["total"] == 0


async def test_lists_are_paged_and_searched_by_word_and_tag(client: Client) -> None:
    made = [await client.dataset(f"Set {k}") for k in range(5)]
    tag = await client.ok("POST", "/datasets/tags", {"name": "red"})
    await client.ok("POST", "/datasets/tags/binding", {"tag_ids": [tag["id"]], "target_id": made[2]}, 204)
    first = await client.ok("GET", "/datasets?page=1&limit=2")
    assert ([one["id"] for one in first["data"]], first["has_more"], first["total"]) == (made[:-3:-1], True, 5)
    last = await client.ok("GET", "/datasets?page=3&limit=2")
    assert ([one["id"] for one in last["data"]], last["has_more"]) == ([made[0]], False)
    assert [one["id"] for one in (await client.ok("GET", "/datasets?keyword=SET%203"))["data"]] == [made[3]]
    tagged = (await client.ok("GET", f"/datasets?tag_ids={tag['id']}"))["data"]
    assert [one["id"] for one in tagged] == [made[2]]
    assert [one["name"] for one in tagged[0]["tags"]] == ["red"]
    assert await client.refused("GET", "/datasets?page=0") == (400, "invalid_param")
    assert await client.refused("GET", "/datasets?limit=x") == (400, "invalid_param")


async def test_how_it_is_indexed_may_change_while_it_is_empty(client: Client) -> None:
    made = await client.ok("POST", "/datasets", {"name": "Open"})
    path = f"/datasets/{made['id']}"
    assert (made["indexing_technique"], made["embedding_model"]) == (None, None)
    economy = await client.ok("PATCH", path, {"indexing_technique": "economy"})
    assert economy["indexing_technique"] == "economy"
    better = await client.ok("PATCH", path, {"indexing_technique": "high_quality", "embedding_model": "other"})
    assert (better["indexing_technique"], better["embedding_model"]) == ("high_quality", "other")
    assert better["embedding_available"] is False
    await client.document(made["id"], "one")
    assert await client.refused("PATCH", path, {"indexing_technique": "economy"}) == (400, "bad_request")
    same = await client.ok("PATCH", path, {"indexing_technique": "high_quality", "name": "New"})
    assert same["name"] == "New"


async def test_tenants_see_nothing_of_each_other(client: Client) -> None:
    other = client.of(KEYS["b"])
    dataset = await client.dataset()
    document = await client.document(dataset, "alpha\nbeta")
    segments = await client.ok("GET", f"/datasets/{dataset}/documents/{document}/segments")
    segment = segments["data"][0]["id"]
    tag = (await client.ok("POST", "/datasets/tags", {"name": "red"}))["id"]
    assert (await other.ok("GET", "/datasets"))["total"] == 0
    assert await other.ok("GET", "/datasets/tags") == []
    of_document = f"/datasets/{dataset}/documents/{document}"
    for method, path, body in (
        ("GET", f"/datasets/{dataset}", None),
        ("PATCH", f"/datasets/{dataset}", {"name": "x"}),
        ("DELETE", f"/datasets/{dataset}", None),
        ("POST", f"/datasets/{dataset}/retrieve", {"query": "alpha"}),
        ("GET", f"/datasets/{dataset}/documents", None),
        ("POST", f"/datasets/{dataset}/document/create-by-text", {"name": "x", "text": "y"}),
        ("GET", of_document, None),
        ("DELETE", of_document, None),
        ("GET", f"{of_document}/download", None),
        ("GET", f"{of_document}/segments", None),
        ("POST", f"{of_document}/segments", {"segments": [{"content": "x"}]}),
        ("POST", f"{of_document}/segments/{segment}", {"segment": {"content": "x"}}),
        ("DELETE", f"{of_document}/segments/{segment}", None),
        ("GET", f"/datasets/{dataset}/metadata", None),
        ("POST", f"/datasets/{dataset}/metadata", {"type": "string", "name": "x"}),
        ("GET", f"/datasets/{dataset}/tags", None),
        ("PATCH", "/datasets/tags", {"tag_id": tag, "name": "x"}),
        ("DELETE", "/datasets/tags", {"tag_id": tag}),
        ("POST", "/datasets/tags/binding", {"tag_ids": [tag], "target_id": dataset}),
    ):
        assert await other.refused(method, path, body) == (404, "not_found"), (method, path)
    assert (await client.ok("GET", f"{of_document}/segments"))["total"] == 2
    # The same name is free for another tenant.
    await other.dataset()


@pytest.mark.parametrize("key", ["wrong", "dataset-wrong", APP_KEY])
async def test_only_knowledge_keys_open(client: Client, key: str) -> None:
    answer = await client.of(key).ask("GET", "/datasets")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'bearer realm="api"')
    assert json.loads(answer.body)["code"] == "unauthorized"


async def test_a_missing_or_foreign_scheme_is_told_in_difys_words(client: Client) -> None:
    bare = await client.served.ask("GET", "/v1/datasets")
    assert json.loads(bare.body)["message"] == "Authorization header must be provided and start with 'Bearer'"
    basic = await client.served.ask("GET", "/v1/datasets", b"", ("authorization: Basic x",))
    assert json.loads(basic.body)["message"] == "Authorization scheme must be 'Bearer'"


async def test_unknown_paths_and_verbs_answer_in_difys_form(client: Client) -> None:
    assert await client.refused("GET", "/datasets/x/nowhere/at/all") == (404, "not_found")
    assert (await client.refused("PUT", "/datasets"))[0] == 405


async def test_without_keys_any_dataset_key_opens_and_an_app_key_does_not(tmp_path: Path, client: Client) -> None:
    async with serving() as served:
        served.front.knowledge = client.knowledge
        assert (await Client(served, client.knowledge, "dataset-any").ask("GET", "/datasets")).status == 200
        assert (await Client(served, client.knowledge, "app-any").ask("GET", "/datasets")).status == 401


async def test_without_a_knowledge_base_it_is_forbidden_with_what_to_do(client: Client) -> None:
    client.served.front.knowledge = None
    answer = await client.ask("GET", "/datasets")
    assert answer.status == 403
    assert json.loads(answer.body)["code"] == "forbidden"
    assert "knowledge.enabled" in json.loads(answer.body)["message"]
