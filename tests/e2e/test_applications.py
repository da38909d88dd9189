"""An application of the settings, over Dify's API and as a model, by several gateways and over a restart."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conftest import CACHE
from tests.e2e.served import Served, gone

pytestmark = pytest.mark.timeout(300)

TOML = """
[gateway]
workers = 2

[storage]
directory = "state"

[knowledge]
embedding_model = ""

[[knowledge.sources]]
name = "handbook"
path = "docs"

[[applications.files]]
file = "app.yml"
slug = "helper"
"""
APP = """
app: {name: Helper, mode: chat}
model_config:
  model: {provider: deepseek, name: "", mode: chat, completion_params: {max_tokens: 8, temperature: 0}}
  prompt_type: simple
  pre_prompt: "Answer from the handbook."
  opening_statement: OPENING
  retriever_resource: {enabled: true}
  dataset_configs: {retrieval_model: multiple, top_k: 2, datasets: {datasets: [{dataset: {enabled: true, id: handbook}}]}}
"""


def ask(served: Served, path: str, body: object = None) -> bytes:
    """As a client of Dify's, on a gateway without keys."""
    data = None if body is None else msgspec.json.encode(body)
    headers = {"authorization": "Bearer app-helper", "content-type": "application/json"}
    request = urllib.request.Request(f"http://{served.address}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the test's own server
        return answer.read()


def events(answer: bytes) -> list[dict[str, Any]]:
    return [msgspec.json.decode(part[6:]) for part in answer.split(b"\n\n") if part.startswith(b"data: ")]


def question(**fields: object) -> dict[str, object]:
    return {"inputs": {}, "user": "ann", "response_mode": "streaming", **fields}


def opening(served: Served) -> str:
    return msgspec.json.decode(ask(served, "/v1/parameters"))["opening_statement"]


def told(served: Served) -> list[dict[str, Any]]:
    """The answer's events, once the handbook can be asked."""
    last = time.monotonic() + 60
    while True:
        answer = events(ask(served, "/v1/chat-messages", question(query="How long is the warranty?")))
        assert answer[-1]["event"] == "message_end", answer[-1].get("message")
        if answer[-1]["metadata"].get("retriever_resources") or time.monotonic() > last:
            return answer


def write(folder: Path, said: str) -> None:
    (folder / "app.yml").write_text(APP.replace("OPENING", said), "utf-8")


def test_an_application_answers_from_its_handbook_and_outlives_its_gateways(demo_model: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The warranty is two years.", "utf-8")
    write(tmp_path, "Welcome.")
    with Served(tmp_path, CACHE, TOML) as served:
        answer = told(served)
        (passage,) = answer[-1]["metadata"]["retriever_resources"]
        assert (passage["document_name"], passage["content"]) == ("a.md", "The warranty is two years.")
        conversation = answer[0]["conversation_id"]
        again = question(query="And then?", conversation_id=conversation)
        assert events(ask(served, "/v1/chat-messages", again))[0]["conversation_id"] == conversation
        model = {"model": "app:helper", "messages": [{"role": "user", "content": "How long is the warranty?"}]}
        completion = msgspec.json.decode(ask_model(served, model))
        assert (completion["model"], bool(completion["choices"][0]["message"]["content"])) == ("app:helper", True)
        assert opening(served) == "Welcome."
        write(tmp_path, "Good day.")
        last = time.monotonic() + 60
        # Each of the gateways sees it in its own time.
        while (said := {opening(served) for _ in range(8)}) != {"Good day."} and time.monotonic() < last:
            pass
        assert said == {"Good day."}
        children = served.children()
    assert gone(children)
    assert not [line for line in served.lines if "Traceback" in line or "fork_posix" in line]
    with Served(tmp_path, CACHE, TOML) as served:
        kept = msgspec.json.decode(ask(served, f"/v1/messages?user=ann&conversation_id={conversation}"))
        assert [one["query"] for one in kept["data"]] == ["How long is the warranty?", "And then?"]


def ask_model(served: Served, body: object) -> bytes:
    data = msgspec.json.encode(body)
    request = urllib.request.Request(
        f"http://{served.address}/v1/chat/completions", data, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the test's own server
        return answer.read()
