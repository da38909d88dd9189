"""The databases of a process, by the settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seekway.core.sections.storage import StorageSettings
from seekway.core.settings import read_secret
from seekway.storage.sql.database import Database
from seekway.storage.sql.late import LateDatabase

if TYPE_CHECKING:
    import apsw


def beside(config: Path | None, name: str) -> Path:
    """Where ``name`` leads from the settings file, or from here where there is none."""
    return (Path() if config is None else config.parent).absolute() / Path(name).expanduser()


class State:
    """Databases are opened when they are first asked, and made where they are missing; ``config`` is the settings file."""

    def __init__(self, storage: StorageSettings, config: Path | None) -> None:
        self.directory = beside(config, storage.directory)
        self._storage = storage
        self._password = read_secret(storage.password_env, None)

    def records(
        self,
        name: str,
        ready: Callable[[Database], Awaitable[None]],
        *,
        prepare: Callable[[apsw.Connection], None] | None = None,
    ) -> Database:
        """PostgreSQL where one is named, else the file ``name``; ``ready`` makes its tables, ``prepare`` a connection of SQLite's.

        Raises ``ConfigError`` where PostgreSQL is named and its driver is not installed.
        """
        url = self._storage.url
        if url is None:
            return self.file(name, ready, prepare=prepare)
        from seekway.storage.sql.postgresql import PostgresqlDatabase

        make = partial(PostgresqlDatabase, url, password=self._password)
        make()  # refused now where there is no driver
        return _late(make, ready)

    def file(
        self,
        name: str,
        ready: Callable[[Database], Awaitable[None]],
        *,
        prepare: Callable[[apsw.Connection], None] | None = None,
    ) -> Database:
        """As :meth:`records`, but SQLite's always."""
        path = self.directory / name

        def make() -> Database:
            from seekway.storage.sql.sqlite import SqliteDatabase

            return SqliteDatabase(path, prepare=prepare)

        return _late(make, ready)

    def there(self, name: str) -> bool:
        """Whether anything was ever kept under ``name``, as far as can be told without opening it."""
        return self._storage.url is not None or (self.directory / name).exists()


def milliseconds() -> int:
    """Since 1970."""
    return time.time_ns() // 1_000_000


def _late(make: Callable[[], Database], ready: Callable[[Database], Awaitable[None]]) -> Database:
    async def open_now() -> Database:
        # The disk may be slow, and somebody else may be writing.
        database = await asyncio.to_thread(make)
        try:
            await ready(database)
        except BaseException:
            await database.close()
            raise
        return database

    return LateDatabase(open_now)
