"""One document from its file to the index, in steps that may be done again.

What was cut and what was embedded is kept after each step and batch, so that a document goes on where it was; putting it into the index takes the place of what was there under its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final, Protocol

import msgspec
import numpy as np

from seekway.core.errors import ConfigError, DocumentUnreadable, InternalError, NotFound
from seekway.core.token_estimate import mixed_tokens
from seekway.knowledge.chunking.general import CountTokens
from seekway.knowledge.chunking.passages import (
    Asker,
    asked_passages,
    general_passages,
    parent_passages,
    table_passages,
)
from seekway.knowledge.cleaning import clean
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.entries import have_dataset, indexed
from seekway.knowledge.ingest.job_book import Claimed, Superseded
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, DocumentRecord
from seekway.knowledge.parsing.parsed import Parsed
from seekway.knowledge.passage import Passage, embedded_texts
from seekway.knowledge.ports import Embedder, Vectors
from seekway.knowledge.segments.editing import SegmentEditing

_BATCH: Final = 32
"""Texts embedded together, and at most lost at a crash."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[Passage])


class Reader(Protocol):
    async def read(self, data: bytes, filename: str, mime: str | None = None) -> Parsed:
        """Raises ``DocumentUnreadable``."""
        ...


class Indexing:
    """``embedder`` gives the model of a dataset's name, as the retriever's does; ``asker`` makes questions, where there is a model for it."""

    def __init__(
        self,
        book: DocumentBook,
        index: PassageIndex,
        reader: Reader,
        embedder: Callable[[str], Embedder],
        *,
        clock: Callable[[], int],
        asker: Asker | None = None,
        count: CountTokens = mixed_tokens,
    ) -> None:
        self._book = book
        self._index = index
        self._reader = reader
        self._embedder = embedder
        self._asker = asker
        self._clock = clock
        self._count = count
        self.editing = SegmentEditing(book, index, embedder, count)

    async def run(self, claimed: Claimed, committing: Callable[[], None]) -> None:
        """``committing`` is called when the index is about to change; from there on it must not be cancelled.

        Raises :class:`Superseded` where the document is no longer this process's, ``DocumentUnreadable`` for what is wrong with the file, and what embedder, asker and database raise.
        """
        key = claimed.key
        document = await self._book.document(key)
        dataset = await self._book.dataset(key.tenant, key.dataset)
        kept, embedded = await self._book.jobs.cut(key)
        if kept is None:
            passages, embedded = await self._cut(claimed, document), list[tuple[int, bytes]]()
        else:
            passages = _DECODER.decode(kept)
            await self._book.jobs.step(claimed, "indexing")
        vectors = await self._vectors(claimed, dataset, passages, embedded) if dataset.dimensions else None
        committing()
        await self._put(claimed, dataset, passages, vectors)

    async def describe(self, document: DocumentRecord) -> None:
        """Name, metadata and whether it is found, here and in the index; one that is not there yet will have them."""
        await self._book.describe(document)
        await self.describe_again(document.key)

    async def describe_again(self, key: DocumentKey) -> None:
        """The index is told what is said of the document now."""
        async with self.editing.alone(key):
            document = await self._book.document(key)
            with contextlib.suppress(NotFound):
                await self._index.change(document.tenant, document.dataset, indexed(document))
            await self._book.listing.described(document)

    async def describe_dataset(self, dataset: DatasetRecord) -> None:
        """As :meth:`DocumentBook.change_dataset`, and its name in the index."""
        await self._book.change_dataset(dataset)
        with contextlib.suppress(NotFound):
            await self._index.rename(dataset.tenant, dataset.id, dataset.name)

    async def hide(self, key: DocumentKey) -> None:
        """Its passages are found no more, and gone."""
        with contextlib.suppress(NotFound):
            await self._index.delete(key.tenant, key.dataset, key.document)

    async def hide_dataset(self, tenant: str, dataset: str) -> None:
        with contextlib.suppress(NotFound):
            await self._index.drop(tenant, dataset)

    async def forget(self, key: DocumentKey) -> None:
        """Every trace of a document that is marked as deleted."""
        await self.hide(key)
        await self._book.purge(key)

    async def forget_dataset(self, tenant: str, dataset: str) -> None:
        """Every trace of a dataset that is marked, and whose documents are forgotten."""
        await self.hide_dataset(tenant, dataset)
        await self._book.purge_dataset(tenant, dataset)

    async def _cut(self, claimed: Claimed, document: DocumentRecord) -> list[Passage]:
        key, jobs = claimed.key, self._book.jobs
        await jobs.step(claimed, "parsing", started_at=self._clock(), segments=0, segments_done=0)
        parsed = await self._reader.read(await self._book.file(key), document.name, document.mime)
        await jobs.step(claimed, "cleaning", parsed_at=self._clock(), characters=len(parsed.text))
        # Seconds for a long book: not on the event loop.
        parsed = await asyncio.to_thread(clean, parsed, document.rule.cleaning)
        await jobs.step(claimed, "splitting", cleaned_at=self._clock(), characters=len(parsed.text))
        passages = await self._passages(document, parsed)
        if not passages:
            raise DocumentUnreadable(
                f"{document.name}: After cleaning, nothing is left of it to be found; clean less, or add a file with text."
            )
        tokens = sum(self._count(passage.text) for passage in passages)
        encoded = await asyncio.to_thread(_ENCODER.encode, passages)
        found = {"tokens": math.ceil(tokens), "segments": len(passages), "segments_done": 0}
        await jobs.keep_cut(claimed, encoded, {"status": "indexing", "split_at": self._clock(), **found})
        return passages

    async def _passages(self, document: DocumentRecord, parsed: Parsed) -> list[Passage]:
        match document.form:
            case "text_model":
                return await asyncio.to_thread(general_passages, parsed, document.rule, self._count)
            case "hierarchical_model":
                return await asyncio.to_thread(parent_passages, parsed, document.rule, self._count)
            case "qa_model":
                if parsed.pairs:
                    return table_passages(parsed)[1]
                if self._asker is None:
                    raise ConfigError(
                        "Questions and answers come from a table of two columns, or from a model that makes them, of which there is none.",
                        param="doc_form",
                    )
                asked = await asked_passages(parsed, document.rule, self._asker, document.language, self._count)
                return asked[1]

    async def _vectors(
        self,
        claimed: Claimed,
        dataset: DatasetRecord,
        passages: Sequence[Passage],
        embedded: Sequence[tuple[int, bytes]],
    ) -> Vectors:
        """Of every text that is searched; those that were embedded before are taken as they are."""
        keys = [embedded_texts(passage) for passage in passages]
        texts = [text for of_one in keys for text in of_one]
        # How many texts there are up to the end of each passage.
        ends = list(accumulate(len(of_one) for of_one in keys))
        rows = np.zeros((len(texts), dataset.dimensions), np.float32)
        missing = [True] * len(texts)
        for first, body in embedded:
            known = np.frombuffer(body, "<f4").reshape(-1, dataset.dimensions)
            rows[first : first + len(known)] = known
            missing[first : first + len(known)] = [False] * len(known)
        for first, past in _gaps(missing):
            found = await self._embedder(dataset.embedding_model).embed(texts[first:past], "passage")
            due = (past - first, dataset.dimensions)
            if found.shape != due:
                raise InternalError(
                    f"The model {dataset.embedding_model} gave vectors of the shape {found.shape}, where {due} is due; give the knowledge base the model it was made with."
                )
            rows[first:past] = found
            done = bisect_right(ends, past)
            await self._book.jobs.keep_vectors(claimed, first, np.ascontiguousarray(found, "<f4").tobytes(), done)
        return rows

    async def _put(
        self, claimed: Claimed, dataset: DatasetRecord, passages: Sequence[Passage], vectors: Vectors | None
    ) -> None:
        key = claimed.key
        await have_dataset(self._index, dataset)
        async with self.editing.alone(key):
            now = await self._book.document(key)
            await self._index.put(key.tenant, key.dataset, indexed(now), passages, vectors)
            try:
                await self._book.jobs.complete(claimed, passages)
            except Superseded:
                await self._mend(key)
                raise
            later = await self._book.document(key)
            if indexed(later) != indexed(now):
                await self._index.change(key.tenant, key.dataset, indexed(later))

    async def _mend(self, key: DocumentKey) -> None:
        """What was put came too late: nothing of it stays where the document is gone, and another's newer passages are put again."""
        await self._book.jobs.do_again(key)
        try:
            await self._book.document(key)
        except NotFound:
            await self.hide(key)
        try:
            await self._book.dataset(key.tenant, key.dataset)
        except NotFound:
            await self.hide_dataset(key.tenant, key.dataset)


def _gaps(missing: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Runs of what is missing, of at most a batch."""
    first = 0
    while first < len(missing):
        if not missing[first]:
            first += 1
            continue
        past = first
        while past < len(missing) and missing[past] and past - first < _BATCH:
            past += 1
        yield first, past
        first = past
