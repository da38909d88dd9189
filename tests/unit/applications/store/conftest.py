"""The store on both databases."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from seekway.applications.definition import AgentUse, Definition, FormField, ModelChoice, ToolUse
from seekway.applications.records import AppRecord
from seekway.applications.store.app_store import AppStore
from seekway.storage.sql.database import Connection, Database
from seekway.storage.sql.postgresql import PostgresqlDatabase
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.postgresql_server import PostgresqlServer

TABLES = (
    "apps",
    "users",
    "conversations",
    "variables",
    "messages",
    "thoughts",
    "feedbacks",
    "annotations",
    "annotation_vectors",
    "uploads",
    "upload_bodies",
    "message_uploads",
    "stops",
)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        made: Database
        if request.param == "sqlite":
            made = SqliteDatabase(tmp_path / "applications.db")
        else:
            # Not pytest's own folder: the server's user may not enter it.
            server = PostgresqlServer(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seekway-pg-"))))
            await server.make()
            await server.start()
            stack.push_async_callback(server.kill)
            made = PostgresqlDatabase(server.url)
        stack.push_async_callback(made.close)
        yield made


@pytest.fixture
async def store(database: Database) -> AppStore:
    made = AppStore(database, itertools.count(1_000).__next__)
    await made.open()
    return made


async def rows(database: Database) -> dict[str, int]:
    """How many each table has."""

    def work(connection: Connection) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name in TABLES:
            row = connection.one(f"select count(*) from app_{name}")  # noqa: S608 - names are our own
            counts[name] = 0 if row is None else int(row[0] or 0)
        return counts

    return await database.read(work)


def an_app(slug: str = "helper", tenant: str = "") -> AppRecord:
    definition = Definition(
        "chat",
        ModelChoice("deepseek-chat", {"temperature": 0.5}),
        form=(FormField("name", required=True, options=("甲", "b")),),
        agent=AgentUse(tools=(ToolUse("builtin", name="current_time"),)),
        rest={"more": [1, None, {"ä": True}]},
    )
    return AppRecord(tenant, "", slug, f"The {slug}", definition, tags=("a", "客服"))
