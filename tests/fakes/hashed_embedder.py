"""An embedder without a model: texts that share characters lie near each other."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from seekway.knowledge.ports import Purpose, Vectors


class HashedEmbedder:
    """A direction for each pair of characters, added up. ``asked`` keeps what was embedded."""

    def __init__(self, dimensions: int = 64) -> None:
        self.dimensions = dimensions
        self.asked: list[tuple[str, Purpose]] = []

    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        self.asked.extend((text, purpose) for text in texts)
        return np.array([self.vector(text) for text in texts], np.float32).reshape(-1, self.dimensions)

    def vector(self, text: str) -> Vectors:
        total = np.full(self.dimensions, 0.5, np.float32)
        for k in range(max(len(text) - 1, 1)):
            total += _direction(text[k : k + 2].lower(), self.dimensions)
        return (total / np.linalg.norm(total)).astype(np.float32)


@lru_cache(maxsize=100_000)
def _direction(pair: str, dimensions: int) -> Vectors:
    return np.random.default_rng(zlib.crc32(pair.encode())).standard_normal(dimensions, dtype=np.float32)
