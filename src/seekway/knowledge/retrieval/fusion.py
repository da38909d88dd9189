"""Several rankings of the same passages as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from seekway.knowledge.index.passage_index import Hit, MatchedKey

RANK_OFFSET: Final = 60
"""Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009."""


def reciprocal_rank(rankings: Sequence[Sequence[Hit]], weights: Sequence[float]) -> list[Hit]:
    """The sum of weight / (60 + rank) over the most it can be: 1 for what is first everywhere."""
    return _fused(rankings, weights, lambda rank, _: (RANK_OFFSET + 1) / (RANK_OFFSET + rank))


def weighted(rankings: Sequence[Sequence[Hit]], weights: Sequence[float]) -> list[Hit]:
    """The weighted mean of the scores; a ranking in which a passage is missing gives 0."""
    return _fused(rankings, weights, lambda _, score: score)


def scaled(meaning: Sequence[Hit], words: Sequence[Hit], vector_weight: float) -> list[Hit]:
    """The weighted mean, with cosines stretched from 0 for the last candidate to 1 for the best.

    Cosines of one question lie close together, so that as they are they hardly order what words have found, while BM25's share of its greatest value tells
    whether words met the question at all: so the first are stretched and the second stays as it is.
    After Bruch, Gai and Ingber, "An analysis of fusion functions for hybrid retrieval", ACM TOIS 42 (2023), who find it better than reciprocal ranks and little dependent on its weight.
    """
    return weighted((_stretched(meaning), words), (vector_weight, 1 - vector_weight))


def _stretched(ranking: Sequence[Hit]) -> list[Hit]:
    if not ranking:
        return []
    lowest = min(hit.score for hit in ranking)
    span = max(hit.score for hit in ranking) - lowest
    return [msgspec.structs.replace(hit, score=(hit.score - lowest) / span if span > 0 else 1.0) for hit in ranking]


def _fused(
    rankings: Sequence[Sequence[Hit]], weights: Sequence[float], worth: Callable[[int, float], float]
) -> list[Hit]:
    total = sum(weights) or 1.0
    scores: dict[int, float] = {}
    first: dict[int, Hit] = {}
    matched: dict[int, dict[int, float]] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, hit in enumerate(ranking, 1):
            scores[hit.passage] = scores.get(hit.passage, 0.0) + weight / total * worth(rank, hit.score)
            first.setdefault(hit.passage, hit)
            keys = matched.setdefault(hit.passage, {})
            for one in hit.matched:
                keys[one.key] = max(one.score, keys.get(one.key, 0.0))
    fused = [
        Hit(first[passage].dataset, passage, min(1.0, score), _ranked(matched[passage]))
        for passage, score in scores.items()
    ]
    return sorted(fused, key=lambda hit: -hit.score)


def _ranked(keys: dict[int, float]) -> tuple[MatchedKey, ...]:
    return tuple(MatchedKey(key, score) for key, score in sorted(keys.items(), key=lambda one: -one[1]))
