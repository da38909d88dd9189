"""A database that is opened by whoever first asks something of it, so that a process starts without it and outlives its absence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from seekway.core.errors import OperatorError, StorageUnavailable
from seekway.storage.sql.database import Connection, Database, T


class LateDatabase:
    """:class:`Database` that ``open_now`` gives, ready to be used; where it fails, the next work tries again.

    What is the operator's to mend (a later version's tables) is told as ``StorageUnavailable`` to those who ask.
    """

    def __init__(self, open_now: Callable[[], Awaitable[Database]]) -> None:
        self._open_now = open_now
        self._opening: asyncio.Task[Database] | None = None
        self._closed = False

    async def read(self, work: Callable[[Connection], T], /) -> T:
        return await (await self._opened()).read(work)

    async def write(self, work: Callable[[Connection], T], /) -> T:
        return await (await self._opened()).write(work)

    async def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            await asyncio.wait([self._opening])
            if self._opening.exception() is None:
                await self._opening.result().close()

    async def _opened(self) -> Database:
        if self._closed:
            raise StorageUnavailable("The database is closed; the process is ending.")
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            # Everybody's, not the first one's who asked and may be cancelled; closed by close().
            self._opening = asyncio.get_running_loop().create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Database:
        try:
            return await self._open_now()
        except OperatorError as error:
            raise StorageUnavailable(error.message) from error
