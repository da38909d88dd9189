"""Changes of segments, in the book and then in the index.

A change is kept first; the index follows before the call returns. What a crash came between is made good at the next start (:meth:`SegmentEditing.settle`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final, Protocol

import numpy as np

from seekway.core.errors import InternalError, NotFound
from seekway.core.token_estimate import mixed_tokens
from seekway.knowledge.chunking.general import CountTokens
from seekway.knowledge.chunking.passages import children_of_text
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.ingest.entries import have_dataset, indexed
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, DocumentRecord
from seekway.knowledge.passage import embedded_texts
from seekway.knowledge.ports import Embedder, Vectors
from seekway.knowledge.segments.records import NewSegment, Segment, SegmentChange
from seekway.knowledge.segments.segment_book import SegmentBook

_TIMES: Final = 5
_BATCH: Final = 256
"""Segments that the index hears of together, and at most once more after a crash."""


class Records(Protocol):
    """What is asked of the book of documents."""

    @property
    def segments(self) -> SegmentBook: ...

    async def dataset(self, tenant: str, dataset: str, /) -> DatasetRecord: ...

    async def document(self, key: DocumentKey, /) -> DocumentRecord: ...


class SegmentEditing:
    """All raise as :class:`SegmentBook` does, and what the embedder raises: then the change is kept, and the index hears of it later."""

    def __init__(
        self,
        book: Records,
        index: PassageIndex,
        embedder: Callable[[str], Embedder],
        count: CountTokens = mixed_tokens,
    ) -> None:
        self._book = book
        self._index = index
        self._embedder = embedder
        self._count = count
        self._locks: dict[DocumentKey, tuple[asyncio.Lock, list[object]]] = {}

    @contextlib.asynccontextmanager
    async def alone(self, key: DocumentKey) -> AsyncGenerator[None]:
        """Nobody else in this process changes what the index has of the document."""
        lock, users = self._locks.setdefault(key, (asyncio.Lock(), []))
        mark = object()
        users.append(mark)
        try:
            async with lock:
                yield
        finally:
            users.remove(mark)
            if not users:
                self._locks.pop(key, None)

    async def add(self, key: DocumentKey, new: Sequence[NewSegment]) -> list[Segment]:
        """Parents are given children by the document's rule where none are given."""
        document = await self._book.document(key)
        if document.form == "hierarchical_model":
            new = [
                NewSegment(
                    one.content, one.answer, one.keywords, one.children or await self._cut(document, one.content)
                )
                for one in new
            ]
        made = await self._book.segments.add(key, new)
        await self.settle(key)
        return [await self._book.segments.segment(key, one.id) for one in made]

    async def change(
        self, key: DocumentKey, segment: str, change: SegmentChange, *, cut_again: bool = False
    ) -> Segment:
        """With ``cut_again`` a parent's children are made anew."""
        document = await self._book.document(key)
        if cut_again and document.form == "hierarchical_model":
            content = change.content or (await self._book.segments.segment(key, segment)).content
            children = await self._cut(document, content)
            change = SegmentChange(change.content, change.answer, change.keywords, change.enabled, children)
        await self._book.segments.change(key, segment, change)
        await self.settle(key)
        return await self._book.segments.segment(key, segment)

    async def delete(self, key: DocumentKey, segment: str) -> None:
        """Every trace of it is gone when this returns."""
        await self._book.segments.mark_deleted(key, segment)
        await self.settle(key)

    async def add_child(self, key: DocumentKey, segment: str, content: str) -> str:
        made = await self._book.segments.add_child(key, segment, content)
        await self.settle(key)
        return made

    async def change_child(self, key: DocumentKey, segment: str, child: str, content: str | None) -> None:
        """None takes it away."""
        await self._book.segments.change_child(key, segment, child, content)
        await self.settle(key)

    async def settle(self, key: DocumentKey) -> None:
        """The index has the document's segments as they are in the book. Only for one that is indexed."""
        async with self.alone(key):
            # More than once only where another process is at the same segments.
            for _ in range(_TIMES):
                changed = await self._book.segments.unsettled(key)
                if not changed:
                    return
                for first in range(0, len(changed), _BATCH):
                    batch = changed[first : first + _BATCH]
                    await self._index_as_kept(key, batch)
                    await self._book.segments.settle(key, batch)

    async def _index_as_kept(self, key: DocumentKey, changed: Sequence[Segment]) -> None:
        there = [one for one in changed if one.enabled and not one.deleted]
        gone = [one.position for one in changed if not one.enabled or one.deleted]
        if gone:
            with contextlib.suppress(NotFound):
                await self._index.drop_passages(key.tenant, key.dataset, key.document, gone)
        if there:
            dataset = await self._book.dataset(key.tenant, key.dataset)
            passages = [one.passage for one in there]
            texts = [text for passage in passages for text in embedded_texts(passage)]
            vectors = await self._vectors(dataset, texts) if dataset.dimensions else None
            try:
                await self._index.put_passages(key.tenant, key.dataset, key.document, passages, vectors)
            except NotFound:
                await self._make_anew(key, dataset, there, vectors)

    async def _make_anew(
        self, key: DocumentKey, dataset: DatasetRecord, segments: Sequence[Segment], vectors: Vectors | None
    ) -> None:
        """The index has lost the document: it has it again, with these and, when it hears of them, all the others."""
        document = await self._book.document(key)
        await have_dataset(self._index, dataset)
        passages = [one.passage for one in segments]
        await self._index.put(key.tenant, key.dataset, indexed(document), passages, vectors)
        await self._book.segments.unsettle_others(key, segments)
        try:
            await self._book.document(key)
        except NotFound:
            # Whoever deletes it may have been at the index before.
            with contextlib.suppress(NotFound):
                await self._index.delete(key.tenant, key.dataset, key.document)
            raise

    async def _cut(self, document: DocumentRecord, content: str) -> tuple[str, ...]:
        return await asyncio.to_thread(children_of_text, content, document.rule, self._count)

    async def _vectors(self, dataset: DatasetRecord, texts: Sequence[str]) -> Vectors:
        found = await self._embedder(dataset.embedding_model).embed(texts, "passage")
        if found.shape != (len(texts), dataset.dimensions):
            raise InternalError(
                f"The model {dataset.embedding_model} gave vectors of the shape {found.shape}; give the knowledge base the model it was made with."
            )
        return found.astype(np.float32)
