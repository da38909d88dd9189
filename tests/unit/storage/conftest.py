"""Both databases."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from seekway.storage.sql.database import Database
from seekway.storage.sql.postgresql import PostgresqlDatabase
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.postgresql_server import PostgresqlServer


@asynccontextmanager
async def _postgresql() -> AsyncGenerator[PostgresqlServer]:
    # Not pytest's own folder: the server's user may not enter it.
    with tempfile.TemporaryDirectory(prefix="seekway-postgresql-") as name:
        server = PostgresqlServer(Path(name))
        await server.make()
        await server.start()
        try:
            yield server
        finally:
            await server.kill()


@pytest.fixture
async def postgresql() -> AsyncIterator[PostgresqlServer]:
    async with _postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        made: Database
        if request.param == "sqlite":
            made = SqliteDatabase(tmp_path / "state" / "seekway.db")
        else:
            made = PostgresqlDatabase((await stack.enter_async_context(_postgresql())).url)
        stack.push_async_callback(made.close)
        yield made
