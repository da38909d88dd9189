"""An index in a file of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "knowledge.db", prepare=prepare_connection)
    yield made
    await made.close()


@pytest.fixture
async def index(database: SqliteDatabase) -> SqlitePassageIndex:
    made = SqlitePassageIndex(database)
    await made.open()
    return made


@pytest.fixture
def embedder() -> HashedEmbedder:
    return HashedEmbedder()
