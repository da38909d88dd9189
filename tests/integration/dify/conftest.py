"""A gateway with a knowledge base, and a client of Dify's knowledge API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from seekway.knowledge.knowledge_base import KnowledgeBase
from seekway.security.keys import KeyRecord, KeyTable, digest_of
from tests.fakes.backend import FakeBackend, model_info
from tests.fakes.knowledge_base import MODEL, knowledge_base
from tests.integration.gateway.served import Answer, Served, serving

BOUNDARY = "a-boundary-of-tests"
KEYS = {"a": "dataset-of-a", "b": "dataset-of-b"}
APP_KEY = "app-of-a"


class Client:
    """Asks with the key of a tenant."""

    def __init__(self, served: Served, knowledge: KnowledgeBase, key: str) -> None:
        self.served = served
        self.knowledge = knowledge
        self.key = key

    def of(self, key: str) -> Client:
        return Client(self.served, self.knowledge, key)

    async def ask(self, method: str, path: str, body: object = None, headers: tuple[str, ...] = ()) -> Answer:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = (f"authorization: Bearer {self.key}", "content-type: application/json", *headers)
        return await self.served.ask(method, f"/v1{path}", data, given)

    async def ok(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status == status, answer.body
        return json.loads(answer.body) if answer.body else None

    async def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Status and code; the envelope is Dify's."""
        answer = await self.ask(method, path, body)
        envelope = json.loads(answer.body)
        assert set(envelope) == {"code", "message", "status"}, envelope
        assert envelope["message"]
        assert envelope["status"] == answer.status
        return answer.status, envelope["code"]

    async def upload(
        self, method: str, path: str, file: bytes | None, name: str = "a.txt", data: Mapping[str, object] | None = None
    ) -> Answer:
        parts = b""
        if data is not None:
            parts += _part('name="data"', json.dumps(data).encode())
        if file is not None:
            parts += _part(f'name="file"; filename="{name}"', file, "application/octet-stream")
        body = parts + f"--{BOUNDARY}--\r\n".encode()
        headers = (f"authorization: Bearer {self.key}", f"content-type: multipart/form-data; boundary={BOUNDARY}")
        return await self.served.ask(method, f"/v1{path}", body, headers)

    async def dataset(self, name: str = "Handbook", **fields: object) -> str:
        made = await self.ok("POST", "/datasets", {"name": name, "indexing_technique": "high_quality", **fields})
        return str(made["id"])

    async def document(self, dataset: str, text: str, name: str = "a.txt", **fields: object) -> str:
        """Indexed when this returns."""
        body = {"name": name, "text": text, "process_rule": LINES, **fields}
        made = await self.ok("POST", f"/datasets/{dataset}/document/create-by-text", body)
        await self.knowledge.ingester.idle()
        return str(made["document"]["id"])


LINES = {"mode": "custom", "rules": {"segmentation": {"separator": "\n", "max_tokens": 50}}}
PARENTS = {
    "mode": "hierarchical",
    "rules": {
        "segmentation": {"separator": "\n\n", "max_tokens": 100},
        "parent_mode": "paragraph",
        "subchunk_segmentation": {"separator": "\n", "max_tokens": 50},
    },
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    records = [
        KeyRecord(tenant, digest_of(key.encode()).hex(), 0, tenant, scopes=("knowledge",))
        for tenant, key in KEYS.items()
    ]
    records.append(KeyRecord("app", digest_of(APP_KEY.encode()).hex(), 0, "a"))
    backend = FakeBackend(models=[model_info("fake"), model_info(MODEL)])
    async with knowledge_base(tmp_path) as knowledge, serving(backend, table=KeyTable(records)) as served:
        served.front.knowledge = knowledge
        yield Client(served, knowledge, KEYS["a"])


def _part(disposition: str, body: bytes, kind: str = "text/plain") -> bytes:
    head = f"--{BOUNDARY}\r\ncontent-disposition: form-data; {disposition}\r\ncontent-type: {kind}\r\n\r\n"
    return head.encode() + body + b"\r\n"
