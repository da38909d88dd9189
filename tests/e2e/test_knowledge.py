"""Two gateways follow a folder together, one dies, and the command line sees it all."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from seekway.app.cli import main
from tests.conftest import CACHE
from tests.e2e.served import Served, gone

pytestmark = pytest.mark.timeout(300)

TOML = """
[model_service]
enabled = false

[gateway]
workers = 2

[storage]
directory = "state"

[knowledge]
embedding_model = ""

[[knowledge.sources]]
name = "handbook"
path = "docs"
"""


def kb(folder: Path, *arguments: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(main, ["--config", str(folder / "seekway.toml"), "kb", *arguments, "--json"])
    return msgspec.json.decode(result.stdout) if result.exit_code == 0 else []


def asked(served: Served, path: str, body: object = None) -> dict[str, Any]:
    """By a client of Dify's, on a gateway without keys."""
    data = None if body is None else msgspec.json.encode(body)
    request = urllib.request.Request(f"http://{served.address}{path}", data, {"authorization": "Bearer dataset-any"})
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return msgspec.json.decode(answer.read())


def until(folder: Path, names: set[str]) -> None:
    """The gateways' work shows in the database alone."""
    last = time.monotonic() + 60
    found: set[tuple[object, object]] = set()
    while time.monotonic() < last:
        found = {(one["name"], one["status"]) for one in kb(folder, "documents")}
        if found == {(name, "completed") for name in names}:
            return
    raise AssertionError(f"{found} is not {names}")


def test_gateways_follow_a_folder_and_one_that_dies_is_not_missed(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("The warranty is two years.", "utf-8")
    with Served(tmp_path, CACHE, TOML) as served:
        until(tmp_path, {"a.md"})
        next(child for child in served.children() if "--worker" in child.cmdline()).kill()
        (docs / "b.md").write_text("Parcels come within three days.", "utf-8")
        until(tmp_path, {"a.md", "b.md"})
        (found, *_) = kb(tmp_path, "search", "When do parcels come?", "--method", "full_text")
        assert found["document_name"] == "b.md"
        (dataset,) = asked(served, "/v1/datasets")["data"]
        assert (dataset["name"], dataset["document_count"]) == ("handbook", 2)
        body = {"query": "parcels", "retrieval_model": {"search_method": "full_text_search"}}
        records = asked(served, f"/v1/datasets/{dataset['id']}/retrieve", body)["records"]
        assert [one["segment"]["document"]["name"] for one in records] == ["b.md"]
        (docs / "a.md").unlink()
        until(tmp_path, {"b.md"})
        assert served.get("/health/live")[0] == 200
        children = served.children()
    assert gone(children)
    assert not [line for line in served.lines if "Traceback" in line]
