"""SQLite in one file, through apsw: one thread writes, several read.

Writes that wait together are committed together, each behind a savepoint of its own: one flush to the disk serves them all.
The write-ahead log lets readers go on meanwhile (https://sqlite.org/wal.html); ``synchronous = FULL`` makes a commit outlive a power cut.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, Protocol, cast

import apsw

from seekway.core.errors import AlreadyExists, SeekwayError, StorageUnavailable, unforeseen
from seekway.storage.sql.database import Connection, Row, T, Value
from seekway.storage.sql.write_ahead import until_free

_TOGETHER = 256
"""Most pieces of work in one commit, so that the first does not wait for a crowd."""

_BUSY_MS = 10_000
_PRAGMAS = "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory"


class _Cursor(Protocol):
    def fetchall(self) -> list[Row]: ...
    def fetchone(self) -> Row | None: ...


class _Raw(Protocol):
    """What is used of apsw's connection, whose own types leave out byte strings."""

    def execute(self, statements: str, bindings: Sequence[Value] | None = None, /) -> _Cursor: ...
    def executemany(self, statements: str, bindings: Iterable[Sequence[Value]], /) -> _Cursor: ...
    def total_changes(self) -> int: ...
    def close(self) -> None: ...
    @property
    def in_transaction(self) -> bool: ...


class SqliteConnection:
    """:class:`Connection` over one apsw connection, used by one thread at a time."""

    def __init__(self, raw: apsw.Connection) -> None:
        self.raw = cast("_Raw", raw)

    def all(self, sql: str, /, *parameters: Value) -> list[Row]:
        try:
            return self.raw.execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise _told(error) from error

    def one(self, sql: str, /, *parameters: Value) -> Row | None:
        try:
            return self.raw.execute(sql, parameters).fetchone()
        except apsw.Error as error:
            raise _told(error) from error

    def run(self, sql: str, /, *parameters: Value) -> int:
        before = self.raw.total_changes()
        self.all(sql, *parameters)
        return self.raw.total_changes() - before

    def run_many(self, sql: str, rows: Iterable[Sequence[Value]], /) -> None:
        try:
            self.raw.executemany(sql, rows)
        except apsw.Error as error:
            raise _told(error) from error


class _Piece(Generic[T]):
    """One piece of work and whoever waits for it."""

    __slots__ = ("_future", "_loop", "error", "result", "work")

    def __init__(self, work: Callable[[Connection], T], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self._loop = loop
        self._future: asyncio.Future[T] = loop.create_future()
        self.result: T | None = None
        self.error: SeekwayError | None = None

    async def wait(self) -> T:
        return await self._future

    def run(self, connection: SqliteConnection) -> None:
        try:
            self.result = self.work(connection)
        except SeekwayError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the writer must outlive whatever it is given; the caller gets the cause
            self.error = unforeseen(error)

    def tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _settle(self) -> None:
        if self._future.done():
            return
        if self.error is not None:
            self._future.set_exception(self.error)
        else:
            self._future.set_result(cast("T", self.result))


class SqliteDatabase:
    """:class:`Database` in the file ``path``, which is made with its folder when it is missing.

    ``prepare`` is run on every connection that is made, for extensions and functions.
    Raises ``StorageUnavailable`` when the file cannot be opened.
    """

    def __init__(
        self, path: Path, *, readers: int = 2, prepare: Callable[[apsw.Connection], None] | None = None
    ) -> None:
        self._path = path
        self._prepare = prepare
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StorageUnavailable(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
        self._writing = self._open()
        self._queue: SimpleQueue[_Piece[object] | None] = SimpleQueue()
        self._closed = False
        self._local = threading.local()
        self._opened: list[SqliteConnection] = []
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix=f"read-{path.stem}")
        # Ends with the process at the latest: what is not committed then was not acknowledged either.
        self._writer = threading.Thread(target=self._write_all, name=f"write-{path.stem}", daemon=True)
        self._writer.start()

    async def read(self, work: Callable[[Connection], T], /) -> T:
        if self._closed:
            raise _closed(self._path)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], T], /) -> T:
        if self._closed:
            raise _closed(self._path)
        piece = _Piece(work, asyncio.get_running_loop())
        self._queue.put(cast("_Piece[object]", piece))
        return await piece.wait()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in (*self._opened, self._writing):
            connection.raw.close()

    def _open(self, *, read_only: bool = False) -> SqliteConnection:
        try:
            raw = apsw.Connection(str(self._path))
            raw.setbusytimeout(_BUSY_MS)
            connection = SqliteConnection(raw)
            # Read to the end: statements after one that gives rows are run no sooner.
            until_free(lambda: connection.raw.execute(_PRAGMAS).fetchall(), _is_busy, _BUSY_MS / 1000)
            if self._prepare is not None:
                self._prepare(raw)
            if read_only:
                connection.raw.execute("pragma query_only = on")
        except apsw.Error as error:
            raise StorageUnavailable(f"The database {self._path} cannot be opened: {error}.") from error
        return connection

    def _read(self, work: Callable[[Connection], T]) -> T:
        connection: SqliteConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open(read_only=True)
            self._opened.append(connection)
        connection.all("begin")
        try:
            return work(connection)
        finally:
            connection.all("rollback")

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            pieces, last = [first], False
            while len(pieces) < _TOGETHER and not self._queue.empty():
                piece = self._queue.get()
                if piece is None:
                    last = True
                    break
                pieces.append(piece)
            self._commit(pieces)
            for piece in pieces:
                piece.tell()
            if last:
                return

    def _commit(self, pieces: Sequence[_Piece[object]]) -> None:
        connection = self._writing
        try:
            connection.all("begin immediate")
            for piece in pieces:
                self._run_saved(connection, piece)
            connection.all("commit")
        except StorageUnavailable as error:
            # A full disk may have rolled back by itself.
            if connection.raw.in_transaction:
                connection.all("rollback")
            for piece in pieces:
                piece.error = piece.error or error

    @staticmethod
    def _run_saved(connection: SqliteConnection, piece: _Piece[object]) -> None:
        connection.all("savepoint piece")
        piece.run(connection)
        if piece.error is not None:
            connection.all("rollback to piece")
        connection.all("release piece")


def overwrite_deleted(connection: apsw.Connection) -> None:
    """For ``SqliteDatabase(path, prepare=…)``: the bytes of what is deleted do not stay in the file."""
    cast("_Raw", connection).execute("pragma secure_delete = on").fetchall()


def _closed(path: Path) -> StorageUnavailable:
    return StorageUnavailable(f"The database {path} is closed; the process is ending.")


def _told(error: apsw.Error) -> SeekwayError:
    if isinstance(error, apsw.ConstraintError) and (
        cast("int", getattr(error, "extendedresult", 0))
        in (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)
    ):
        return AlreadyExists("There is an entry of that key already.")
    return StorageUnavailable(f"The database refused: {str(error).rstrip('.')}.")


def _is_busy(error: Exception) -> bool:
    return isinstance(error, apsw.BusyError)
