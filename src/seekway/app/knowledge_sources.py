"""Folders and files of the settings, kept up to date in their knowledge bases."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from seekway.app.knowledge_files import FoundFile, find_files, new_document
from seekway.app.state import beside
from seekway.core.errors import AlreadyExists, InvalidRequest, NotFound, SeekwayError, StorageUnavailable
from seekway.core.sections.knowledge import SourceSettings
from seekway.knowledge.ingest.ingester import Log
from seekway.knowledge.ingest.lease import Lease
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument
from seekway.knowledge.ingest.source_book import Followed, Source, SourceBook
from seekway.knowledge.knowledge_base import KnowledgeBase

_LOOK_S: Final = 5.0

Seen = dict[str, tuple[FoundFile, str]]
"""The files there are, by name, with what changes when they do."""


class KnowledgeSources:
    """Looks every few seconds; whichever process holds ``lease`` does what is to be done. ``config`` is the settings file.

    A file that cannot be read is told of and left as it was; the others go on.
    """

    def __init__(
        self,
        sources: Sequence[SourceSettings],
        config: Path | None,
        base: KnowledgeBase,
        book: SourceBook,
        lease: Lease,
        tell: Log,
    ) -> None:
        self._sources = [(source, beside(config, source.path)) for source in sources]
        self._base = base
        self._book = book
        self._lease = lease
        self._tell = tell
        self._done: dict[int, Seen] = {}
        self._problems: dict[int, str] = {}
        self._told: set[str] = set()

    async def run(self) -> None:
        """Until cancelled; at once where there are no sources."""
        while self._sources:
            for number, (source, path) in enumerate(self._sources):
                try:
                    seen = await asyncio.to_thread(_look, path, source)
                    if self._done.get(number) != seen and await self._lease.take():
                        await self._follow(source, path, seen)
                        self._done[number] = seen
                except* SeekwayError as group:
                    self._say(number, group)
            await asyncio.sleep(_LOOK_S)

    async def _follow(self, source: SourceSettings, path: Path, seen: Seen) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._lease.keep())
                await self._bring(source, str(path), seen)
                keeping.cancel()
        finally:
            await self._lease.release()

    async def _bring(self, source: SourceSettings, path: str, seen: Seen) -> None:
        dataset = await self._dataset(source)
        place = Source(source.tenant, dataset.id, path)
        known = await self._book.files(place)
        for name, (file, signature) in seen.items():
            before = known.pop(name, None)
            if before is not None and before.signature == signature:
                continue
            try:
                new = await asyncio.to_thread(new_document, file, source)
                self._base.check_size(name, len(new.data))
                document, own = await self._put(place, before, new)
            except StorageUnavailable:
                raise
            except SeekwayError as error:
                self._tell("source_file_not_taken", {"file": str(file.path), "error": error.message})
                continue
            await self._book.note(place, Followed(name, signature, document, own))
        for name in known:
            await self._drop(place, name)

    async def _put(self, place: Source, before: Followed | None, new: NewDocument) -> tuple[str, bool]:
        """The document's id, and whether it is the source's own."""
        ingester = self._base.ingester
        if before is not None:
            key = DocumentKey(place.tenant, place.dataset, before.document)
            if before.own and not await self._book.shared(place, before.document):
                with contextlib.suppress(NotFound):
                    return (await ingester.replace(key, new)).id, True
            await self._drop(place, before.path)
        # The batch says whose it is, should this process end before it is noted.
        digest = hashlib.sha256("\n".join((place.source, new.name)).encode("utf-8", "replace"))
        batch = f"source-{digest.hexdigest()[:24]}"
        added = await ingester.add(place.tenant, place.dataset, msgspec.structs.replace(new, batch=batch))
        return added.document.id, not added.known or added.document.batch == batch

    async def _drop(self, place: Source, name: str) -> None:
        gone = await self._book.forget(place, name)
        if gone is not None:
            with contextlib.suppress(NotFound):
                await self._base.ingester.delete(gone)

    async def _dataset(self, source: SourceSettings) -> DatasetRecord:
        for one in await self._base.book.datasets(source.tenant):
            if one.name == source.name:
                return one
        made = DatasetRecord(source.tenant, str(uuid.uuid4()), source.name, embedding_model=self._base.embedding_model)
        with contextlib.suppress(AlreadyExists):
            return await self._base.create(made)
        return await self._dataset(source)

    def _say(self, number: int, group: BaseExceptionGroup[SeekwayError]) -> None:
        """What is still wrong at the second look: a model may only be loading."""
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        problem, before = error.message, self._problems.get(number)
        self._problems[number] = problem
        if problem == before and problem not in self._told:
            self._told.add(problem)
            self._tell("source_not_followed", {"source": str(self._sources[number][1]), "error": problem})


def _look(path: Path, source: SourceSettings) -> Seen:
    """Raises ``InvalidRequest`` where the folder is away: its documents stay, since nobody deleted them."""
    found = find_files(path)
    seen: Seen = {}
    how = f"{source.form} {source.separator!r} {source.max_tokens} {source.overlap_tokens} {source.child_max_tokens} {source.whole_documents} {source.remove_spaces} {source.remove_addresses}"
    for file in found.files:
        try:
            stat = file.path.stat()
        except OSError as error:
            raise InvalidRequest(f"{file.path} cannot be read: {error.strerror}.") from error
        seen[file.name] = (file, f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino} {how}")
    return seen
