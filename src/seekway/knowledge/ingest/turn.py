"""Several processes on one database: whichever sees work first does all of it, until there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from seekway.core.errors import SeekwayError
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.ingester import Ingester, Log
from seekway.knowledge.ingest.lease import Lease

_LOOK_S: Final = 1.0


class IngestTurn:
    """``there`` says whether there may be anything at all, without opening the database. Only reads as long as there is nothing to do."""

    def __init__(
        self, book: DocumentBook, ingester: Ingester, lease: Lease, log: Log, *, there: Callable[[], bool]
    ) -> None:
        self._book = book
        self._ingester = ingester
        self._lease = lease
        self._log = log
        self._there = there
        self._problem = ""

    async def run(self) -> None:
        """Until cancelled. A database that is away is told of once, and asked again."""
        while True:
            try:
                worked = self._there() and await self._book.jobs.due() and await self._turn()
                self._problem = ""
            except* SeekwayError as group:
                worked = False
                self._tell(group)
            if not worked:
                await self._ingester.woken(_LOOK_S)

    async def _turn(self) -> bool:
        if not await self._lease.take():
            return False
        try:
            async with asyncio.TaskGroup() as group:
                behind = [group.create_task(self._lease.keep()), group.create_task(self._ingester.run())]
                await self._ingester.idle()
                for task in behind:
                    task.cancel()
        finally:
            await self._lease.release()
        return True

    def _tell(self, group: BaseExceptionGroup[SeekwayError]) -> None:
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if error.message != self._problem:
            self._problem = error.message
            self._log("knowledge_not_indexed", {"error": error.message})
