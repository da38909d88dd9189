"""Vectors in memory as one bit a dimension, to find those worth reading.

A bit says on which side of the dataset's mean a vector lies in its dimension; the count of differing bits orders vectors nearly as the angle does
(Charikar, "Similarity estimation techniques from rounding algorithms", 2002). The mean is taken out first, since text embeddings share most of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from seekway.knowledge.ports import Vectors

_FIRST_ROOM: Final = 1024
_NUMBERS_BYTES: Final = 16

Numbers = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Vectors with the numbers of their keys, which grow, and of their documents."""

    keys: Numbers
    documents: Numbers
    vectors: Vectors


class SignMatrix:
    """Safe to use from several threads: who searches sees a state that writers leave alone."""

    def __init__(self, mean: Vectors, centred_at: int) -> None:
        """``mean`` was that of ``centred_at`` vectors."""
        self.lock = threading.Lock()
        self.centred_at = centred_at
        self._mean = mean
        self._words = -(-mean.shape[0] // 64)
        self._count = 0
        self._bits = np.empty((self._words, _FIRST_ROOM), np.uint64)
        self._keys = np.empty(_FIRST_ROOM, np.int64)
        self._documents = np.empty(_FIRST_ROOM, np.int64)
        self.last_key = 0
        """The greatest that was ever taken."""

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        return self._bits.nbytes + self._keys.nbytes + self._documents.nbytes

    def keys(self) -> Numbers:
        with self.lock:
            return self._keys[: self._count].copy()

    def append(self, rows: Rows) -> None:
        """Under the lock; the keys are greater than :attr:`last_key`."""
        count = self._count + len(rows.keys)
        if count > len(self._keys):
            self._keep(slice(None), room=max(count, self._count * 3 // 2))
        place = slice(self._count, count)
        self._bits[:, place] = self._signs(rows.vectors)
        self._keys[place] = rows.keys
        self._documents[place] = rows.documents
        self._count = count
        if len(rows.keys):
            self.last_key = int(rows.keys[-1])

    def remove_document(self, document: int) -> None:
        with self.lock:
            self._keep(self._documents[: self._count] != document)

    def remove_keys(self, keys: Numbers) -> None:
        with self.lock:
            self._keep(~np.isin(self._keys[: self._count], keys))

    def nearest(self, vector: Vectors, most: int, documents: Numbers | None) -> Numbers:
        """Keys of about the ``most`` nearest vectors, in no order; only of ``documents`` where they are given."""
        with self.lock:
            bits, keys, owners = self._bits[:, : self._count], self._keys[: self._count], self._documents[: self._count]
        if documents is not None:
            allowed = np.flatnonzero(np.isin(owners, documents))
            bits, keys = bits[:, allowed], keys[allowed]
        if len(keys) <= most:
            return keys
        asked = self._signs(vector[np.newaxis])[:, 0]
        differing = np.zeros(len(keys), np.uint16)
        for word in range(self._words):
            differing += np.bitwise_count(bits[word] ^ asked[word])
        return keys[np.argpartition(differing, most)[:most]]

    def _signs(self, vectors: Vectors) -> npt.NDArray[np.uint64]:
        """Columns of 64-bit words; the bits past the last dimension are 0."""
        packed = np.packbits(vectors > self._mean, axis=1)
        padded = np.zeros((len(vectors), self._words * 8), np.uint8)
        padded[:, : packed.shape[1]] = packed
        return padded.view(np.uint64).T

    def _keep(self, chosen: slice | npt.NDArray[np.bool_], *, room: int = 0) -> None:
        """Into new arrays, since searches may still read the old ones."""
        keys = self._keys[: self._count][chosen]
        size = max(room, len(keys), _FIRST_ROOM)
        bits, documents = self._bits[:, : self._count][:, chosen], self._documents[: self._count][chosen]
        self._bits, self._keys = np.empty((self._words, size), np.uint64), np.empty(size, np.int64)
        self._documents = np.empty(size, np.int64)
        self._count = len(keys)
        self._bits[:, : self._count] = bits
        self._keys[: self._count] = keys
        self._documents[: self._count] = documents


def matrix_bytes(count: int, dimensions: int) -> int:
    return count * (-(-dimensions // 64) * 8 + _NUMBERS_BYTES)


class MatrixShelf:
    """Matrices by dataset, those used last, of at most ``most_bytes`` together."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._lock = threading.Lock()
        self._matrices: dict[int, SignMatrix] = {}

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(matrix.nbytes for matrix in self._matrices.values())

    def __len__(self) -> int:
        """Vectors, not matrices."""
        with self._lock:
            return sum(map(len, self._matrices.values()))

    def get(self, dataset: int) -> SignMatrix | None:
        with self._lock:
            matrix = self._matrices.pop(dataset, None)
            if matrix is not None:
                self._matrices[dataset] = matrix
            return matrix

    def put(self, dataset: int, matrix: SignMatrix) -> None:
        with self._lock:
            self._matrices.pop(dataset, None)
            self._matrices[dataset] = matrix

    def trim(self) -> None:
        """Let go of those used longest ago; the last one stays."""
        with self._lock:
            total = sum(matrix.nbytes for matrix in self._matrices.values())
            while total > self.most_bytes and len(self._matrices) > 1:
                oldest = next(iter(self._matrices))
                total -= self._matrices.pop(oldest).nbytes

    def forget(self, dataset: int) -> None:
        with self._lock:
            self._matrices.pop(dataset, None)


def make_matrix(count: int, sample: Iterator[Rows], rows: Callable[[], Iterator[Rows]], dimensions: int) -> SignMatrix:
    """From ``rows``, centred at the mean of ``sample``; ``count`` is how many there are."""
    total, seen = np.zeros(dimensions, np.float64), 0
    for block in sample:
        total += block.vectors.sum(axis=0, dtype=np.float64)
        seen += len(block.vectors)
    matrix = SignMatrix((total / max(seen, 1)).astype(np.float32), count)
    with matrix.lock:
        for block in rows():
            matrix.append(block)
    return matrix
