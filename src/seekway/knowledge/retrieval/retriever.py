"""From a question to the passages that may answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from seekway.core.errors import InvalidParameter
from seekway.knowledge.index.conditions import Conditions, MetadataValue
from seekway.knowledge.index.passage_index import Dataset, Found, Hit, PassageIndex, Scope
from seekway.knowledge.passage import Passage
from seekway.knowledge.ports import Embedder, Reranker, Vectors
from seekway.knowledge.retrieval.fusion import reciprocal_rank, scaled, weighted
from seekway.knowledge.retrieval.language_directions import LanguageDirections

Method = Literal["keyword", "full_text", "semantic", "hybrid"]
Fusion = Literal["scaled", "reciprocal_rank", "weighted"]

_DEPTH: Final = 5
_LEAST_DEPTH: Final = 50
MOST_PASSAGES: Final = 100


class Retrieval(msgspec.Struct, frozen=True):
    """How to look. ``vector_weight`` is the share of meaning in a hybrid, the rest is full text's.

    ``score_threshold`` is held against the score of the method or, where it reranks, of the reranker; each method's scores are from 0 to 1,
    and those of different methods mean different things.
    ``across_languages`` finds passages in another language than the question's by meaning; without it, those in its own come first even where they fit less.
    """

    method: Method = "hybrid"
    top_k: int = 3
    score_threshold: float | None = None
    fusion: Fusion = "scaled"
    vector_weight: float = 0.4
    rerank: bool = False
    across_languages: bool = True
    conditions: Conditions = Conditions()

    def __post_init__(self) -> None:
        if not 1 <= self.top_k <= MOST_PASSAGES:
            raise InvalidParameter(f"top_k is {self.top_k}; it goes from 1 to {MOST_PASSAGES}.", param="top_k")
        if not 0.0 <= self.vector_weight <= 1.0:
            raise InvalidParameter("vector_weight goes from 0 to 1.", param="vector_weight")
        if self.score_threshold is not None and not 0.0 <= self.score_threshold <= 1.0:
            raise InvalidParameter("score_threshold goes from 0 to 1.", param="score_threshold")


class MatchedText(msgspec.Struct, frozen=True):
    """A child or question by which a passage was found; its score is that of the search that found it."""

    text: str
    score: float


class Citation(msgspec.Struct, frozen=True):
    """``position`` is 1 for the best. ``matched`` is empty where the passage's own text was found."""

    position: int
    score: float
    dataset_id: str
    dataset_name: str
    document_id: str
    document_name: str
    metadata: dict[str, MetadataValue]
    passage: Passage
    matched: tuple[MatchedText, ...]

    @property
    def text(self) -> str:
        """What a model reads: a parent whole, a question with its answer."""
        if self.passage.answer is None:
            return self.passage.text
        return f"{self.passage.text}\n{self.passage.answer}"


class Retriever:
    """``embedder`` gives the model of a dataset's name (:attr:`Dataset.embedding_model`) and raises where it is not there."""

    def __init__(
        self, index: PassageIndex, embedder: Callable[[str], Embedder], reranker: Reranker | None = None
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._reranker = reranker
        self._directions = LanguageDirections(embedder)

    async def warm_up(self, model: str) -> None:
        """Embed what :class:`LanguageDirections` needs of a model, so that the first question need not wait for it."""
        await self._directions.learn(model)

    async def retrieve(
        self, tenant: str, datasets: Sequence[str], query: str, how: Retrieval, /
    ) -> tuple[Citation, ...]:
        """Best first. Raises ``NotFound`` for a dataset that the tenant does not have, ``InvalidParameter`` for what does not go together."""
        if how.rerank and self._reranker is None:
            raise InvalidParameter(
                "There is no reranker; set one up, or leave reranking off.", param="reranking_enable"
            )
        if not query.strip() or not datasets:
            return ()
        depth = max(how.top_k * _DEPTH, _LEAST_DEPTH) if how.rerank or how.method == "hybrid" else how.top_k
        scope = Scope(tuple(datasets), depth, how.conditions)
        hits = await self._hits(tenant, scope, query, how)
        if how.rerank and self._reranker is not None:
            pairs = await self._reranked(tenant, query, hits[:depth], self._reranker)
        else:
            hits = hits[: how.top_k]
            found = await self._index.load(tenant, hits)
            pairs = [(hit, one) for hit, one in zip(hits, found, strict=True) if one is not None]
        least = how.score_threshold if how.score_threshold is not None else 0.0
        kept = [(hit, one) for hit, one in pairs[: how.top_k] if hit.score >= least]
        return tuple(_citation(place, hit, one) for place, (hit, one) in enumerate(kept, 1))

    async def _hits(self, tenant: str, scope: Scope, query: str, how: Retrieval) -> list[Hit]:
        match how.method:
            case "keyword":
                return await self._index.by_keyword(tenant, scope, query)
            case "full_text":
                return await self._index.by_full_text(tenant, scope, query)
            case "semantic":
                return await self._by_meaning(tenant, scope, query, how)
            case "hybrid":
                # The full text is searched while the query is embedded.
                try:
                    async with asyncio.TaskGroup() as group:
                        words = group.create_task(self._index.by_full_text(tenant, scope, query))
                        meaning = group.create_task(self._by_meaning(tenant, scope, query, how, all_must=False))
                except ExceptionGroup as error:
                    raise error.exceptions[0] from error
                most = scope.limit if how.rerank else how.top_k
                return _fused(meaning.result(), words.result(), how, most)

    async def _by_meaning(
        self, tenant: str, scope: Scope, query: str, how: Retrieval, *, all_must: bool = True
    ) -> list[Hit]:
        """Each model embeds the query once; cosines of different models are put in one order as they are."""
        models: dict[str, list[str]] = {}
        for name in scope.datasets:
            dataset = await self._index.dataset(tenant, name)
            if dataset.embedding_model:
                models.setdefault(dataset.embedding_model, []).append(name)
            elif all_must:
                raise _not_embedded(dataset)
        hits: list[Hit] = []
        for model, names in models.items():
            vector: Vectors = (await self._embedder(model).embed((query,), "query"))[0].astype(np.float32)
            if how.across_languages:
                vector = await self._directions.without_language(model, vector)
            narrowed = msgspec.structs.replace(scope, datasets=tuple(names))
            hits += await self._index.by_vector(tenant, narrowed, vector)
        return sorted(hits, key=lambda hit: -hit.score)[: scope.limit]

    async def _reranked(
        self, tenant: str, query: str, hits: Sequence[Hit], reranker: Reranker
    ) -> list[tuple[Hit, Found]]:
        found = await self._index.load(tenant, hits)
        pairs = [(hit, one) for hit, one in zip(hits, found, strict=True) if one is not None]
        if not pairs:
            return []
        scores = await reranker.rerank(query, [_read_by_reranker(one) for _, one in pairs])
        ranked = [
            (msgspec.structs.replace(hit, score=min(1.0, max(0.0, float(score)))), one)
            for (hit, one), score in zip(pairs, scores, strict=True)
        ]
        return sorted(ranked, key=lambda pair: -pair[0].score)


def _fused(meaning: Sequence[Hit], words: Sequence[Hit], how: Retrieval, most: int) -> list[Hit]:
    weights = (how.vector_weight, 1 - how.vector_weight)
    match how.fusion:
        case "scaled":
            return scaled(meaning, words, how.vector_weight, most)
        case "reciprocal_rank":
            return reciprocal_rank((meaning, words), weights, most)
        case "weighted":
            return weighted((meaning, words), weights, most)


def _not_embedded(dataset: Dataset) -> InvalidParameter:
    return InvalidParameter(
        f"The knowledge base {dataset.name!r} has no vectors; search it by full text or keyword.", param="search_method"
    )


def _read_by_reranker(found: Found) -> str:
    """What was matched, which is shorter than a parent and nearer to the question than an answer is."""
    if found.passage.answer is not None:
        return f"{found.passage.text}\n{found.passage.answer}"
    return found.matched[0] if found.matched else found.passage.text


def _citation(position: int, hit: Hit, found: Found) -> Citation:
    matched = (
        tuple(MatchedText(text, one.score) for text, one in zip(found.matched, hit.matched, strict=True))
        if found.passage.keys
        else ()
    )
    return Citation(
        position,
        hit.score,
        found.dataset.id,
        found.dataset.name,
        found.document.id,
        found.document.name,
        found.document.metadata,
        found.passage,
        matched,
    )
