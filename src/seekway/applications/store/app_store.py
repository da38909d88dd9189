"""Everything that is kept of applications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seekway.applications.store.annotations import AnnotationRows
from seekway.applications.store.apps import AppRows
from seekway.applications.store.conversations import ConversationRows
from seekway.applications.store.messages import MessageRows
from seekway.applications.store.stops import StopRows
from seekway.applications.store.uploads import UploadRows
from seekway.storage.sql.database import Database
from seekway.storage.sql.migrations import migrate, read_migrations

PART: Final = "applications"


class AppStore:
    """``clock`` gives milliseconds since 1970. What a writing call returned from outlives the process; all raise ``StorageUnavailable``."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self.clock = clock
        self.apps = AppRows(database, clock)
        self.conversations = ConversationRows(database, clock)
        self.messages = MessageRows(database, clock)
        self.annotations = AnnotationRows(database, clock)
        self.uploads = UploadRows(database, clock)
        self.stops = StopRows(database, clock)

    async def open(self) -> None:
        """Make or bring up to date the tables."""
        await migrate(self._database, PART, read_migrations("seekway.applications.store"))

    async def close(self) -> None:
        await self._database.close()
