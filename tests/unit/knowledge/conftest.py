"""An index in a file of its own, and what documents need, on both databases."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from seekway.knowledge.index.lance.lance_index import LancePassageIndex
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.storage.sql.database import Database
from seekway.storage.sql.postgresql import PostgresqlDatabase
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.fakes.postgresql_server import PostgresqlServer


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "knowledge.db", prepare=prepare_connection)
    yield made
    await made.close()


@pytest.fixture
async def sqlite_index(database: SqliteDatabase) -> SqlitePassageIndex:
    made = SqlitePassageIndex(database)
    await made.open()
    return made


@pytest.fixture(params=["sqlite", "lance"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> PassageIndex:
    """Whatever is promised of one is promised of the other."""
    if request.param == "sqlite":
        made: PassageIndex = request.getfixturevalue("sqlite_index")
        return made
    return LancePassageIndex(str(tmp_path / "lance"))


@pytest.fixture
def embedder() -> HashedEmbedder:
    return HashedEmbedder()


@pytest.fixture
def clock() -> Callable[[], int]:
    return itertools.count(1_000).__next__


@pytest.fixture(params=["sqlite", "postgresql"])
async def book(request: pytest.FixtureRequest, tmp_path: Path, clock: Callable[[], int]) -> AsyncIterator[DocumentBook]:
    async with AsyncExitStack() as stack:
        state: Database
        if request.param == "sqlite":
            state = SqliteDatabase(tmp_path / "documents.db")
        else:
            # Not pytest's own folder: the server's user may not enter it.
            server = PostgresqlServer(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seekway-pg-"))))
            await server.make()
            await server.start()
            stack.push_async_callback(server.kill)
            state = PostgresqlDatabase(server.url)
        stack.push_async_callback(state.close)
        made = DocumentBook(state, clock)
        await made.open()
        yield made
