"""The full text of a dataset stays in few pieces, however its documents come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from seekway.knowledge.index import full_text
from seekway.storage.sql.database import Connection
from seekway.storage.sql.sqlite import SqliteDatabase


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "index.sqlite")
    await made.write(lambda c: full_text.create_table(c, 1))
    yield made
    await made.close()


async def pieces(database: SqliteDatabase) -> int:
    """Of the index: a page's number begins with that of its segment, and the first ten are no pages (https://sqlite.org/fts5.html)."""
    rows = await database.read(lambda c: c.all("select count(distinct id >> 37) from passages_1_data where id > 10"))
    return cast("int", rows[0][0])


async def grow(database: SqliteDatabase, first: int, last: int, before: int = 0) -> None:
    """A key a commit, into a dataset that has ``before`` others, which are not written."""
    for key in range(first, last):

        def work(connection: Connection, key: int = key) -> None:
            full_text.insert(connection, 1, [(key, f"word{key} same")])
            full_text.settle(connection, 1, 1, before + key + 1)

        await database.write(work)


async def test_a_small_dataset_is_one_piece(database: SqliteDatabase) -> None:
    for last in (1, 2, 7):
        await grow(database, last - 1, last)
        assert await pieces(database) == 1


async def test_a_large_one_is_settled_when_it_has_grown_by_a_quarter_and_not_before(database: SqliteDatabase) -> None:
    await grow(database, 0, 3, before=10_000)
    assert await pieces(database) == 3
    await database.write(lambda c: full_text.settle(c, 1, 2_500, 12_503))
    assert await pieces(database) == 1


async def test_nothing_added_settles_nothing(database: SqliteDatabase) -> None:
    await grow(database, 0, 2, before=10_000)
    await database.write(lambda c: full_text.settle(c, 1, 0, 2))
    assert await pieces(database) == 2
