"""Wishes to stop an answer that came to another process than the one that gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from seekway.applications.store.table import Table
from seekway.storage.sql.database import Connection, Database

_KEPT_MS: Final = 3_600_000
"""Longer than an answer takes."""

_AT_ONCE: Final = 500


class Stop(msgspec.Struct, frozen=True):
    """``session`` is the caller's name for the end user, empty for the one that all share."""

    app: str
    task: str
    session: str
    created_at: int = 0


STOPS = Table("app_stops", Stop)


class StopRows:
    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def wish(self, stop: Stop) -> None:
        """Those of an hour ago are forgotten."""
        now = self._clock()

        def work(connection: Connection) -> None:
            STOPS.delete(connection, "where created_at < ?", now - _KEPT_MS)
            of = (stop.task, stop.app, stop.session)
            if not STOPS.count(connection, "where task = ? and app = ? and session = ?", *of):
                STOPS.insert(connection, msgspec.structs.replace(stop, created_at=now))

        await self._database.write(work)

    async def wished(self, tasks: Sequence[str]) -> list[Stop]:
        """Of those ``tasks``."""

        def work(connection: Connection) -> list[Stop]:
            found: list[Stop] = []
            for at in range(0, len(tasks), _AT_ONCE):
                some = tasks[at : at + _AT_ONCE]
                found += STOPS.all(connection, f"where task in ({', '.join('?' * len(some))})", *some)
            return found

        return await self._database.read(work)
