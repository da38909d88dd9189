"""Vectors kept as bits find what the vectors themselves would."""

from __future__ import annotations

import numpy as np

from seekway.knowledge.index.sign_matrix import Rows, SignMatrix
from seekway.knowledge.ports import Vectors

_D = 96


def _vectors(count: int) -> Vectors:
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((20, _D), dtype=np.float32)
    shared = 2 * rng.standard_normal(_D, dtype=np.float32)
    made = centres[rng.integers(20, size=count)] + 0.6 * rng.standard_normal((count, _D), dtype=np.float32) + shared
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def _matrix(vectors: Vectors) -> SignMatrix:
    matrix = SignMatrix(vectors.mean(axis=0), len(vectors))
    for start in range(0, len(vectors), 700):
        block = vectors[start : start + 700]
        numbers = np.arange(start + 1, start + len(block) + 1)
        matrix.append(Rows(numbers, numbers % 10, block))
    return matrix


def test_the_nearest_are_among_the_candidates_though_all_share_a_direction() -> None:
    vectors = _vectors(5000)
    matrix = _matrix(vectors)
    found = 0
    for query in vectors[::250]:
        nearest = set((np.argsort(-(vectors @ query))[:10] + 1).tolist())
        found += len(nearest & set(matrix.nearest(query, 400, None).tolist()))
    assert found >= 0.95 * 10 * 20


def test_only_the_allowed_documents_vectors_are_candidates() -> None:
    vectors = _vectors(2000)
    keys = _matrix(vectors).nearest(vectors[0], 50, np.array([3, 4]))
    assert len(keys) == 50
    assert set((keys % 10).tolist()) <= {3, 4}


def test_what_is_removed_is_found_no_more_and_its_room_is_given_back() -> None:
    vectors = _vectors(3000)
    matrix = _matrix(vectors)
    before = matrix.nbytes
    matrix.remove_document(3)
    assert 3 not in set((matrix.nearest(vectors[2], 2999, None) % 10).tolist())
    matrix.remove_keys(np.arange(1, 2901))
    assert len(matrix) == 90
    assert matrix.nbytes < before
    assert matrix.last_key == 3000
