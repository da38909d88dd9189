"""What the knowledge base asks of models, which it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""Rows of unit length."""

Purpose = Literal["query", "passage"]
"""It matters to asymmetric models such as E5."""


class Embedder(Protocol):
    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        """A row for each text, in order; no text at all gives no row."""
        ...


class Reranker(Protocol):
    async def rerank(self, query: str, texts: Sequence[str], /) -> Sequence[float]:
        """A score for each text, in order, from 0 to 1, more is better; texts that are alike score alike whatever stands beside them."""
        ...
