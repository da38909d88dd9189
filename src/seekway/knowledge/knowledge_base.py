"""The knowledge base as those above it hold it."""

from __future__ import annotations

from dataclasses import dataclass

from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester
from seekway.knowledge.retrieval.retriever import Retriever


@dataclass(frozen=True)
class KnowledgeBase:
    """``book`` knows datasets and documents, ``ingester`` takes and drops them, ``indexing`` describes them anew, ``index`` has the passages, ``retriever`` finds them."""

    book: DocumentBook
    ingester: Ingester
    indexing: Indexing
    index: PassageIndex
    retriever: Retriever
