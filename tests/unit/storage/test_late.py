"""A database that is opened when it is first asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from seekway.core.errors import StorageFailed, StorageUnavailable
from seekway.storage.sql.database import Database
from seekway.storage.sql.late import LateDatabase
from seekway.storage.sql.sqlite import SqliteDatabase


async def test_nothing_is_opened_before_it_is_asked_for_and_then_once(tmp_path: Path) -> None:
    opened = 0

    async def open_now() -> Database:
        nonlocal opened
        opened += 1
        await asyncio.sleep(0)
        return SqliteDatabase(tmp_path / "a" / "late.db")

    database = LateDatabase(open_now)
    assert not opened
    await database.write(lambda connection: connection.run("create table t (a)"))
    found = await asyncio.gather(
        *(database.read(lambda connection: connection.all("select * from t")) for _ in range(3))
    )
    assert (opened, found) == (1, [[], [], []])
    await database.close()
    with pytest.raises(StorageUnavailable):
        await database.read(lambda connection: connection.all("select 1"))


async def test_what_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    problems: list[Exception] = [
        StorageFailed("It is of a later version; use that."),
        StorageUnavailable("It is away."),
    ]

    async def open_now() -> Database:
        if problems:
            raise problems.pop()
        return SqliteDatabase(tmp_path / "late.db")

    database = LateDatabase(open_now)
    for message in ("away", "later version"):
        with pytest.raises(StorageUnavailable, match=message):
            await database.read(lambda connection: connection.all("select 1"))
    assert await database.read(lambda connection: connection.all("select 1")) == [(1,)]
    await database.close()


async def test_who_leaves_while_it_is_opened_takes_nothing_from_who_stays(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def open_now() -> Database:
        await gate.wait()
        return SqliteDatabase(tmp_path / "late.db")

    database = LateDatabase(open_now)
    leaves, stays = (
        asyncio.ensure_future(database.read(lambda connection: connection.all("select 1"))) for _ in range(2)
    )
    await asyncio.sleep(0)
    leaves.cancel()
    gate.set()
    assert await stays == [(1,)]
    await database.close()


async def test_a_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    file = tmp_path / "file"
    await asyncio.to_thread(file.write_text, "")
    with pytest.raises(StorageUnavailable, match="cannot be made"):
        SqliteDatabase(file / "below" / "late.db")
