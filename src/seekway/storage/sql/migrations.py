"""The tables' history: numbered files of statements, each run once, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from seekway.core.errors import StorageFailed
from seekway.storage.sql.database import Connection, Database

_BOOK = """
create table if not exists migrations (
  part text not null, number bigint not null, name text not null, digest text not null, primary key (part, number)
)
"""


class Migration(NamedTuple):
    number: int
    name: str
    statements: tuple[str, ...]
    digest: str


def read_migrations(package: str) -> tuple[Migration, ...]:
    """Those of the folder ``migrations`` in ``package``, named ``0001_what.sql``; a statement ends with ``;`` at the end of a line."""
    found: list[Migration] = []
    for file in sorted(files(package).joinpath("migrations").iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        number, _, name = file.name.removesuffix(".sql").partition("_")
        text = file.read_text("utf-8")
        found.append(Migration(int(number), name, _statements(text), hashlib.sha256(text.encode()).hexdigest()))
    return tuple(found)


async def migrate(database: Database, part: str, migrations: Sequence[Migration]) -> int:
    """Run what has not been run of ``part``, all or nothing; the number of files run.

    Raises ``StorageFailed`` when the database is of a later version than this program, or a file that was run has changed.
    """
    return await database.write(lambda connection: _migrate(connection, part, migrations))


def _migrate(connection: Connection, part: str, migrations: Sequence[Migration]) -> int:
    connection.run(_BOOK)
    rows = connection.all("select number, name, digest from migrations where part = ? order by number", part)
    known = {migration.number: migration for migration in migrations}
    for number, name, digest in rows:
        ours = known.get(int(number or 0))
        if ours is None:
            raise StorageFailed(
                f"The database has step {number} ({name}) of {part}, which this version does not know; use the version that made it, or a later one."
            )
        if ours.digest != digest:
            raise StorageFailed(f"Step {number} ({name}) of {part} is not what was run on this database; restore it.")
    done = {row[0] for row in rows}
    fresh = [migration for migration in migrations if migration.number not in done]
    for migration in fresh:
        for statement in migration.statements:
            connection.run(statement)
        connection.run(
            "insert into migrations (part, number, name, digest) values (?, ?, ?, ?)",
            *(part, migration.number, migration.name, migration.digest),
        )
    return len(fresh)


def _statements(text: str) -> tuple[str, ...]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return tuple(part.strip() for part in "\n".join(lines).split(";\n") if part.strip(" \n;"))
