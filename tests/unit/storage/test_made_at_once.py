"""Gateways that start together make the same files, and none may fail for it."""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from seekway.pipeline.quota.spending_file import SpendingFile
from seekway.storage.sql.sqlite import SqliteDatabase

PROCESSES = 3
FILES = 100
WAIT_S = 60.0


def _spending(path: Path) -> None:
    SpendingFile(path).close()


def _database(path: Path) -> None:
    async def make() -> None:
        database = SqliteDatabase(path)
        await database.write(lambda connection: connection.run("create table if not exists t (a integer)"))
        await database.close()

    asyncio.run(make())


MAKERS = {"spending": _spending, "database": _database}


def _make_all(maker: str, folder: Path, together: Barrier) -> None:
    try:
        for number in range(FILES):
            together.wait(WAIT_S)
            MAKERS[maker](folder / f"{number}.sqlite")
    except BaseException:
        together.abort()
        raise


@pytest.mark.parametrize("maker", MAKERS)
def test_processes_that_make_one_file_at_once_all_have_it(maker: str, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(PROCESSES)
    started = [context.Process(target=_make_all, args=(maker, tmp_path, together)) for _ in range(PROCESSES)]
    for process in started:
        process.start()
    for process in started:
        process.join(2 * WAIT_S)
        if process.exitcode is None:
            process.kill()
    assert [process.exitcode for process in started] == [0] * PROCESSES
    assert len(list(tmp_path.glob("*.sqlite"))) == FILES
