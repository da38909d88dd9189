"""Segments, children and retrieval over Dify's knowledge API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.dify.conftest import PARENTS, Client


class _Document:
    def __init__(self, client: Client, dataset: str, document: str) -> None:
        self.client = client
        self.dataset = dataset
        self.path = f"/datasets/{dataset}/documents/{document}"

    async def segments(self, query: str = "") -> Any:
        return (await self.client.ok("GET", f"{self.path}/segments{query}"))["data"]

    async def found(self, query: str, **more: object) -> list[str]:
        model = {"search_method": "full_text_search", "reranking_enable": False, "top_k": 10, "score_threshold_enabled": False}  # fmt: skip
        body = {"query": query, "retrieval_model": {**model, **more}}
        records = (await self.client.ok("POST", f"/datasets/{self.dataset}/retrieve", body))["records"]
        return [record["segment"]["content"] for record in records]


@pytest.fixture
async def plain(client: Client) -> _Document:
    dataset = await client.dataset()
    return _Document(client, dataset, await client.document(dataset, "alpha one\nbeta two\ngamma three"))


@pytest.fixture
async def parents(client: Client) -> _Document:
    dataset = await client.dataset()
    text = "alpha one\nbeta two\n\ngamma three"
    made = await client.document(dataset, text, doc_form="hierarchical_model", process_rule=PARENTS)
    return _Document(client, dataset, made)


async def test_segments_are_listed_and_shown(plain: _Document, client: Client) -> None:
    listed = await client.ok("GET", f"{plain.path}/segments?page=2&limit=2")
    assert [one["content"] for one in listed.pop("data")] == ["gamma three"]
    assert listed == {"doc_form": "text_model", "total": 3, "has_more": False, "limit": 2, "page": 2}
    assert [one["content"] for one in await plain.segments("?keyword=BETA")] == ["beta two"]
    assert await plain.segments("?keyword=%25") == []
    assert len(await plain.segments("?status=completed")) == 3
    assert await plain.segments("?status=error") == []
    first = (await plain.segments())[0]
    shown = await client.ok("GET", f"{plain.path}/segments/{first['id']}")
    assert shown == {"data": first, "doc_form": "text_model"}
    assert (first["position"], first["status"], first["enabled"], first["word_count"]) == (1, "completed", True, 9)
    assert await client.refused("GET", f"{plain.path}/segments/nowhere") == (404, "not_found")


async def test_segments_are_added_changed_and_deleted_and_so_found(plain: _Document, client: Client) -> None:
    body = {"segments": [{"content": "delta four", "answer": "", "keywords": ["payback"]}, {"content": "epsilon"}]}
    added = await client.ok("POST", f"{plain.path}/segments", body)
    assert [(one["content"], one["position"], one["status"]) for one in added["data"]] == [
        ("delta four", 4, "completed"),
        ("epsilon", 5, "completed"),
    ]
    assert await plain.found("delta") == ["delta four"]
    assert await plain.found("payback", search_method="keyword_search") == ["delta four"]
    path = f"{plain.path}/segments/{added['data'][0]['id']}"
    changed = await client.ok("POST", path, {"segment": {"content": "zeta six", "keywords": ["refund"]}})
    assert (changed["data"]["content"], changed["data"]["keywords"]) == ("zeta six", ["refund"])
    assert changed["data"]["id"] == added["data"][0]["id"]
    assert (await plain.found("delta"), await plain.found("zeta")) == ([], ["zeta six"])
    assert await plain.found("payback", search_method="keyword_search") == []
    assert await plain.found("refund", search_method="keyword_search") == ["zeta six"]
    await client.ok("POST", path, {"segment": {"enabled": False}})
    assert await plain.found("zeta") == []
    await client.ok("POST", path, {"segment": {"enabled": True}})
    assert await plain.found("zeta") == ["zeta six"]
    assert await plain.found("zeta six", search_method="semantic_search", top_k=1) == ["zeta six"]
    await client.ok("DELETE", path, status=204)
    assert await plain.found("zeta") == []
    assert await client.refused("GET", path) == (404, "not_found")
    shown = await client.ok("GET", plain.path)
    assert (shown["segment_count"], shown["word_count"]) == (4, 9 + 8 + 11 + 7)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"segments": []},
        {"segments": [{"content": ""}]},
        {"segments": [{"answer": "x"}]},
        {"segments": [{"content": "x", "attachment_ids": ["y"]}]},
        {"segments": [{"content": "x"}] * 101},
    ],
)
async def test_bad_segments_are_refused(plain: _Document, client: Client, body: object) -> None:
    assert await client.refused("POST", f"{plain.path}/segments", body) == (400, "invalid_param")
    assert len(await plain.segments()) == 3


async def test_segments_wait_for_their_document(client: Client) -> None:
    dataset = await client.dataset()
    made = await client.upload("POST", f"/datasets/{dataset}/document/create-by-file", b"%PDF-1.7 broken", "x.pdf")
    document: Any = made.json()["document"]
    await client.knowledge.ingester.idle()
    path = f"/datasets/{dataset}/documents/{document['id']}/segments"
    assert await client.refused("POST", path, {"segments": [{"content": "x"}]}) == (400, "bad_request")


async def test_questions_have_answers(client: Client) -> None:
    dataset = await client.dataset()
    data = {"doc_form": "qa_model"}
    made = await client.upload("POST", f"/datasets/{dataset}/document/create-by-file", b"question,answer\nWho?,Me.\n", "q.csv", data)  # fmt: skip
    body: Any = made.json()["document"]
    document = _Document(client, dataset, body["id"])
    await client.knowledge.ingester.idle()
    assert await client.refused("POST", f"{document.path}/segments", {"segments": [{"content": "Why?"}]}) == (400, "invalid_param")  # fmt: skip
    await client.ok("POST", f"{document.path}/segments", {"segments": [{"content": "Why not?", "answer": "So."}]})
    shown = (await document.segments())[-1]
    assert (shown["content"], shown["answer"]) == ("Why not?", "So.")
    changed = await client.ok("POST", f"{document.path}/segments/{shown['id']}", {"segment": {"answer": "Because."}})
    assert (changed["data"]["content"], changed["data"]["answer"], changed["doc_form"]) == ("Why not?", "Because.", "qa_model")  # fmt: skip


async def test_children_are_added_changed_and_deleted_and_find_their_parent(parents: _Document, client: Client) -> None:
    first = (await parents.segments())[0]
    assert [child["content"] for child in first["child_chunks"]] == ["alpha one", "beta two"]
    path = f"{parents.path}/segments/{first['id']}/child_chunks"
    made = (await client.ok("POST", path, {"content": "delta four"}))["data"]
    assert (made["position"], made["type"], made["segment_id"]) == (3, "customized", first["id"])
    assert await parents.found("delta") == [first["content"]]
    await client.ok("PATCH", f"{path}/{made['id']}", {"content": "zeta six"})
    assert (await parents.found("delta"), await parents.found("zeta")) == ([], [first["content"]])
    listed = await client.ok("GET", f"{path}?limit=2&page=2")
    assert [child["content"] for child in listed.pop("data")] == ["zeta six"]
    assert listed == {"total": 3, "total_pages": 2, "page": 2, "limit": 2}
    assert len((await client.ok("GET", f"{path}?keyword=BETA"))["data"]) == 1
    await client.ok("DELETE", f"{path}/{made['id']}", status=204)
    assert await parents.found("zeta") == []
    assert await client.refused("DELETE", f"{path}/{made['id']}") == (404, "not_found")
    assert await client.refused("POST", path, {"content": " "}) == (400, "invalid_param")


async def test_a_changed_parent_keeps_its_children_unless_they_are_cut_again(
    parents: _Document, client: Client
) -> None:
    first = (await parents.segments())[0]
    path = f"{parents.path}/segments/{first['id']}"
    kept = await client.ok("POST", path, {"segment": {"content": "eta\ntheta"}})
    assert [child["content"] for child in kept["data"]["child_chunks"]] == ["alpha one", "beta two"]
    cut = await client.ok("POST", path, {"segment": {"content": "eta\ntheta", "regenerate_child_chunks": True}})
    assert [child["content"] for child in cut["data"]["child_chunks"]] == ["eta", "theta"]
    assert (await parents.found("alpha"), await parents.found("theta")) == ([], ["eta\ntheta"])
    added = await client.ok("POST", f"{parents.path}/segments", {"segments": [{"content": "iota\nkappa"}]})
    assert [child["content"] for child in added["data"][0]["child_chunks"]] == ["iota", "kappa"]


async def test_only_parents_have_children(plain: _Document, client: Client) -> None:
    first = (await plain.segments())[0]
    path = f"{plain.path}/segments/{first['id']}/child_chunks"
    assert await client.refused("POST", path, {"content": "x"}) == (400, "invalid_param")
    assert (await client.ok("GET", path))["total"] == 0


@pytest.mark.parametrize("word", ["retrieve", "hit-testing"])
@pytest.mark.parametrize("method", ["keyword_search", "semantic_search", "full_text_search", "hybrid_search"])
async def test_every_way_of_search_finds_with_where_it_was(plain: _Document, client: Client, word: str, method: str) -> None:  # fmt: skip
    model = {"search_method": method, "reranking_enable": False, "top_k": 1, "score_threshold_enabled": False}
    body = {"query": "beta two", "retrieval_model": model, "unknown": 1}
    found = await client.ok("POST", f"/datasets/{plain.dataset}/{word}", body)
    assert found["query"] == {"content": "beta two"}
    (record,) = found["records"]
    assert record["segment"]["content"] == "beta two"
    assert record["segment"]["document"]["name"] == "a.txt"
    assert 0 < record["score"] <= 1
    assert record["segment"]["id"] == (await plain.segments())[1]["id"]


async def test_a_parent_is_given_with_the_children_that_were_met(parents: _Document, client: Client) -> None:
    found = await client.ok("POST", f"/datasets/{parents.dataset}/retrieve", {"query": "beta two"})
    record = found["records"][0]
    assert record["segment"]["content"] == "alpha one\nbeta two"
    assert record["child_chunks"][0]["content"] == "beta two"
    ids = {child["id"] for child in record["segment"]["child_chunks"]}
    assert {child["id"] for child in record["child_chunks"]} <= ids


async def test_what_is_found_counts_as_a_hit(plain: _Document, client: Client) -> None:
    assert await plain.found("beta") == ["beta two"]
    assert await plain.found("beta") == ["beta two"]
    assert [one["hit_count"] for one in await plain.segments()] == [0, 2, 0]
    assert (await client.ok("GET", plain.path))["hit_count"] == 2


async def test_thresholds_weights_and_their_bounds(plain: _Document, client: Client) -> None:
    assert await plain.found("beta", score_threshold_enabled=True, score_threshold=1.0) == []
    weights = {"vector_setting": {"vector_weight": 0, "embedding_provider_name": "", "embedding_model_name": ""}, "keyword_setting": {"keyword_weight": 1}}  # fmt: skip
    found = await plain.found("beta", search_method="hybrid_search", reranking_mode="weighted_score", weights=weights)
    assert found[0] == "beta two"
    path = f"/datasets/{plain.dataset}/retrieve"
    for body in (
        {},
        {"query": ""},
        {"query": "x" * 251},
        {"query": "x", "attachment_ids": ["y"]},
        {"query": "x", "retrieval_model": {"search_method": "odd"}},
        {"query": "x", "retrieval_model": {"search_method": "semantic_search", "reranking_enable": True}},
    ):
        assert await client.refused("POST", path, body) == (400, "invalid_param")


async def test_economy_is_searched_by_keywords(client: Client) -> None:
    made = await client.ok("POST", "/datasets", {"name": "Cheap", "indexing_technique": "economy"})
    document = _Document(client, made["id"], await client.document(made["id"], "alpha one\nbeta two"))
    assert await document.found("beta", search_method="semantic_search") == ["beta two"]
    assert (await client.ok("GET", f"/datasets/{made['id']}"))["retrieval_model_dict"]["search_method"] == "keyword_search"  # fmt: skip


async def test_an_empty_dataset_is_searched_without_finding(client: Client) -> None:
    dataset = await client.dataset()
    assert (await client.ok("POST", f"/datasets/{dataset}/retrieve", {"query": "x"}))["records"] == []
