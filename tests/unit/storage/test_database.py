"""What holds of every database."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from seekway.core.errors import AlreadyExists, InternalError, InvalidRequest, StorageFailed, StorageUnavailable
from seekway.storage.sql.database import Connection, Database
from seekway.storage.sql.migrations import Migration, migrate, read_migrations
from seekway.storage.sql.postgresql import PostgresqlDatabase
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.postgresql_server import PostgresqlServer


async def _make(database: Database) -> None:
    await database.write(
        lambda c: c.run(
            "create table things (id text primary key, n bigint not null, data bytea, share double precision)"
        )
    )


async def test_what_was_written_is_read_as_it_was(database: Database) -> None:
    await _make(database)
    row = ("汉字 ? % 'x'", 2**53, b"\x00\xff", 0.1)
    changed = await database.write(lambda c: c.run("insert into things values (?, ?, ?, ?)", *row))
    assert changed == 1
    assert (
        await database.read(
            lambda c: c.one("select id, n, data, share from things where id like '%汉字%' or n = ?", 2**53)
        )
        == row
    )
    assert await database.read(lambda c: c.all("select id from things where n < ?", 0)) == []


async def test_many_rows_go_in_one_statement(database: Database) -> None:
    await _make(database)
    await database.write(
        lambda c: c.run_many("insert into things (id, n) values (?, ?)", ((str(n), n) for n in range(500)))
    )
    assert await database.read(lambda c: c.one("select count(*), sum(n) from things")) == (500, 124750)


async def test_work_that_raises_leaves_nothing_and_its_neighbours_stay(database: Database) -> None:
    await _make(database)

    def refused(connection: Connection) -> None:
        connection.run("insert into things (id, n) values ('refused', 1)")
        raise InvalidRequest("No.")

    def broken(connection: Connection) -> None:
        connection.run("insert into things (id, n) values ('broken', 1)")
        raise ZeroDivisionError

    results = await asyncio.gather(
        database.write(lambda c: c.run("insert into things (id, n) values ('first', 1)")),
        database.write(refused),
        database.write(broken),
        database.write(lambda c: c.run("insert into things (id, n) values ('last', 1)")),
        return_exceptions=True,
    )
    assert isinstance(results[1], InvalidRequest)
    assert isinstance(results[2], InternalError)
    assert isinstance(results[2].__cause__, ZeroDivisionError)
    assert await database.read(lambda c: c.all("select id from things order by id")) == [("first",), ("last",)]


async def test_a_taken_key_is_told_apart_from_a_broken_statement(database: Database) -> None:
    await _make(database)
    await database.write(lambda c: c.run("insert into things (id, n) values ('one', 1)"))
    with pytest.raises(AlreadyExists):
        await database.write(lambda c: c.run("insert into things (id, n) values ('one', 2)"))
    with pytest.raises(StorageUnavailable):
        await database.write(lambda c: c.run("insert into things (id, n) values ('two', null)"))
    with pytest.raises(StorageUnavailable):
        await database.read(lambda c: c.all("select nothing from nowhere"))


async def test_reading_work_cannot_write(database: Database) -> None:
    await _make(database)
    with pytest.raises(StorageUnavailable):
        await database.read(lambda c: c.run("insert into things (id, n) values ('one', 1)"))


async def test_counting_together_loses_nothing(database: Database) -> None:
    await _make(database)
    await database.write(lambda c: c.run("insert into things (id, n) values ('count', 0)"))

    def add(connection: Connection) -> int:
        row = connection.one("select n from things where id = 'count'")
        assert row is not None
        count = int(row[0] or 0) + 1
        connection.run("update things set n = ? where id = 'count'", count)
        return count

    counts = await asyncio.gather(*(database.write(add) for _ in range(40)))
    assert sorted(counts) == list(range(1, 41))


async def test_a_caller_that_leaves_harms_nobody(database: Database) -> None:
    await _make(database)
    leaving = asyncio.ensure_future(database.write(lambda c: c.run("insert into things (id, n) values ('left', 1)")))
    await asyncio.sleep(0)
    leaving.cancel()
    await database.write(lambda c: c.run("insert into things (id, n) values ('stayed', 1)"))
    assert ("stayed",) in await database.read(lambda c: c.all("select id from things"))


async def test_a_closed_database_refuses(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.close()
    await database.close()
    with pytest.raises(StorageUnavailable):
        await database.write(lambda c: c.run("select 1"))
    with pytest.raises(StorageUnavailable):
        await database.read(lambda c: c.one("select 1"))


async def test_steps_run_once_and_in_order(database: Database) -> None:
    first = Migration(1, "make", ("create table a (n bigint)", "insert into a values (1)"), "one")
    second = Migration(2, "add", ("insert into a values (2)",), "two")
    assert await migrate(database, "part", [first]) == 1
    assert await migrate(database, "part", [first, second]) == 1
    assert await migrate(database, "part", [first, second]) == 0
    assert await database.read(lambda c: c.all("select n from a order by n")) == [(1,), (2,)]
    with pytest.raises(StorageFailed, match="step 2"):
        await migrate(database, "part", [first])
    with pytest.raises(StorageFailed, match="Step 1"):
        await migrate(database, "part", [first._replace(digest="other"), second])


async def test_a_step_that_fails_leaves_the_database_as_it_was(database: Database) -> None:
    broken = Migration(1, "break", ("create table b (n bigint)", "insert into nowhere values (1)"), "one")
    with pytest.raises(StorageUnavailable):
        await migrate(database, "part", [broken])
    with pytest.raises(StorageUnavailable):
        await database.read(lambda c: c.all("select n from b"))


def test_a_package_without_steps_is_a_mistake() -> None:
    with pytest.raises(FileNotFoundError):
        read_migrations("seekway.core")


async def test_a_postgresql_that_comes_back_is_used_again(postgresql: PostgresqlServer) -> None:
    database = PostgresqlDatabase(postgresql.url, connections=1)
    assert await database.read(lambda c: c.one("select 1")) == (1,)
    await postgresql.kill()
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await database.read(lambda c: c.one("select 1"))
    await postgresql.start()
    assert await database.read(lambda c: c.one("select 1")) == (1,)
    await database.close()


async def test_what_a_full_disk_refuses_is_told_and_later_work_goes_on(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await _make(database)
    await database.write(lambda c: c.all("pragma max_page_count = 40"))
    with pytest.raises(StorageUnavailable, match="full"):
        await database.write(lambda c: c.run("insert into things (id, n, data) values ('big', 1, ?)", bytes(4_000_000)))
    await database.write(lambda c: c.run("insert into things (id, n) values ('small', 1)"))
    assert await database.read(lambda c: c.all("select id from things")) == [("small",)]
    await database.close()


_WRITER = """
import asyncio, sys
from pathlib import Path
from seekway.storage.sql.sqlite import SqliteDatabase

async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    await database.write(lambda c: c.run("create table if not exists things (n integer primary key)"))
    async def one(n):
        await database.write(lambda c: c.run("insert into things values (?)", n))
        sys.stdout.write(f"{n}\\n")
        sys.stdout.flush()
    for start in range(0, 100_000, 8):
        await asyncio.gather(*(one(n) for n in range(start, start + 8)))

asyncio.run(main())
"""


async def test_no_acknowledged_write_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    told: list[int] = []
    async with asyncio.timeout(60):
        while len(told) < 200:
            told.append(int(await child.stdout.readline()))
        child.send_signal(signal.SIGKILL)
        told += [int(line) for line in (await child.stdout.read()).split(b"\n")[:-1]]
        await child.wait()
    database = SqliteDatabase(path)
    kept = {row[0] for row in await database.read(lambda c: c.all("select n from things"))}
    await database.close()
    assert kept >= set(told)


async def test_sqlite_is_as_durable_and_strict_as_it_is_told_to_be(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "seekway.db")
    try:
        for ask in (database.read, database.write):
            told = [
                await ask(lambda c, name=name: c.one(f"pragma {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "temp_store")
            ]
            assert told == [("wal",), (2,), (1,), (2,)]
    finally:
        await database.close()
