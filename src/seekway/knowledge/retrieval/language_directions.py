"""What of a question's vector tells only its language.

Multilingual models put texts of one language near to each other, whatever they are about, so that a question finds all that is in its own language first.
The difference between the means of texts that say the same in two languages shows where that lies
(Yang et al., "A simple and effective method to eliminate the self language bias in multilingual representations", EMNLP 2021, take it out of all vectors).
Taking it out of the question alone has the same effect on the order, and passages keep the vectors that their model gave them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np

from seekway.knowledge.ports import Embedder, Vectors
from seekway.knowledge.retrieval.parallel_texts import PARALLEL_TEXTS

_LEAST: Final = 1e-3
"""Of a vector's length; what is left of a shorter one is chance."""


class LanguageDirections:
    """Between Chinese and English, of each model, learnt at its first question: twenty short texts are embedded once.

    ``embedder`` gives the model of a name; what it raises is raised here, and learning is tried again with the next question.
    """

    def __init__(self, embedder: Callable[[str], Embedder]) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors | None] = {}
        self._lock = asyncio.Lock()

    async def learn(self, model: str) -> Vectors | None:
        """A unit vector, or None where a model tells no languages apart."""
        async with self._lock:
            if model not in self._known:
                texts = [text for pair in PARALLEL_TEXTS for text in pair]
                vectors = await self._embedder(model).embed(texts, "passage")
                self._known[model] = _unit(np.asarray(np.mean(vectors[0::2] - vectors[1::2], axis=0), np.float32))
            return self._known[model]

    async def without_language(self, model: str, question: Vectors) -> Vectors:
        """Of one dimension and unit length, as ``question`` is."""
        direction = await self.learn(model)
        if direction is None:
            return question
        left = _unit(np.asarray(question - float(question @ direction) * direction, np.float32))
        return question if left is None else left


def _unit(vector: Vectors) -> Vectors | None:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length, np.float32) if length > _LEAST else None
