"""Documents are indexed in the background, a few at a time, each failing for itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Final

from seekway.core.errors import (
    InternalError,
    NotFound,
    RateLimited,
    SeekwayError,
    ServerError,
    StorageUnavailable,
    unforeseen,
)
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.job_book import Claimed, Superseded
from seekway.knowledge.ingest.records import Added, DocumentKey, DocumentRecord, NewDocument

Log = Callable[[str, dict[str, str]], None]
"""Told of an event by its name and what it is about."""

_TRIES: Final = 5
_FIRST_PAUSE_S: Final = 1.0
_LOOK_S: Final = 1.0
_PURGE_LOOK_S: Final = 0.05
_PURGE_LOOKS: Final = 100


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

    One process at a time runs it on a database (:mod:`seekway.knowledge.ingest.turn`); the others add, pause and delete beside it. ``pause`` waits so many seconds before another try where a model or the database could not be reached.
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
        self.made_good = asyncio.Event()
        """Set when the index has heard, or was tried to be told, of what a process that is no more had said of documents and segments."""

    async def run(self) -> None:
        """Until it is cancelled. First what an earlier process left is taken up: documents go on, deletions are ended."""
        try:
            await self._book.jobs.put_back()
            await self._end_deletions()
            self._taken_up.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._make_good())
                while True:
                    self._wake.clear()
                    await self._start(group)
                    # Others may have added, paused or deleted something.
                    await self._woken(_LOOK_S)
        finally:
            self._taken_up.clear()
            self.made_good.clear()

    async def woken(self, most_s: float) -> None:
        """Until something is added here, or ``most_s`` have passed; for whoever runs this."""
        await self._woken(most_s)
        self._wake.clear()

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
        """Nothing of it is found when this returns, and every trace is gone; a crash amid it is made good at the next start.

        Where another process was working on it, that process takes the last traces away, and is waited for a few seconds.
        """
        here = key in self._jobs
        elsewhere = await self._book.mark_deleted(key) and not here
        await self._delete_marked(key, elsewhere=elsewhere)
        if elsewhere:
            await self._purged(lambda documents, _: key not in documents)

    async def delete_dataset(self, tenant: str, dataset: str) -> None:
        """With all of its documents, as :meth:`delete`."""
        mine = set(self._jobs)
        under_way = await self._book.mark_dataset_deleted(tenant, dataset)
        for key in (await self._book.marked())[0]:
            if (key.tenant, key.dataset) == (tenant, dataset):
                await self._delete_marked(key, elsewhere=key in under_way and key not in mine)
        if under_way <= mine:
            await self._indexing.forget_dataset(tenant, dataset)
        else:
            await self._indexing.hide_dataset(tenant, dataset)
            await self._purged(lambda _, datasets: (tenant, dataset) not in datasets)

    async def idle(self) -> None:
        """Until nothing waits and nothing is worked on; :meth:`run` must run."""
        await self._taken_up.wait()
        await self.made_good.wait()
        while True:
            self._ended.clear()
            if not self._jobs and not await self._book.jobs.waiting(1):
                return
            await self._ended.wait()

    async def _delete_marked(self, key: DocumentKey, *, elsewhere: bool) -> None:
        async with self._alone(key):
            if elsewhere:
                # What another process may still put is taken away by whoever has the turn, who knows when it is over.
                await self._indexing.hide(key)
            else:
                await self._indexing.forget(key)

    async def _purged(self, over: Callable[[list[DocumentKey], list[tuple[str, str]]], bool]) -> None:
        for _ in range(_PURGE_LOOKS):
            if over(*await self._book.marked()):
                return
            await self._pause(_PURGE_LOOK_S)

    async def _end_deletions(self) -> None:
        """Of what is marked and nobody here is deleting already."""
        documents, datasets = await self._book.marked()
        for key in documents:
            if key not in self._held:
                await self._delete_marked(key, elsewhere=False)
        held = {(key.tenant, key.dataset) for key in self._held}
        for tenant, dataset in datasets:
            if (tenant, dataset) not in held:
                await self._indexing.forget_dataset(tenant, dataset)

    async def _woken(self, most_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._wake.wait()

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

    async def _make_good(self) -> None:
        """The index hears of what was said of documents and segments when a process died."""
        for key in await self._book.listing.undescribed():
            await self._made_good(key, self._indexing.describe_again)
        for key in await self._book.segments.unsettled_documents():
            await self._made_good(key, self._indexing.editing.settle)
        self.made_good.set()

    async def _made_good(self, key: DocumentKey, make: Callable[[DocumentKey], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            try:
                await make(key)
            except NotFound:
                return  # deleted meanwhile
            except SeekwayError as error:
                self._tell("document_not_made_good", key, error)
                if left:
                    await self._pause(error.retry_after_s or pause)
                    pause *= 2
            else:
                return

    async def _start(self, group: asyncio.TaskGroup) -> None:
        try:
            await self._end_deletions()
            # Some of them may be held.
            waiting = await self._book.jobs.waiting(2 * self._at_once + len(self._held))
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
        with contextlib.suppress(Superseded):
            try:
                claimed = await self._book.jobs.claim(key)
            except StorageUnavailable as error:
                self._tell("documents_not_read", key, error)
                await self._pause(_FIRST_PAUSE_S)
                return
            await self._claimed(claimed)

    async def _claimed(self, claimed: Claimed) -> None:
        try:
            await self._tried(claimed)
        except Superseded:
            raise
        except SeekwayError as error:
            await self._failed(claimed, error)
        except Exception as error:  # noqa: BLE001 - the edge of a document's work; the others go on
            await self._failed(claimed, unforeseen(error))

    async def _tried(self, claimed: Claimed) -> None:
        key = claimed.key
        job, pause = self._jobs[key], _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            job.committing = False
            try:
                await self._indexing.run(claimed, job.commits)
            except (ServerError, RateLimited) as error:
                job.committing = False
                if not left or isinstance(error, InternalError):
                    raise
                self._tell("document_tried_again", key, error)
                await self._pause(error.retry_after_s or pause)
                pause *= 2
            else:
                return

    async def _failed(self, claimed: Claimed, error: SeekwayError) -> None:
        key = claimed.key
        try:
            await self._book.jobs.step(claimed, "error", error=error.message, stopped_at=self._clock())
        except StorageUnavailable as unwritten:
            # Its status says that it is under way; the next start takes it up.
            self._tell("document_failure_not_kept", key, unwritten)
        self._tell("document_failed", key, error)

    def _tell(self, event: str, key: DocumentKey | None, error: SeekwayError) -> None:
        if self._log is not None:
            about = {"dataset": key.dataset, "document": key.document} if key is not None else {}
            self._log(event, {**about, "error": error.message})
