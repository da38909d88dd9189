"""Dify's ``retrieval_model`` and what it asks of our retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, cast

import msgspec

from seekway.core.errors import InvalidParameter
from seekway.knowledge.index.conditions import OPERATORS, Condition, Conditions, Operator
from seekway.knowledge.retrieval.retriever import MOST_PASSAGES, Fusion, Method, Retrieval

SearchMethod = Literal["keyword_search", "semantic_search", "full_text_search", "hybrid_search"]
_METHODS: Final[dict[SearchMethod, Method]] = {
    "keyword_search": "keyword",
    "semantic_search": "semantic",
    "full_text_search": "full_text",
    "hybrid_search": "hybrid",
}
_SAME_OPERATORS: Final[dict[str, Operator]] = {"!=": "≠", ">=": "≥", "<=": "≤", "==": "="}
"""What clients write where Dify's own sign is not on their keyboard."""

_VECTOR_WEIGHT: Final = 0.7
"""Dify's, where weights are asked for and none are given."""


class RerankingModel(msgspec.Struct, frozen=True):
    reranking_provider_name: str | None = None
    reranking_model_name: str | None = None


class VectorSetting(msgspec.Struct, frozen=True):
    vector_weight: float | None = None
    embedding_provider_name: str | None = None
    embedding_model_name: str | None = None


class KeywordSetting(msgspec.Struct, frozen=True):
    keyword_weight: float | None = None


class Weights(msgspec.Struct, frozen=True):
    weight_type: str | None = None
    vector_setting: VectorSetting | None = None
    keyword_setting: KeywordSetting | None = None


class FilterCondition(msgspec.Struct, frozen=True):
    name: str
    comparison_operator: str
    value: str | int | float | Sequence[str | int | float] | None = None


class Filter(msgspec.Struct, frozen=True):
    logical_operator: Literal["and", "or"] | None = "and"
    conditions: Sequence[FilterCondition] | None = None


class RetrievalModel(msgspec.Struct, frozen=True):
    search_method: SearchMethod = "hybrid_search"
    reranking_enable: bool | None = False
    reranking_mode: str | None = None
    reranking_model: RerankingModel | None = None
    weights: Weights | None = None
    top_k: int | None = 3
    score_threshold_enabled: bool | None = False
    score_threshold: float | None = None
    metadata_filtering_conditions: Filter | None = None


def retrieval_of(model: RetrievalModel, *, embedded: bool) -> Retrieval:
    """Where nothing is ``embedded`` whatever asks for meaning becomes a search by keywords, as in Dify.

    Raises ``InvalidParameter``.
    """
    method = _METHODS[model.search_method]
    if not embedded and method in ("semantic", "hybrid"):
        method = "keyword"
    # Both may be set; which of them counts is said by the mode.
    rerank = bool(model.reranking_enable) and model.reranking_mode != "weighted_score"
    weighted = model.reranking_mode == "weighted_score" or (model.weights is not None and not rerank)
    fusion: Fusion = "weighted" if weighted else "reciprocal_rank"
    return Retrieval(
        method=method,
        top_k=min(model.top_k or 3, MOST_PASSAGES),
        score_threshold=model.score_threshold if model.score_threshold_enabled else None,
        fusion=fusion,
        vector_weight=_vector_weight(model.weights) if weighted else 0.5,
        rerank=rerank,
        conditions=conditions_of(model.metadata_filtering_conditions),
    )


def conditions_of(given: Filter | None) -> Conditions:
    """Raises ``InvalidParameter``."""
    if given is None or not given.conditions:
        return Conditions()
    return Conditions(tuple(_condition(one) for one in given.conditions), given.logical_operator or "and")


def _condition(given: FilterCondition) -> Condition:
    operator = _SAME_OPERATORS.get(given.comparison_operator, given.comparison_operator)
    if operator not in OPERATORS:
        raise InvalidParameter(
            f"There is no comparison_operator {given.comparison_operator!r}; take one of {', '.join(OPERATORS)}.",
            param="comparison_operator",
        )
    return Condition(given.name, cast("Operator", operator), given.value)


def _vector_weight(weights: Weights | None) -> float:
    if weights is None:
        return _VECTOR_WEIGHT
    vector = weights.vector_setting.vector_weight if weights.vector_setting else None
    keyword = weights.keyword_setting.keyword_weight if weights.keyword_setting else None
    if vector is None and keyword is None:
        return {"semantic_first": 1.0, "keyword_first": 0.0}.get(weights.weight_type or "", _VECTOR_WEIGHT)
    if vector is None or keyword is None:
        return vector if vector is not None else 1.0 - (keyword or 0.0)
    if vector < 0 or keyword < 0 or vector + keyword == 0:
        raise InvalidParameter("Weights are from 0, and not both 0.", param="weights")
    return vector / (vector + keyword)
