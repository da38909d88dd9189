"""The published clients of Dify's knowledge API work against Seekway unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import ClientRun
from tests.contract.judgements import assert_refused

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
SDK = "difydataset"
OAPI = "difyoapi"


@pytest.mark.parametrize("client", [SDK, OAPI])
def test_datasets_are_made_listed_changed_and_deleted(knowledge_run: ClientRun, client: str) -> None:
    seen = knowledge_run(client)["datasets"]
    made, listed = seen["made"], seen["listed"]
    assert made["name"].startswith(("SDK", "oapi"))
    assert made["id"] in (listed if isinstance(listed, list) else [one["id"] for one in listed["data"]])
    assert seen["shown"]["name"] == seen["changed"]["name"]
    assert seen["changed"]["name"].endswith("changed")
    assert seen["deleted"].get("status") in ("success", 204)


def test_the_sdk_adds_changes_and_deletes_documents(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(SDK)["documents"]
    status = seen["status"]
    assert (status["indexing_status"], status["completed_segments"], status["total_segments"]) == ("completed", 2, 2)
    assert seen["by_file"]["name"] == "合同.txt"
    assert seen["updated_file"]["name"] == "Other.md"
    assert seen["updated_file"]["id"] == seen["by_file"]["id"]
    assert (seen["after"]["total_segments"], seen["shown"]["name"]) == (3, "B")
    assert seen["listed"] == [seen["id"]]
    assert seen["switched"] == [{"result": "success"}] * 4
    assert seen["upload"]["url"].startswith("http://")
    assert seen["deleted"] == {"status": "success"}


def test_oapi_adds_changes_and_deletes_documents(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(OAPI)["documents"]
    assert (seen["by_file"]["document"]["name"], seen["updated_file"]["document"]["name"]) == ("b.txt", "c.txt")
    assert (seen["status"]["indexing_status"], seen["shown"]["name"]) == ("completed", "B")
    assert len(seen["listed"]["data"]) == 2
    assert (seen["file"]["status"], seen["switched"]["result"], seen["deleted"]["status"]) == (200, "success", 204)


def test_the_sdk_adds_finds_and_deletes_segments(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(SDK)["segments"]
    assert (seen["made"]["content"], seen["made"]["keywords"]) == ("gamma three", ["pay"])
    assert (seen["listed"], seen["shown"], seen["changed"]) == (["gamma three"], "gamma three", "delta four")
    assert seen["found"]["records"][0]["segment"]["content"] == "delta four"
    assert seen["deleted"] == {"status": "success"}


def test_oapi_adds_finds_and_deletes_segments(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(OAPI)["segments"]
    contents: list[Any] = [seen[name]["data"]["content"] for name in ("shown", "changed")]
    assert contents == ["gamma three", "delta four"]
    assert seen["found"]["records"][0]["segment"]["content"] == "delta four"
    assert (len(seen["listed"]["data"]), seen["deleted"]["status"]) == (3, 204)


def test_the_sdk_changes_children(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(SDK)["children"]
    assert (seen["made"], seen["changed"]) == ("delta four", "eta five")
    assert seen["listed"] == ["alpha one", "beta two", "eta five"]
    assert "eta five" in [child["content"] for child in seen["found"]["child_chunks"]]
    assert seen["deleted"] == {"status": "success"}


def test_oapi_changes_children(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(OAPI)["children"]
    assert [seen[name]["status"] for name in ("listed", "changed", "deleted")] == [200, 200, 204]
    # What it sends for a new child is not what Dify takes.
    assert (seen["made"]["status"], seen["made"]["body"]["code"]) == (400, "invalid_param")
    assert seen["changed"]["body"]["data"]["content"] == "eta"


def test_the_sdk_binds_tags(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(SDK)["tags"]
    assert (seen["bound"], seen["changed"], seen["tagged"], seen["left"]) == (["sdk red"], "sdk blue", True, [])
    assert [tag["binding_count"] for tag in seen["listed"]] == [1]


def test_oapi_binds_tags(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(OAPI)["tags"]
    assert seen["changed"]["name"] == "oapi blue"
    assert [tag["name"] for tag in seen["of_dataset"]["data"]] == ["oapi blue"]
    assert "oapi blue" in [tag["name"] for tag in seen["listed"]["data"]]
    assert [seen[name]["status"] for name in ("bound", "unbound", "deleted")] == [204, 204, 204]


def test_the_sdk_filters_by_metadata(knowledge_run: ClientRun) -> None:
    seen = knowledge_run(SDK)["metadata"]
    assert (seen["made"]["type"], seen["changed"], seen["found"]) == ("string", "writer", 1)
    assert seen["listed"]["built_in_field_enabled"] is True
    assert [field["use_count"] for field in seen["listed"]["doc_metadata"]] == [1]


@pytest.mark.parametrize("client", [SDK, OAPI])
def test_embedding_models_are_listed(knowledge_run: ClientRun, client: str) -> None:
    seen = knowledge_run(client)["models"]
    providers = seen["models"] if client == SDK else seen["data"]
    assert "hashed" in [model["model"] for model in providers[0]["models"]]


@pytest.mark.parametrize(("what", "status"), [("unknown_dataset", 404), ("taken_name", 409), ("bad_key", 401)])
def test_the_sdk_knows_our_refusals(knowledge_run: ClientRun, what: str, status: int) -> None:
    seen = knowledge_run(SDK)[what]
    assert_refused(seen, {status})
    assert seen["raised"][0] != "DifyAPIError"
