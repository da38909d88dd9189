"""Files added to a knowledge base, with what becomes of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence

import msgspec

from seekway.app.knowledge import Knowledge
from seekway.app.knowledge_files import FoundFile, new_document
from seekway.core.errors import InvalidRequest, SeekwayError
from seekway.core.sections.knowledge import SourceSettings
from seekway.knowledge.ingest.rebuild import rebuild
from seekway.knowledge.ingest.records import DatasetRecord, DocumentRecord

_LOOK_S = 0.2

Progress = Callable[[float, float, str], None]
"""Told how much of how much is done, and of what."""


class Filled(msgspec.Struct):
    """``problems`` say of files why they are not found, ``known`` counts those that were there already."""

    documents: list[DocumentRecord] = []
    known: int = 0
    problems: list[str] = []


async def dataset_named(knowledge: Knowledge, tenant: str, name: str | None) -> DatasetRecord:
    """By its name or id; the only one where no name is given. Raises ``InvalidRequest``."""
    every = await knowledge.base.book.datasets(tenant)
    if name is None and len(every) == 1:
        return every[0]
    for one in every:
        if name in (one.name, one.id):
            return one
    names = ", ".join(one.name for one in every) or "none yet"
    if name is None:
        raise InvalidRequest(f"Say which knowledge base; there is: {names}.")
    raise InvalidRequest(f"There is no knowledge base {name!r}; there is: {names}.")


async def make_dataset(
    knowledge: Knowledge, tenant: str, name: str, *, model: str | None = None, description: str = ""
) -> DatasetRecord:
    """With the default embedding model where none is given. Raises ``AlreadyExists``, and what the model raises."""
    chosen = knowledge.base.embedding_model if model is None else model
    return await knowledge.base.create(DatasetRecord(tenant, str(uuid.uuid4()), name, description, chosen))


async def fill(
    knowledge: Knowledge, dataset: DatasetRecord, files: Sequence[FoundFile], how: SourceSettings, progress: Progress
) -> Filled:
    """Add ``files`` and wait until it is indexed, here or by whichever process has the turn."""
    filled, batch = Filled(), str(uuid.uuid4())
    waited: dict[str, DocumentRecord] = {}
    for number, file in enumerate(files):
        progress(number, len(files), "adding")
        try:
            new = msgspec.structs.replace(await asyncio.to_thread(new_document, file, how), batch=batch)
            knowledge.base.check_size(file.name, len(new.data))
            added = await knowledge.base.ingester.add(dataset.tenant, dataset.id, new)
        except SeekwayError as error:
            filled.problems.append(error.message)
            continue
        filled.known += added.known
        waited[added.document.id] = added.document
    while True:
        every = await knowledge.base.book.documents(dataset.tenant, dataset.id)
        filled.documents = [one for one in every if one.id in waited]
        done = sum(map(_share, filled.documents)) + len(waited) - len(filled.documents)
        progress(done, max(len(waited), 1), "indexing")
        if done >= len(waited):
            break
        await asyncio.sleep(_LOOK_S)
    filled.problems += [one.error or one.name for one in filled.documents if one.status == "error"]
    return filled


async def rebuild_index(knowledge: Knowledge, dataset: DatasetRecord, progress: Progress) -> int:
    """Index all of a dataset's passages anew and wait for it, here or in whichever process has the turn; how many they are.

    Raises what the embedding model raises where it is not there: then nothing was begun.
    """
    base = knowledge.base
    if dataset.embedding_model:
        await base.embedder(dataset.embedding_model).embed((dataset.name,), "passage")
    await rebuild(base.book, base.index, dataset)
    total = left = await base.book.segments.unsettled_count(dataset.tenant, dataset.id)
    while left:
        progress(total - left, total, "indexing")
        await asyncio.sleep(_LOOK_S)
        left = await base.book.segments.unsettled_count(dataset.tenant, dataset.id)
    return total


async def not_indexed(knowledge: Knowledge, datasets: Sequence[DatasetRecord]) -> list[str]:
    """Names of those of whose passages the index lacks some: it was lost, or is being made again."""
    book, found = knowledge.base.book, list[str]()
    filled = set(await book.segments.datasets())
    for one in datasets:
        there = one.id in {known.id for known in await knowledge.base.index.datasets(one.tenant)}
        lost = (one.tenant, one.id) in filled and not there
        if lost or await book.segments.unsettled_count(one.tenant, one.id):
            found.append(one.name)
    return found


def _share(document: DocumentRecord) -> float:
    """How far it is; 1 where nothing more is to be waited for."""
    if document.status in ("completed", "error", "paused"):
        return 1.0
    return 0.1 + 0.85 * document.segments_done / document.segments if document.segments else 0.0
