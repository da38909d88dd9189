"""Search by vector: the bits in memory choose, the vectors in the database decide.

The database is the truth: each search first takes in what was added since, in its own snapshot of the database, and scores what it reads there,
so that neither a deleted vector nor one of a later moment is ever found, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, cast

import msgspec
import numpy as np

from seekway.knowledge.index.full_text import Scored
from seekway.knowledge.index.sign_matrix import MatrixShelf, Numbers, Rows, SignMatrix, make_matrix, matrix_bytes
from seekway.knowledge.ports import Vectors
from seekway.storage.sql.database import Connection

_CANDIDATES: Final = 600
"""How many vectors are read and scored exactly, at least; ``benchmarks/README.md`` tells what it finds."""

_BLOCK: Final = 4096
_SAMPLE: Final = 8192
_CENTRED_AGAIN: Final = 4
"""The mean is taken anew when there are so many times as many vectors."""


def to_blob(vector: Vectors) -> bytes:
    """Half precision moves a cosine by less than 0.001."""
    return vector.astype("<f2").tobytes()


class VectorSearch:
    """Matrices are loaded at a dataset's first search and kept within ``most_bytes``; a dataset that is larger alone is read from the database each time."""

    def __init__(self, most_bytes: int) -> None:
        self.shelf = MatrixShelf(most_bytes)

    def search(
        self,
        connection: Connection,
        dataset: int,
        total: int,
        vector: Vectors,
        *,
        limit: int,
        documents: Sequence[int] | None,
    ) -> list[tuple[int, Scored]]:
        """The best ``limit`` keys with their passages and cosines, best first; ``total`` is how many keys the dataset has."""
        allowed = None if documents is None else np.array(documents, np.int64)
        most = max(_CANDIDATES, limit // 2)
        if matrix_bytes(total, len(vector)) > self.shelf.most_bytes:
            return _by_reading_all(connection, dataset, vector, limit, allowed)
        matrix = self._matrix(connection, dataset, total, len(vector))
        keys = matrix.nearest(vector, most, allowed)
        numbers = msgspec.json.encode(cast("list[int]", keys.tolist())).decode()
        rows = connection.all(
            "select key, passage, vector from vectors where key in (select value from json_each(?)) and dataset = ?",
            *(numbers, dataset),
        )
        return _scored(rows, vector, limit)

    def forget_document(self, dataset: int, document: int) -> None:
        matrix = self.shelf.get(dataset)
        if matrix is not None:
            matrix.remove_document(document)

    def _matrix(self, connection: Connection, dataset: int, total: int, dimensions: int) -> SignMatrix:
        matrix = self.shelf.get(dataset)
        if matrix is None or total > max(_CANDIDATES, _CENTRED_AGAIN * matrix.centred_at):
            step = max(1, total // _SAMPLE)
            matrix = make_matrix(
                total,
                _blocks(connection, dataset, 0, dimensions, step),
                partial(_blocks, connection, dataset, 0, dimensions),
                dimensions,
            )
            self.shelf.put(dataset, matrix)
            self.shelf.trim()
            return matrix
        with matrix.lock:
            for block in _blocks(connection, dataset, matrix.last_key, dimensions):
                matrix.append(block)
        if len(matrix) > total:
            # Another process deleted something: what is gone must not take the place of what is there.
            _forget_gone(connection, dataset, matrix)
        return matrix


def _forget_gone(connection: Connection, dataset: int, matrix: SignMatrix) -> None:
    rows = connection.all("select key from vectors where dataset = ?", dataset)
    gone = np.setdiff1d(matrix.keys(), np.array([row[0] for row in rows], np.int64))
    # Greater ones than were ever given are of a moment after this snapshot, and stay.
    last = connection.one("select seq from sqlite_sequence where name = 'keys'")
    matrix.remove_keys(gone[gone <= (cast("int", last[0]) if last else 0)])


def _blocks(connection: Connection, dataset: int, after: int, dimensions: int, step: int = 1) -> Iterator[Rows]:
    """Those of keys greater than ``after``, in order; every ``step``-th key."""
    while True:
        rows = connection.all(
            "select key, document, vector from vectors where dataset = ? and key > ? and key % ? = 0 order by key limit ?",
            *(dataset, after, step, _BLOCK),
        )
        if not rows:
            return
        vectors = _floats([cast("bytes", row[2]) for row in rows]).reshape(-1, dimensions)
        keys = np.array([row[0] for row in rows], np.int64)
        yield Rows(keys, np.array([row[1] for row in rows], np.int64), vectors)
        if len(rows) < _BLOCK:
            return
        after = int(keys[-1])


def _by_reading_all(
    connection: Connection, dataset: int, vector: Vectors, most: int, documents: Numbers | None
) -> list[tuple[int, Scored]]:
    best: list[tuple[float, int]] = []
    for block in _blocks(connection, dataset, 0, len(vector)):
        scores = block.vectors @ vector
        chosen = range(len(scores)) if documents is None else np.flatnonzero(np.isin(block.documents, documents))
        best = sorted([*best, *((float(scores[i]), int(block.keys[i])) for i in chosen)], reverse=True)[:most]
    numbers = msgspec.json.encode([key for _, key in best]).decode()
    rows = connection.all(
        "select key, passage, vector from vectors where key in (select value from json_each(?)) and dataset = ?",
        *(numbers, dataset),
    )
    return _scored(rows, vector, most)


def _scored(rows: Sequence[tuple[object, ...]], vector: Vectors, limit: int) -> list[tuple[int, Scored]]:
    if not rows:
        return []
    scores = _floats([cast("bytes", row[2]) for row in rows]).reshape(len(rows), -1) @ vector
    order = cast("list[int]", np.argsort(-scores, kind="stable")[:limit].tolist())
    found = np.clip(scores, 0.0, 1.0).tolist()
    return [(cast("int", rows[i][1]), Scored(cast("int", rows[i][0]), found[i])) for i in order]


def _floats(blobs: Sequence[bytes]) -> Vectors:
    return np.frombuffer(b"".join(blobs), "<f2").astype(np.float32)
