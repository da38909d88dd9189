"""The knowledge base as those above it hold it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from seekway.core.errors import BodyTooLarge, ConfigError, NotFound
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester
from seekway.knowledge.ingest.records import DatasetRecord
from seekway.knowledge.ports import Embedder
from seekway.knowledge.retrieval.retriever import Citation, Retrieval, Retriever


def no_models(model: str) -> Embedder:
    """Raises ``ConfigError``."""
    raise ConfigError(f"There is no embedding model {model!r} here; set knowledge.embedding_model.")


@dataclass(frozen=True)
class KnowledgeBase:
    """``book`` knows datasets and documents, ``ingester`` takes and drops them, ``indexing`` describes them anew, ``index`` has the passages, ``retriever`` finds them.

    ``embedding_model`` is that of datasets for which none is named, empty for none; ``reranks`` says whether there is a reranker.
    """

    book: DocumentBook
    ingester: Ingester
    indexing: Indexing
    index: PassageIndex
    retriever: Retriever
    embedder: Callable[[str], Embedder] = no_models
    embedding_model: str = ""
    reranks: bool = False
    max_file_bytes: int = 64 * 2**20

    async def create(self, dataset: DatasetRecord) -> DatasetRecord:
        """As :meth:`DocumentBook.create_dataset`, with the dimensions that its embedding model gives.

        Raises what the model raises where it is not there.
        """
        if dataset.embedding_model and not dataset.dimensions:
            probe = await self.embedder(dataset.embedding_model).embed((dataset.name,), "passage")
            dataset = msgspec.structs.replace(dataset, dimensions=probe.shape[1])
        return await self.book.create_dataset(dataset)

    async def retrieve(
        self, tenant: str, datasets: Sequence[str], query: str, how: Retrieval, /
    ) -> tuple[Citation, ...]:
        """As :meth:`Retriever.retrieve`; a dataset without a document that was ever indexed has nothing to be found."""
        try:
            return await self.retriever.retrieve(tenant, datasets, query, how)
        except NotFound:
            for dataset in datasets:
                await self.book.dataset(tenant, dataset)
            # What the book knows and the index does not had no document yet.
            indexed = {one.id for one in await self.index.datasets(tenant)}
            there = [dataset for dataset in datasets if dataset in indexed]
            return await self.retriever.retrieve(tenant, there, query, how)

    def check_size(self, name: str, size: int) -> None:
        """Raises ``BodyTooLarge`` for a file of more than ``max_file_bytes``."""
        if size > self.max_file_bytes:
            raise BodyTooLarge(
                f"{name} has {size} bytes, and at most {self.max_file_bytes} are taken; split it, or raise knowledge.max_file_bytes.",
                param="file",
            )
