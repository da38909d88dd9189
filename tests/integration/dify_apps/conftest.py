"""A gateway with applications that answer by a script, and a client of Dify's app endpoints."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seekway.applications.store.app_store import AppStore
from seekway.security.keys import KeyRecord, KeyTable, digest_of
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.applications import FakeApplications, an_app
from tests.integration.gateway.served import Answer, Served, serving

BOUNDARY = "a-boundary-of-tests"
BEGAN = 1_700_000_000_000
CHAT, WRITER, AGENT, OTHER = "app-of-helper", "app-of-writer", "app-of-agent", "app-of-b"
DATASET, MODELS = "dataset-of-a", "sk-of-a"
FORM = [
    {"variable": "city", "label": "City", "required": True, "max_length": 48},
    {"variable": "style", "control": "select", "options": ["short", "long"], "default": "short"},
]


class Client:
    """Asks with a key."""

    def __init__(self, served: Served, fake: FakeApplications, key: str) -> None:
        self.served = served
        self.fake = fake
        self.key = key

    @property
    def store(self) -> AppStore:
        return self.fake.store

    def of(self, key: str) -> Client:
        return Client(self.served, self.fake, key)

    def head(self, *more: str) -> tuple[str, ...]:
        return (f"authorization: Bearer {self.key}", "content-type: application/json", *more)

    async def ask(self, method: str, path: str, body: object = None, headers: tuple[str, ...] = ()) -> Answer:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return await self.served.ask(method, f"/v1{path}", data, self.head(*headers))

    async def ok(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status == status, answer.body
        return json.loads(answer.body) if answer.body else None

    async def refused(self, method: str, path: str, body: object = None) -> tuple[int, str, str]:
        """Status, code and message; the envelope is Dify's."""
        return refusal_of(await self.ask(method, path, body))

    async def chat(self, query: str = "Hi", user: str = "ann", **more: object) -> Any:
        return await self.ok("POST", "/chat-messages", {"inputs": {}, "query": query, "user": user, **more})

    async def upload(
        self,
        file: bytes | None = b"bytes",
        name: str = "a.txt",
        user: str | None = "ann",
        *,
        path: str = "/files/upload",
        times: int = 1,
        kind: str = "text/plain",
    ) -> Answer:
        parts = b"" if user is None else _part('name="user"', user.encode())
        for _ in range(0 if file is None else times):
            parts += _part(f'name="file"; filename="{name}"', file or b"", kind)
        body = parts + f"--{BOUNDARY}--\r\n".encode()
        headers = (f"authorization: Bearer {self.key}", f"content-type: multipart/form-data; boundary={BOUNDARY}")
        return await self.served.ask("POST", f"/v1{path}", body, headers)


def refusal_of(answer: Answer) -> tuple[int, str, str]:
    envelope = json.loads(answer.body)
    assert set(envelope) == {"code", "message", "status"}, envelope
    assert envelope["message"]
    assert envelope["status"] == answer.status
    return answer.status, envelope["code"], envelope["message"]


def events_of(body: bytes) -> list[dict[str, Any]]:
    blocks = body.decode().split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks), blocks
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AppStore]:
    store = AppStore(SqliteDatabase(tmp_path / "applications.sqlite"), itertools.count(BEGAN, 1000).__next__)
    await store.open()
    for app in (
        an_app(
            form=FORM,
            follow_ups=True,
            opening_statement="Welcome",
            suggested_questions=["Why?"],
            files={"enabled": True, "kinds": ["image", "document"]},
        ),
        an_app("completion", "writer"),
        an_app("agent-chat", "agent"),
        an_app(slug="helper", tenant="b"),
    ):
        await store.apps.create(app)
    yield store
    await store.close()


@pytest.fixture
def keys() -> KeyTable:
    records = [
        KeyRecord(key, digest_of(key.encode()).hex(), 0, tenant, scopes=(), app=app)
        for key, tenant, app in (
            (CHAT, "", "helper"),
            (WRITER, "", "writer"),
            (AGENT, "", "agent"),
            (OTHER, "b", "helper"),
            ("app-of-none", "", "gone"),
        )
    ]
    records.append(KeyRecord("kb", digest_of(DATASET.encode()).hex(), 0, scopes=("knowledge",)))
    records.append(KeyRecord("sk", digest_of(MODELS.encode()).hex(), 0))
    return KeyTable(records)


@pytest.fixture
def fake(store: AppStore) -> FakeApplications:
    return FakeApplications(store)


@pytest.fixture
async def client(fake: FakeApplications, keys: KeyTable) -> AsyncIterator[Client]:
    async with serving(table=keys) as served:
        served.front.applications = fake
        yield Client(served, fake, CHAT)


def _part(disposition: str, body: bytes, kind: str = "text/plain") -> bytes:
    head = f"--{BOUNDARY}\r\ncontent-disposition: form-data; {disposition}\r\ncontent-type: {kind}\r\n\r\n"
    return head.encode() + body + b"\r\n"
