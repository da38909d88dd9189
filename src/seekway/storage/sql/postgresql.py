"""PostgreSQL through psycopg, a connection for each of a few threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from seekway.core.errors import AlreadyExists, ConfigError, SeekwayError, StorageUnavailable, unforeseen
from seekway.storage.sql.database import Connection, Row, T, Value

if TYPE_CHECKING:
    import psycopg

_CONNECT_S = 5
_STATEMENT_MS = 30_000
_MEETINGS = 20
"""How often work that met another's is run again before the caller is told."""


class PostgresqlConnection:
    """:class:`Connection` over one psycopg connection, used by one thread."""

    def __init__(self, raw: psycopg.Connection[Row]) -> None:
        self.raw = raw

    def all(self, sql: str, /, *parameters: Value) -> list[Row]:
        return self.raw.execute(_translated(sql), parameters).fetchall()

    def one(self, sql: str, /, *parameters: Value) -> Row | None:
        return self.raw.execute(_translated(sql), parameters).fetchone()

    def run(self, sql: str, /, *parameters: Value) -> int:
        return max(0, self.raw.execute(_translated(sql), parameters).rowcount)

    def run_many(self, sql: str, rows: Iterable[Sequence[Value]], /) -> None:
        with self.raw.cursor() as cursor:
            cursor.executemany(_translated(sql), rows)


class PostgresqlDatabase:
    """:class:`Database` at ``url`` (``postgresql://user@host/name``), with at most ``connections`` connections.

    Work that writes runs serializable (https://www.postgresql.org/docs/15/transaction-iso.html) and again where it met another's, so that it may be written as if it were alone, as on SQLite.
    Made without connecting; a connection that broke is made anew for the next work. Raises ``ConfigError`` when psycopg is not installed.
    """

    def __init__(self, url: str, *, password: str | None = None, connections: int = 4) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise ConfigError("PostgreSQL needs its driver: install seekway[postgresql].", param="storage") from error
        self._psycopg = psycopg
        self._url = url
        self._password = password
        self._local = threading.local()
        self._opened: list[psycopg.Connection[Row]] = []
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="postgresql")
        self._closed = False

    async def read(self, work: Callable[[Connection], T], /) -> T:
        return await self._submit(work, False)

    async def write(self, work: Callable[[Connection], T], /) -> T:
        return await self._submit(work, True)

    async def close(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            connection.close()

    async def _submit(self, work: Callable[[Connection], T], writes: bool) -> T:
        if self._closed:
            raise StorageUnavailable("The database is closed; the process is ending.")
        # Shielded by the thread: a caller that is cancelled leaves, the work is done.
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work, writes)

    def _run(self, work: Callable[[Connection], T], writes: bool) -> T:
        errors = self._psycopg.errors
        for meeting in range(_MEETINGS):
            connection = self._connection()
            raw = connection.raw
            try:
                raw.read_only = not writes
                with raw.transaction():
                    return work(connection)
            except (errors.SerializationFailure, errors.DeadlockDetected):
                # Whoever met again and again gives way a little longer each time; this thread is the database's own.
                time.sleep(0.001 * meeting)  # noqa: TID251 - there is nothing to wait for but the other's end
            except errors.UniqueViolation as error:
                raise AlreadyExists("There is an entry of that key already.") from error
            except self._psycopg.OperationalError as error:
                raise StorageUnavailable(f"PostgreSQL does not answer: {_first_line(error)}.") from error
            except self._psycopg.Error as error:
                raise StorageUnavailable(f"PostgreSQL refused: {_first_line(error)}.") from error
            except SeekwayError:
                raise
            except Exception as error:
                raise unforeseen(error) from error
        raise StorageUnavailable("The database is too busy with the same entries; try again.")

    def _connection(self) -> PostgresqlConnection:
        known: PostgresqlConnection | None = getattr(self._local, "connection", None)
        if known is not None and not known.raw.closed and not known.raw.broken:
            return known
        try:
            raw = self._psycopg.connect(
                self._url,
                password=self._password,
                connect_timeout=_CONNECT_S,
                options=f"-c statement_timeout={_STATEMENT_MS}",
            )
        except self._psycopg.Error as error:
            raise StorageUnavailable(f"PostgreSQL cannot be reached: {_first_line(error)}.") from error
        raw.isolation_level = self._psycopg.IsolationLevel.SERIALIZABLE
        made = self._local.connection = PostgresqlConnection(cast("psycopg.Connection[Row]", raw))
        self._opened = [other for other in self._opened if not other.closed]
        self._opened.append(made.raw)
        return made


def _first_line(error: BaseException) -> str:
    """Without what follows it: the statement and its values may stand there."""
    return str(error).strip().partition("\n")[0].rstrip(".")


@lru_cache(maxsize=1024)
def _translated(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode()
