"""Several rankings of the same passages as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seekway.knowledge.index.passage_index import Hit, MatchedKey

RANK_OFFSET: Final = 60
"""Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009."""


def reciprocal_rank(rankings: Sequence[Sequence[Hit]], weights: Sequence[float], most: int | None = None) -> list[Hit]:
    """The sum of weight / (60 + rank) over the most it can be: 1 for what is first everywhere. The best ``most``, or all, here and below."""
    return _fused(rankings, weights, [_by_rank(ranking) for ranking in rankings], most)


def weighted(rankings: Sequence[Sequence[Hit]], weights: Sequence[float], most: int | None = None) -> list[Hit]:
    """The weighted mean of the scores; a ranking in which a passage is missing gives 0."""
    return _fused(rankings, weights, [_by_score(ranking) for ranking in rankings], most)


def scaled(meaning: Sequence[Hit], words: Sequence[Hit], vector_weight: float, most: int | None = None) -> list[Hit]:
    """The weighted mean, with cosines stretched from 0 for the last candidate to 1 for the best.

    Cosines of one question lie close together, so that as they are they hardly order what words have found, while BM25's share of its greatest value tells
    whether words met the question at all: so the first are stretched and the second stays as it is.
    After Bruch, Gai and Ingber, "An analysis of fusion functions for hybrid retrieval", ACM TOIS 42 (2023), who find it better than reciprocal ranks and little dependent on its weight.
    """
    worths = [_stretched(meaning), _by_score(words)]
    return _fused((meaning, words), (vector_weight, 1 - vector_weight), worths, most)


def _by_rank(ranking: Sequence[Hit]) -> list[float]:
    return [(RANK_OFFSET + 1) / (RANK_OFFSET + rank) for rank in range(1, len(ranking) + 1)]


def _by_score(ranking: Sequence[Hit]) -> list[float]:
    return [hit.score for hit in ranking]


def _stretched(ranking: Sequence[Hit]) -> list[float]:
    scores = _by_score(ranking)
    if not scores:
        return []
    lowest = min(scores)
    span = max(scores) - lowest
    return [(score - lowest) / span if span > 0 else 1.0 for score in scores]


def _fused(
    rankings: Sequence[Sequence[Hit]], weights: Sequence[float], worths: Sequence[Sequence[float]], most: int | None
) -> list[Hit]:
    total = sum(weights) or 1.0
    scores: dict[int, float] = {}
    found: dict[int, list[Hit]] = {}
    for ranking, weight, worth in zip(rankings, weights, worths, strict=True):
        share = weight / total
        for hit, one in zip(ranking, worth, strict=True):
            passage = hit.passage
            if passage in scores:
                scores[passage] += share * one
                found[passage].append(hit)
            else:
                scores[passage] = share * one
                found[passage] = [hit]
    # Stable: of equals the one that came first.
    best = sorted(scores, key=lambda passage: -scores[passage])[:most]
    return [
        Hit(found[passage][0].dataset, passage, min(1.0, scores[passage]), _matched(found[passage])) for passage in best
    ]


def _matched(hits: Sequence[Hit]) -> tuple[MatchedKey, ...]:
    """Of all ``hits`` of a passage, each key once with its best score; the best first."""
    keys: dict[int, float] = {}
    for hit in hits:
        for one in hit.matched:
            keys[one.key] = max(one.score, keys.get(one.key, 0.0))
    return tuple([MatchedKey(key, score) for key, score in sorted(keys.items(), key=lambda one: -one[1])])
