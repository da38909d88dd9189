"""One process at a time, by a row that its holder keeps changing.

No clock is compared with another machine's: whoever wants the lease watches the row, and takes it when it has not changed for :data:`LASTS_S` of his own clock.
A holder that stands still for longer may find itself overtaken; what it writes then is refused by its claims (:mod:`seekway.knowledge.ingest.job_book`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

from seekway.core.errors import AlreadyExists, StorageUnavailable
from seekway.storage.sql.database import Connection, Database, Row

LASTS_S: Final = 6.0
_BEAT_S: Final = 1.5
_GIVEN_UP_S: Final = 4.0


class Lease:
    """``name`` says what is leased, ``holder`` is this process alone. The table is :class:`DocumentBook`'s."""

    def __init__(
        self,
        database: Database,
        name: str,
        holder: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._name = name
        self._holder = holder
        self._clock = clock
        self._pause = pause
        self._seen: tuple[Row, float] | None = None

    async def take(self) -> bool:
        """False where another has it and lives, as far as can be told yet; ask again soon."""
        row = await self._database.read(
            lambda connection: connection.one("select holder, beat from kb_leases where name = ?", self._name)
        )
        if row is not None:
            if self._seen is None or self._seen[0] != row:
                self._seen = (row, self._clock())
            if row[0] != self._holder and self._clock() - self._seen[1] < LASTS_S:
                return False
        try:
            return await self._database.write(lambda connection: self._taken(connection, row))
        except AlreadyExists:
            return False

    async def keep(self) -> None:
        """Until cancelled. Raises ``StorageUnavailable`` when it is lost, or may soon be."""
        kept = self._clock()
        while True:
            await self._pause(_BEAT_S)
            try:
                still = await self._database.write(
                    lambda connection: connection.run(
                        "update kb_leases set beat = beat + 1 where name = ? and holder = ?", self._name, self._holder
                    )
                )
            except StorageUnavailable:
                if self._clock() - kept > _GIVEN_UP_S:
                    raise
                continue
            if not still:
                raise StorageUnavailable("Another process does this now; this one stood still for too long.")
            kept = self._clock()

    async def release(self) -> None:
        """Where that cannot be written, it runs out by itself."""
        with contextlib.suppress(StorageUnavailable):
            await self._database.write(
                lambda connection: connection.run(
                    "delete from kb_leases where name = ? and holder = ?", self._name, self._holder
                )
            )

    def _taken(self, connection: Connection, seen: Row | None) -> bool:
        if seen is None:
            connection.run("insert into kb_leases (name, holder, beat) values (?, ?, 0)", self._name, self._holder)
            return True
        changed = connection.run(
            "update kb_leases set holder = ?, beat = beat + 1 where name = ? and holder = ? and beat = ?",
            *(self._holder, self._name, *seen),
        )
        return changed > 0
