"""A question's vector, from whichever backend serves the embedding model."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import numpy as np
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import SeekwayError
from seekway.core.ports import Backend
from seekway.core.types import EmbedRequest
from seekway.observability.cache_figures import CacheCounts
from seekway.pipeline.cache.semantic import Vector

FindBackend = Callable[[str], Awaitable[tuple[Backend, str]]]
"""The backend that serves a model, and the name it knows the model by; raises ``SeekwayError``."""


class QuestionEmbedder:
    """None instead of a vector when the model is away, slow or answers nonsense: counted, and logged when it goes and when it is back.

    ``find`` may be set anew when the backends are others than before.
    """

    def __init__(
        self,
        find: FindBackend,
        model: str,
        counts: CacheCounts,
        log: FilteringBoundLogger,
        *,
        timeout_s: float,
    ) -> None:
        self.find = find
        self._model = model
        self._counts = counts
        self._log = log
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)
        self._away = False

    async def embed(self, text: str) -> Vector | None:
        """A unit vector, float32."""
        try:
            async with asyncio.timeout(self._timeout_s):
                backend, name = await self.find(self._model)
                request = EmbedRequest(
                    f"cache-{next(self._numbers)}", name, (text,), purpose="query", deadline_s=self._timeout_s
                )
                result = await backend.embed(request)
        except TimeoutError:
            return self._failed(f"no vector within {self._timeout_s:g} s")
        except SeekwayError as error:
            return self._failed(error.message)
        raw = result.vectors[0] if result.vectors else b""
        vector = np.frombuffer(raw[: len(raw) // 4 * 4], "<f4").astype(np.float32)
        norm = float(np.linalg.norm(vector))
        if not (np.isfinite(norm) and norm > 0):
            return self._failed("the vector has no direction")
        if self._away:
            self._away = False
            self._log.info("cache_embedding_back", model=self._model)
        return np.asarray(vector / norm, np.float32)

    def _failed(self, reason: str) -> None:
        self._counts.embedding_failures += 1
        if not self._away:
            self._away = True
            self._log.warning("cache_embedding_away", model=self._model, reason=reason)
