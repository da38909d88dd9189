"""How rankings become one."""

from __future__ import annotations

import pytest

from seekway.knowledge.index.passage_index import Hit, MatchedKey
from seekway.knowledge.retrieval.fusion import reciprocal_rank, scaled, weighted


def _ranking(*pairs: tuple[int, float]) -> list[Hit]:
    return [Hit("d", passage, score, (MatchedKey(passage * 10, score),)) for passage, score in pairs]


def test_what_is_first_everywhere_scores_1() -> None:
    fused = reciprocal_rank([_ranking((1, 0.9), (2, 0.8)), _ranking((1, 0.2))], (0.5, 0.5))
    assert [hit.passage for hit in fused] == [1, 2]
    assert fused[0].score == pytest.approx(1.0)


def test_ranks_count_and_not_scores() -> None:
    fused = reciprocal_rank([_ranking((1, 0.99), (2, 0.01)), _ranking((2, 0.02), (3, 0.01))], (0.5, 0.5))
    assert [hit.passage for hit in fused] == [2, 1, 3]
    assert fused[0].score == pytest.approx(0.5 * 61 / 62 + 0.5)


def test_weights_shift_the_order() -> None:
    rankings = [_ranking((1, 1.0)), _ranking((2, 1.0))]
    assert reciprocal_rank(rankings, (0.7, 0.3))[0].passage == 1
    assert reciprocal_rank(rankings, (0.3, 0.7))[0].passage == 2


def test_weighted_scores_are_means() -> None:
    fused = weighted([_ranking((1, 0.8), (2, 0.6)), _ranking((2, 0.4))], (0.75, 0.25))
    assert [(hit.passage, pytest.approx(hit.score)) for hit in fused] == [(1, 0.6), (2, 0.55)]


def test_scaled_cosines_go_from_0_to_1_and_words_stay_as_they_are() -> None:
    fused = scaled(_ranking((1, 0.84), (2, 0.82), (3, 0.80)), _ranking((3, 0.5), (4, 0.25)), 0.4)
    assert {hit.passage: pytest.approx(hit.score) for hit in fused} == {1: 0.4, 2: 0.2, 3: 0.3, 4: 0.15}
    assert [hit.passage for hit in fused] == [1, 3, 2, 4]


def test_cosines_that_are_all_alike_are_scaled_to_1() -> None:
    assert [hit.score for hit in scaled(_ranking((1, 0.8), (2, 0.8)), [], 0.4)] == pytest.approx([0.4, 0.4])
    assert scaled([], [], 0.4) == []


def test_scaling_leaves_the_scores_of_keys() -> None:
    assert scaled(_ranking((1, 0.9), (2, 0.8)), [], 0.4)[1].matched == (MatchedKey(20, 0.8),)


def test_keys_met_in_either_ranking_are_kept_best_first() -> None:
    one = [Hit("d", 1, 0.5, (MatchedKey(10, 0.5),))]
    other = [Hit("d", 1, 0.7, (MatchedKey(11, 0.7), MatchedKey(10, 0.1)))]
    assert weighted([one, other], (0.5, 0.5))[0].matched == (MatchedKey(11, 0.7), MatchedKey(10, 0.5))


def test_only_the_best_are_given_where_so_many_are_asked_for() -> None:
    rankings = _ranking((1, 0.9), (2, 0.8)), _ranking((2, 0.7), (3, 0.6))
    assert weighted(rankings, (0.5, 0.5), 2) == weighted(rankings, (0.5, 0.5))[:2]
    assert scaled(*rankings, 0.5, 2) == scaled(*rankings, 0.5)[:2]
    assert reciprocal_rank(rankings, (0.5, 0.5), 2) == reciprocal_rank(rankings, (0.5, 0.5))[:2]


def test_nothing_fused_is_nothing() -> None:
    assert reciprocal_rank([[], []], (0.5, 0.5)) == []
    assert weighted([_ranking((1, 1.0)), []], (0.0, 0.0))[0].score == 0.0
