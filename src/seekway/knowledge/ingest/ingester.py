"""Documents are indexed in the background, a few at a time, each failing for itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Final

from seekway.core.errors import InternalError, RateLimited, SeekwayError, ServerError, StorageUnavailable, unforeseen
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.records import Added, DocumentKey, DocumentRecord, NewDocument

Log = Callable[[str, dict[str, str]], None]
"""Told of an event by its name and what it is about."""

_TRIES: Final = 5
_FIRST_PAUSE_S: Final = 1.0


class _Job:
    """A document being worked on. From ``commits`` on it is waited for, and not cancelled."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.committing = False

    def commits(self) -> None:
        self.committing = True

    async def stop(self) -> None:
        if not self.committing:
            self.task.cancel()
        await asyncio.wait([self.task])


class Ingester:
    """Adds, replaces, pauses and deletes documents, and while :meth:`run` runs, indexes what waits, ``at_once`` at a time.

    One process at a time works on a database. ``pause`` waits so many seconds before another try where a model or the database could not be reached.
    """

    def __init__(
        self,
        book: DocumentBook,
        indexing: Indexing,
        *,
        clock: Callable[[], int],
        at_once: int = 2,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        log: Log | None = None,
    ) -> None:
        self._book = book
        self._indexing = indexing
        self._clock = clock
        self._at_once = at_once
        self._pause = pause
        self._log = log
        self._jobs: dict[DocumentKey, _Job] = {}
        self._held: dict[DocumentKey, int] = {}
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._taken_up = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled. First what an earlier process left is taken up: documents go on, deletions are ended."""
        await self._book.put_back()
        documents, datasets = await self._book.marked()
        for key in documents:
            await self._indexing.forget(key)
        for tenant, dataset in datasets:
            await self._indexing.forget_dataset(tenant, dataset)
        self._taken_up.set()
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                await self._start(group)
                await self._wake.wait()

    async def add(self, tenant: str, dataset: str, new: NewDocument) -> Added:
        """On disk when this returns: from here on it is not lost. Raises ``NotFound`` where there is no such dataset."""
        added = await self._book.add(tenant, dataset, new)
        self._wake.set()
        return added

    async def replace(self, key: DocumentKey, new: NewDocument) -> DocumentRecord:
        """Another file or rule for the document; what it had is found until the new is indexed."""
        async with self._alone(key):
            return await self._book.replace(key, new)

    async def pause(self, key: DocumentKey) -> None:
        """Raises ``InvalidRequest`` for one that is through."""
        async with self._alone(key):
            await self._book.pause(key)

    async def again(self, key: DocumentKey) -> None:
        """Go on with one that is paused, try again one that failed. Raises ``InvalidRequest`` for any other."""
        await self._book.again(key)
        self._wake.set()

    async def delete(self, key: DocumentKey) -> None:
        """Every trace of it is gone when this returns; a crash amid it is made good at the next start."""
        await self._book.mark_deleted(key)
        async with self._alone(key):
            await self._indexing.forget(key)

    async def delete_dataset(self, tenant: str, dataset: str) -> None:
        """With all of its documents, as :meth:`delete`."""
        await self._book.mark_dataset_deleted(tenant, dataset)
        for key in (await self._book.marked())[0]:
            if (key.tenant, key.dataset) == (tenant, dataset):
                async with self._alone(key):
                    await self._indexing.forget(key)
        await self._indexing.forget_dataset(tenant, dataset)

    async def idle(self) -> None:
        """Until nothing waits and nothing is worked on; :meth:`run` must run."""
        await self._taken_up.wait()
        while True:
            self._ended.clear()
            if not self._jobs and not await self._book.waiting(1):
                return
            await self._ended.wait()

    @contextlib.asynccontextmanager
    async def _alone(self, key: DocumentKey) -> AsyncGenerator[None]:
        """Nobody works on the document, nor begins to."""
        self._held[key] = self._held.get(key, 0) + 1
        try:
            job = self._jobs.get(key)
            if job is not None:
                await job.stop()
            yield
        finally:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
            self._wake.set()
            self._ended.set()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        if len(self._jobs) >= self._at_once:
            return
        try:
            # Some of them may be held.
            waiting = await self._book.waiting(2 * self._at_once + len(self._held))
        except StorageUnavailable as error:
            self._tell("documents_not_read", None, error)
            await self._pause(_FIRST_PAUSE_S)
            self._wake.set()
            return
        for key in waiting:
            if len(self._jobs) < self._at_once and key not in self._jobs and key not in self._held:
                # The task begins to run only when this is left, and finds its job.
                job = self._jobs[key] = _Job(group.create_task(self._work(key)))
                # Also of a task that is cancelled before it began.
                job.task.add_done_callback(partial(self._is_over, key))

    def _is_over(self, key: DocumentKey, _: object) -> None:
        del self._jobs[key]
        self._wake.set()
        self._ended.set()

    async def _work(self, key: DocumentKey) -> None:
        try:
            await self._tried(key)
        except SeekwayError as error:
            await self._failed(key, error)
        except Exception as error:  # noqa: BLE001 - the edge of a document's work; the others go on
            await self._failed(key, unforeseen(error))

    async def _tried(self, key: DocumentKey) -> None:
        job, pause = self._jobs[key], _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            job.committing = False
            try:
                await self._indexing.run(key, job.commits)
            except (ServerError, RateLimited) as error:
                job.committing = False
                if not left or isinstance(error, InternalError):
                    raise
                self._tell("document_tried_again", key, error)
                await self._pause(error.retry_after_s or pause)
                pause *= 2
            else:
                return

    async def _failed(self, key: DocumentKey, error: SeekwayError) -> None:
        self._tell("document_failed", key, error)
        try:
            await self._book.step(key, "error", error=error.message, stopped_at=self._clock())
        except StorageUnavailable as unwritten:
            # Its status says that it is under way; the next start takes it up.
            self._tell("document_failure_not_kept", key, unwritten)

    def _tell(self, event: str, key: DocumentKey | None, error: SeekwayError) -> None:
        if self._log is not None:
            about = {"dataset": key.dataset, "document": key.document} if key is not None else {}
            self._log(event, {**about, "error": error.message})
