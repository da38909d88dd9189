"""What retrieval and ingestion know of the place where passages are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from seekway.knowledge.index.conditions import Conditions, MetadataValue
from seekway.knowledge.passage import Passage
from seekway.knowledge.ports import Vectors


class Dataset(msgspec.Struct, frozen=True):
    """``embedding_model`` is empty where nothing is embedded; then ``dimensions`` is 0 and there is no search by meaning."""

    id: str
    name: str
    embedding_model: str = ""
    dimensions: int = 0


class Document(msgspec.Struct, frozen=True):
    """Only an ``enabled`` document is found."""

    id: str
    name: str
    metadata: dict[str, MetadataValue] = {}
    enabled: bool = True


class Scope(msgspec.Struct, frozen=True):
    """Where to look, and for how many passages."""

    datasets: tuple[str, ...]
    limit: int
    conditions: Conditions = Conditions()


class MatchedKey(msgspec.Struct, frozen=True):
    """``key`` is good for one :meth:`PassageIndex.load` soon after."""

    key: int
    score: float


class Hit(msgspec.Struct, frozen=True):
    """A passage that a search found: its number in this index, a score from 0 to 1, and which of its keys were met, best first."""

    dataset: str
    passage: int
    score: float
    matched: tuple[MatchedKey, ...]


class Found(msgspec.Struct, frozen=True):
    """A passage with where it comes from; ``matched`` are the texts of the hit's keys, in its order."""

    dataset: Dataset
    document: Document
    passage: Passage
    matched: tuple[str, ...]


class PassageIndex(Protocol):
    """Datasets of documents of passages, each tenant's for itself: nothing here sees, counts or weighs what is another's.

    All raise ``NotFound`` for a dataset (or a document, where one is changed or read) that this tenant does not have, and ``StorageUnavailable``.
    What a writing call returned from outlives the process.
    """

    async def create(self, tenant: str, dataset: Dataset, /) -> None:
        """Raises ``AlreadyExists`` where the tenant has one of that id or name."""
        ...

    async def datasets(self, tenant: str, /) -> list[Dataset]:
        """By name."""
        ...

    async def dataset(self, tenant: str, dataset: str, /) -> Dataset: ...

    async def rename(self, tenant: str, dataset: str, name: str, /) -> None:
        """Raises ``AlreadyExists`` where another has that name."""
        ...

    async def drop(self, tenant: str, dataset: str, /) -> None:
        """With all of its documents and every trace of them."""
        ...

    async def put(
        self,
        tenant: str,
        dataset: str,
        document: Document,
        passages: Sequence[Passage],
        vectors: Vectors | None = None,
        /,
    ) -> None:
        """All of a document at once, in place of what was there under its id.

        ``vectors`` has a row of unit length for each of :func:`searched_texts` of each passage, in order, and is None where nothing is embedded.
        Raises ``InvalidParameter`` where the vectors do not suit passages or dataset, or two passages have one position.
        """
        ...

    async def put_passages(
        self, tenant: str, dataset: str, document: str, passages: Sequence[Passage], vectors: Vectors | None = None, /
    ) -> None:
        """Into a document that is there, in place of its passages of the same positions; else as :meth:`put`."""
        ...

    async def drop_passages(self, tenant: str, dataset: str, document: str, positions: Sequence[int], /) -> None:
        """With every trace of them; a position where nothing is, is passed over."""
        ...

    async def change(self, tenant: str, dataset: str, document: Document, /) -> None:
        """Name, metadata and whether it is found; the passages stay."""
        ...

    async def delete(self, tenant: str, dataset: str, document: str, /) -> None:
        """With every trace of it."""
        ...

    async def documents(self, tenant: str, dataset: str, /) -> list[Document]:
        """In the order in which they came."""
        ...

    async def passages(self, tenant: str, dataset: str, document: str, /) -> list[Passage]: ...

    async def by_keyword(self, tenant: str, scope: Scope, query: str, /) -> list[Hit]:
        """The score is the share of the query's keywords that are among those of the passage."""
        ...

    async def by_full_text(self, tenant: str, scope: Scope, query: str, /) -> list[Hit]:
        """The score is BM25 over the most that any passage could have for this query: about a half for one that holds each word once."""
        ...

    async def by_vector(self, tenant: str, scope: Scope, vector: Vectors, /) -> list[Hit]:
        """The score is the cosine, or 0 where that is negative; ``vector`` is of one dimension and unit length."""
        ...

    async def load(self, tenant: str, hits: Sequence[Hit], /) -> list[Found | None]:
        """For each hit what it found, or None where that is gone meanwhile."""
        ...
