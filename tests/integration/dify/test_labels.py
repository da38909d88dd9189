"""Tags, metadata, models and pipelines over Dify's knowledge API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.dify.conftest import Client


async def test_tags_are_made_renamed_bound_and_deleted(client: Client) -> None:
    dataset = await client.dataset()
    tag = await client.ok("POST", "/datasets/tags", {"name": "red"})
    assert tag == {"id": tag["id"], "name": "red", "type": "knowledge", "binding_count": "0"}
    assert (await client.ok("PATCH", "/datasets/tags", {"tag_id": tag["id"], "name": "blue"}))["name"] == "blue"
    await client.ok("POST", "/datasets/tags/binding", {"tag_ids": [tag["id"]], "target_id": dataset}, 204)
    assert await client.ok("GET", "/datasets/tags") == [{**tag, "name": "blue", "binding_count": "1"}]
    bound = {"data": [{"id": tag["id"], "name": "blue"}], "total": 1}
    assert await client.ok("GET", f"/datasets/{dataset}/tags") == bound
    assert await client.ok("POST", f"/datasets/{dataset}/tags", {}) == bound
    await client.ok("POST", "/datasets/tags/unbinding", {"tag_id": tag["id"], "target_id": dataset}, 204)
    assert (await client.ok("GET", f"/datasets/{dataset}/tags"))["total"] == 0
    await client.ok("DELETE", "/datasets/tags", {"tag_id": tag["id"]}, 204)
    assert await client.ok("GET", "/datasets/tags") == []


async def test_bad_tags_are_refused(client: Client) -> None:
    await client.ok("POST", "/datasets/tags", {"name": "red"})
    dataset = await client.dataset()
    for method, path, body, status in (
        ("POST", "/datasets/tags", {"name": "red"}, 400),
        ("POST", "/datasets/tags", {"name": "x" * 51}, 400),
        ("POST", "/datasets/tags", {}, 400),
        ("PATCH", "/datasets/tags", {"tag_id": "nowhere", "name": "x"}, 404),
        ("DELETE", "/datasets/tags", {"tag_id": "nowhere"}, 404),
        ("POST", "/datasets/tags/binding", {"target_id": dataset}, 400),
        ("POST", "/datasets/tags/binding", {"tag_ids": ["nowhere"], "target_id": dataset}, 404),
    ):
        assert (await client.refused(method, path, body))[0] == status


async def _field(client: Client, dataset: str, name: str, kind: str) -> str:
    return str((await client.ok("POST", f"/datasets/{dataset}/metadata", {"type": kind, "name": name}, 201))["id"])


async def test_fields_are_made_renamed_counted_and_deleted(client: Client) -> None:
    dataset = await client.dataset()
    document = await client.document(dataset, "alpha")
    made = await _field(client, dataset, "year", "number")
    path = f"/datasets/{dataset}/metadata"
    value = {"document_id": document, "metadata_list": [{"id": made, "name": "year", "value": "2026"}]}
    assert await client.ok("POST", f"/datasets/{dataset}/documents/metadata", {"operation_data": [value]}) == {"result": "success"}  # fmt: skip
    listed = await client.ok("GET", path)
    assert listed["built_in_field_enabled"] is False
    assert listed["doc_metadata"] == [{"id": made, "name": "year", "type": "number", "count": 1, "use_count": 1}]
    assert (await client.ok("PATCH", f"{path}/{made}", {"name": "Jahr"}))["name"] == "Jahr"
    shown = await client.ok("GET", f"/datasets/{dataset}/documents/{document}")
    assert shown["doc_metadata"] == [{"id": made, "name": "Jahr", "type": "number", "value": 2026}]
    await client.ok("DELETE", f"{path}/{made}", status=204)
    assert (await client.ok("GET", f"/datasets/{dataset}/documents/{document}"))["doc_metadata"] is None
    for method, tail, body, status in (
        ("POST", "", {"type": "odd", "name": "x"}, 400),
        ("POST", "", {"type": "string", "name": "source"}, 400),
        ("PATCH", "/nowhere", {"name": "x"}, 404),
        ("DELETE", "/nowhere", None, 404),
    ):
        assert (await client.refused(method, f"{path}{tail}", body))[0] == status


async def test_values_are_given_in_part_or_whole(client: Client) -> None:
    dataset = await client.dataset()
    document = await client.document(dataset, "alpha")
    year, who = await _field(client, dataset, "year", "number"), await _field(client, dataset, "who", "string")

    async def give(values: list[object], **more: object) -> dict[str, object]:
        one = {"document_id": document, "metadata_list": values, **more}
        await client.ok("POST", f"/datasets/{dataset}/documents/metadata", {"operation_data": [one]})
        shown: Any = await client.ok("GET", f"/datasets/{dataset}/documents/{document}?metadata=only")
        return {value["name"]: value["value"] for value in shown["doc_metadata"] or ()}

    assert await give([{"id": year, "value": 1}, {"id": who, "name": "who", "value": "me"}]) == {"year": 1, "who": "me"}
    assert await give([{"id": year, "value": 2}], partial_update=True) == {"year": 2, "who": "me"}
    assert await give([{"name": "who", "value": "you"}]) == {"who": "you"}
    assert await give([{"id": who, "value": None}]) == {}
    path = f"/datasets/{dataset}/documents/metadata"
    bad = {"document_id": document, "metadata_list": [{"id": year, "value": "x"}]}
    assert await client.refused("POST", path, {"operation_data": [bad]}) == (400, "invalid_param")
    unknown = {"document_id": document, "metadata_list": [{"id": "nowhere", "value": "x"}]}
    assert await client.refused("POST", path, {"operation_data": [unknown]}) == (404, "not_found")


_OPERATORS: list[tuple[str, str, object, str]] = [
    ("name", "contains", "lph", "alpha"),
    ("name", "not contains", "lph", "beta"),
    ("name", "start with", "al", "alpha"),
    ("name", "end with", "ta", "beta"),
    ("name", "is", "Alpha", "alpha"),
    ("name", "is not", "alpha", "beta"),
    ("only", "empty", None, "beta"),
    ("only", "not empty", None, "alpha"),
    ("name", "in", ["alpha", "gamma"], "alpha"),
    ("name", "not in", "alpha,gamma", "beta"),
    ("year", "=", 2020, "alpha"),
    ("year", "≠", 2020, "beta"),
    ("year", "!=", 2020, "beta"),
    ("year", ">", 2020, "beta"),
    ("year", "<", "2021", "alpha"),
    ("year", "≥", 2021, "beta"),
    ("year", ">=", 2021, "beta"),
    ("year", "≤", 2020, "alpha"),
    ("when", "before", 1_700_000_000, "alpha"),
    ("when", "after", "2023-01-01T00:00:00Z", "beta"),
]


async def test_every_operator_filters_what_is_found(client: Client) -> None:
    dataset = await client.dataset()
    fields = {name: await _field(client, dataset, name, kind) for name, kind in (("name", "string"), ("only", "string"), ("year", "number"), ("when", "time"))}  # fmt: skip
    given: tuple[dict[str, object], ...] = (
        {"name": "alpha", "only": "x", "year": 2020, "when": 1_600_000_000},
        {"name": "beta", "year": 2021, "when": 1_800_000_000},
    )
    for values in given:
        document = await client.document(dataset, f"word of {values['name']}", str(values["name"]))
        metadata = [{"id": fields[name], "name": name, "value": value} for name, value in values.items()]
        body = {"operation_data": [{"document_id": document, "metadata_list": metadata}]}
        await client.ok("POST", f"/datasets/{dataset}/documents/metadata", body)

    async def found(*conditions: tuple[str, str, object], logic: str = "and") -> list[str]:
        listed = [
            {"name": name, "comparison_operator": operator, "value": value} for name, operator, value in conditions
        ]
        model = {"search_method": "full_text_search", "metadata_filtering_conditions": {"logical_operator": logic, "conditions": listed}}  # fmt: skip
        answer = await client.ok("POST", f"/datasets/{dataset}/retrieve", {"query": "word", "retrieval_model": model})
        return sorted(record["segment"]["document"]["name"] for record in answer["records"])

    for name, operator, value, expected in _OPERATORS:
        assert await found((name, operator, value)) == [expected], operator
    both: tuple[tuple[str, str, object], ...] = (("name", "is", "alpha"), ("year", "=", 2021))
    assert (await found(*both), await found(*both, logic="or")) == ([], ["alpha", "beta"])
    bad = {"search_method": "full_text_search", "metadata_filtering_conditions": {"conditions": [{"name": "x", "comparison_operator": "odd", "value": 1}]}}  # fmt: skip
    assert await client.refused("POST", f"/datasets/{dataset}/retrieve", {"query": "w", "retrieval_model": bad}) == (400, "invalid_param")  # fmt: skip


async def test_built_in_fields_are_had_and_filtered_by_while_they_are_switched_on(client: Client) -> None:
    dataset = await client.dataset()
    first = await client.document(dataset, "word one", "one.txt")
    fields = await client.ok("GET", f"/datasets/{dataset}/metadata/built-in")
    assert {"name": "document_name", "type": "string"} in fields["fields"]
    path = f"/datasets/{dataset}/metadata/built-in"
    assert await client.ok("POST", f"{path}/enable") == {"result": "success"}
    second = await client.document(dataset, "word two", "two.txt")
    conditions = [{"name": "document_name", "comparison_operator": "is", "value": "two.txt"}]
    body = {"query": "word", "retrieval_model": {"search_method": "full_text_search", "metadata_filtering_conditions": {"conditions": conditions}}}  # fmt: skip
    found = await client.ok("POST", f"/datasets/{dataset}/retrieve", body)
    assert [record["segment"]["document_id"] for record in found["records"]] == [second]
    shown = await client.ok("GET", f"/datasets/{dataset}/documents/{first}")
    assert {"document_name", "uploader", "upload_date", "last_update_date", "source"} == {one["name"] for one in shown["doc_metadata"]}  # fmt: skip
    await client.ok("POST", f"/datasets/{dataset}/documents/{second}/update-by-text", {"name": "three.txt"})
    assert (await client.ok("POST", f"/datasets/{dataset}/retrieve", body))["records"] == []
    await client.ok("POST", f"{path}/disable")
    assert (await client.ok("GET", f"/datasets/{dataset}/documents/{first}"))["doc_metadata"] is None
    assert await client.refused("POST", f"{path}/odd") == (400, "invalid_param")


async def test_models_are_listed_by_kind(client: Client) -> None:
    found = await client.ok("GET", "/workspaces/current/models/model-types/text-embedding")
    (provider,) = found["data"]
    assert (provider["provider"], provider["status"]) == ("seekway", "active")
    assert [model["model"] for model in provider["models"]] == ["hashed", "fake"]
    assert {model["model_type"] for model in provider["models"]} == {"text-embedding"}
    assert await client.ok("GET", "/workspaces/current/models/model-types/tts") == {"data": []}
    assert await client.refused("GET", "/workspaces/current/models/model-types/odd") == (400, "invalid_param")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/datasets/pipeline/file-upload"),
        ("GET", "/datasets/x/pipeline/datasource-plugins"),
        ("POST", "/datasets/x/pipeline/datasource/nodes/n/run"),
        ("POST", "/datasets/x/pipeline/run"),
    ],
)
async def test_pipelines_are_refused_with_what_to_do(client: Client, method: str, path: str) -> None:
    assert await client.refused(method, path) == (400, "bad_request")
