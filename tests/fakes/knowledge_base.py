"""A knowledge base of its own, embedded without a model, that indexes while it is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester
from seekway.knowledge.knowledge_base import KnowledgeBase
from seekway.knowledge.parsing.parse import parse
from seekway.knowledge.parsing.parsed import Parsed
from seekway.knowledge.ports import Embedder, Reranker
from seekway.knowledge.retrieval.retriever import Retriever
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder

MODEL = "hashed"


class ReaderHere:
    """Reads in this process."""

    async def read(self, data: bytes, filename: str, mime: str | None = None) -> Parsed:
        return parse(data, filename, mime)


@asynccontextmanager
async def knowledge_base(
    folder: Path,
    *,
    embedder: Embedder | None = None,
    reranker: Reranker | None = None,
    max_file_bytes: int = 2**20,
    clock: Callable[[], int] | None = None,
    embedding_model: str = MODEL,
) -> AsyncGenerator[KnowledgeBase]:
    made: Embedder = embedder or HashedEmbedder()

    def of_any_name(_: str) -> Embedder:
        return made

    now = clock or (lambda: time.time_ns() // 1_000_000)
    database = SqliteDatabase(folder / "knowledge.sqlite", prepare=prepare_connection)
    book, index = DocumentBook(database, now), SqlitePassageIndex(database)
    await book.open()
    await index.open()
    indexing = Indexing(book, index, ReaderHere(), of_any_name, clock=now)
    ingester = Ingester(book, indexing, clock=now)
    running = asyncio.ensure_future(ingester.run())
    try:
        yield KnowledgeBase(
            *(book, ingester, indexing, index, Retriever(index, of_any_name, reranker), of_any_name),
            embedding_model=embedding_model,
            reranks=reranker is not None,
            max_file_bytes=max_file_bytes,
        )
    finally:
        running.cancel()
        await asyncio.wait([running])
        await database.close()
