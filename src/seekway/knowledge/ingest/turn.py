"""Several processes on one database: whichever sees work first does all of it, until there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from seekway.core.errors import SeekwayError
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.ingester import Ingester, Log
from seekway.knowledge.ingest.lease import Lease
from seekway.knowledge.ingest.rebuild import rebuild_lost

_LOOK_S: Final = 1.0


class IngestTurn:
    """``there`` says whether there may be anything at all, without opening the database. Only reads as long as there is nothing to do.

    An index that was lost is seen at the start, and made again.
    """

    def __init__(
        self,
        book: DocumentBook,
        index: PassageIndex,
        ingester: Ingester,
        lease: Lease,
        log: Log,
        *,
        there: Callable[[], bool],
    ) -> None:
        self._book = book
        self._index = index
        self._ingester = ingester
        self._lease = lease
        self._log = log
        self._there = there
        self._problem = ""
        self._looked = False

    async def run(self) -> None:
        """Until cancelled. A database that is away is told of once, and asked again."""
        while True:
            try:
                worked = self._there() and await self._work()
                self._problem = ""
            except* SeekwayError as group:
                worked = False
                self._tell(group)
            if not worked:
                await self._ingester.woken(_LOOK_S)

    async def _work(self) -> bool:
        if not self._looked:
            for dataset in await rebuild_lost(self._book, self._index):
                self._log("knowledge_index_rebuilt", {"dataset": dataset.id, "name": dataset.name})
            self._looked = True
        return await self._book.jobs.due() and await self._turn()

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
