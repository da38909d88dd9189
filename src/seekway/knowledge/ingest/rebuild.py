"""The index made again from the book: where it was lost, where another store takes its place, or where somebody doubts it.

Here is only said what the index shall be told again; whoever has the turn tells it (:meth:`Ingester.run`), passage by passage as people left them, and a
crash amid it is made good as after any change of a segment.
"""

from __future__ import annotations

import contextlib

from seekway.core.errors import NotFound
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.records import DatasetRecord


async def rebuild_lost(book: DocumentBook, index: PassageIndex) -> list[DatasetRecord]:
    """Of every tenant the datasets that have passages and of which the index knows nothing; it is told of all of them again."""
    lost: list[DatasetRecord] = []
    for tenant, name in await book.segments.datasets():
        try:
            await index.dataset(tenant, name)
        except NotFound:
            with contextlib.suppress(NotFound):  # deleted meanwhile
                lost.append(await book.dataset(tenant, name))
                await book.segments.unsettle(tenant, name)
    return lost


async def rebuild(book: DocumentBook, index: PassageIndex, dataset: DatasetRecord) -> None:
    """The index is told of every passage again, and has no document that the book does not know. What is found stays found until then."""
    tenant, name = dataset.tenant, dataset.id
    await book.segments.unsettle(tenant, name)
    with contextlib.suppress(NotFound):
        there = [document.id for document in await index.documents(tenant, name)]
        # Read after the index: a document that came meanwhile is known.
        known = {document.id for document in await book.documents(tenant, name)}
        for document in there:
            if document not in known:
                await index.delete(tenant, name, document)
