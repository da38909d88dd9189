"""The knowledge base of a process, put together from the settings."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from pathlib import Path
from typing import Final

from seekway.app.knowledge_sources import KnowledgeSources
from seekway.app.state import State, beside, milliseconds
from seekway.core.errors import SeekwayError
from seekway.core.sections.knowledge import KnowledgeSettings
from seekway.core.settings import Settings, read_secret
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.index.terms import analysis
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester, Log
from seekway.knowledge.ingest.lease import Lease
from seekway.knowledge.ingest.source_book import SourceBook
from seekway.knowledge.ingest.turn import IngestTurn
from seekway.knowledge.knowledge_base import KnowledgeBase
from seekway.knowledge.parsing.parsed import Bounds
from seekway.knowledge.parsing.reader_process import DocumentReader
from seekway.knowledge.retrieval.retriever import Retriever
from seekway.knowledge.served_models import FindBackend, ServedModels, ServedReranker
from seekway.storage.sql.database import Database
from seekway.storage.sql.sqlite import overwrite_deleted

RECORDS = "knowledge.sqlite"
PASSAGES = "passages.sqlite"
"""A file of its own: a long document that is being indexed shall not keep others from being added."""
_LOOK_S: Final = 2.0
_AGAIN_S: Final = 30.0
"""When something is warm, and after a model or a database that was away."""

TABLES = "passages.lance"


class Knowledge:
    """``base`` is for whoever asks; :meth:`run` does the work behind it. Nothing is opened before it is asked for.

    ``find`` gives the backend of a model, ``config`` is the settings file, ``tell`` hears of what goes wrong behind.
    Raises ``ConfigError`` where PostgreSQL or Lance is named and its package is not installed.
    """

    def __init__(self, settings: Settings, config: Path | None, find: FindBackend, tell: Log) -> None:
        wanted = settings.knowledge
        self._state = State(settings.storage, config)
        self._passages: Database | None = None
        self._records = self._state.records(RECORDS, _make_records, prepare=overwrite_deleted)
        index = self._index(wanted, config)
        self._models = ServedModels(find)
        self._reader = DocumentReader(bounds=Bounds(bytes=wanted.max_file_bytes))
        reranker = None if wanted.rerank_model is None else ServedReranker(find, wanted.rerank_model)
        book = DocumentBook(self._records, milliseconds)
        embedder = self._models.embedder
        indexing = Indexing(book, index, self._reader, embedder, clock=milliseconds)
        ingester = Ingester(book, indexing, clock=milliseconds, at_once=wanted.ingest_at_once, log=tell)
        holder = str(uuid.uuid4())
        self.turn = IngestTurn(
            book,
            index,
            ingester,
            Lease(self._records, "documents", holder),
            tell,
            there=lambda: self._state.there(RECORDS),
        )
        self.base = KnowledgeBase(
            book,
            ingester,
            indexing,
            index,
            Retriever(index, embedder, reranker),
            embedder,
            wanted.embedding_model,
            reranks=reranker is not None,
            max_file_bytes=wanted.max_file_bytes,
        )

        sources = SourceBook(self._records), Lease(self._records, "sources", holder)
        self.sources = KnowledgeSources(wanted.sources, config, self.base, *sources, tell)

    async def run(self) -> None:
        """Index what is added and follow the sources, until cancelled, when it is this process's turn."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.turn.run())
            group.create_task(self.sources.run())
            group.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        """What the first question of a knowledge base would wait for, as soon as there is one: the dictionary, and what is learnt of its model."""
        warm: set[str] = set()
        while True:
            pause = _AGAIN_S
            with contextlib.suppress(SeekwayError):  # whoever asks a question will hear of it
                if self._state.there(RECORDS):
                    await self._warm_up_new(warm)
                pause = _AGAIN_S if warm else _LOOK_S
            await asyncio.sleep(pause)

    async def _warm_up_new(self, warm: set[str]) -> None:
        models = await self.base.book.embedding_models()
        if models and not warm:
            await asyncio.to_thread(analysis.warm_up)
        for model in sorted(models - warm):
            if model:
                await self.base.retriever.warm_up(model)
            warm.add(model)

    async def close(self) -> None:
        """After the last question."""
        await self._models.close()
        await self._reader.close()
        await self._records.close()
        if self._passages is not None:
            await self._passages.close()

    def _index(self, wanted: KnowledgeSettings, config: Path | None) -> PassageIndex:
        if wanted.store == "sqlite":
            self._passages = self._state.file(PASSAGES, _make_passages, prepare=prepare_connection)
            return SqlitePassageIndex(self._passages)
        from seekway.knowledge.index.lance.lance_index import LancePassageIndex

        url = wanted.store_url or str(self._state.directory / TABLES)
        secrets = {option: read_secret(name, None) or "" for option, name in wanted.store_options_env.items()}
        return LancePassageIndex(url if "://" in url else str(beside(config, url)), {**wanted.store_options, **secrets})


async def _make_records(database: Database) -> None:
    await DocumentBook(database, milliseconds).open()


async def _make_passages(database: Database) -> None:
    await SqlitePassageIndex(database).open()
