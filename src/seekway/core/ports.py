"""The Protocols the layers talk through; each has its fake under ``tests/fakes``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
)


class Backend(Protocol):
    """Something that serves models: a local model, the worker's pipe, the gRPC client or another OpenAI-compatible server.

    Every method raises only :class:`seekway.core.errors.SeekwayError` (and ``asyncio.CancelledError`` when its task is cancelled).
    """

    def generate(self, request: GenerateRequest) -> AsyncIterator[Event]:
        """Stream deltas, then one ``Usage``, then one ``Finish``.

        Closing the iterator (``aclose``) or cancelling the task that drives it stops the work and frees its slot at once,
        also while the request is still queued.
        """
        ...

    async def embed(self, request: EmbedRequest) -> EmbedResult: ...

    async def rerank(self, request: RerankRequest) -> RerankResult: ...

    async def models(self) -> tuple[ModelInfo, ...]:
        """What is served now, with fresh figures; raises ``BackendUnavailable`` when the backend cannot be asked."""
        ...

    async def close(self) -> None:
        """Stop taking work, release connections and processes; safe to call twice."""
        ...
