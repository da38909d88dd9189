"""A token engine that plays a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from seekway.core.errors import UnsupportedParameter
from seekway.core.types import EngineStats
from seekway.engine.base import TokenChunk, TokenRequest


class FakeEngine:
    """Gives ``scripts`` in turn, one a request, the last one again and again; keeps what it was asked.

    ``hang`` True waits for ever after the script instead of ending.
    ``asked`` is set by the first request, ``closed`` counts iterators that were closed or run to their end.
    """

    name = "fake"

    def __init__(
        self, *scripts: Sequence[TokenChunk], context_length: int = 4096, max_top_logprobs: int = 0, hang: bool = False
    ) -> None:
        self.context_length = context_length
        self.weight_bytes = 1000
        self.max_top_logprobs = max_top_logprobs
        self.requests: list[TokenRequest] = []
        self.closed = 0
        self.shut = False
        self.asked = asyncio.Event()
        self._scripts = list(scripts)
        self._hang = hang

    async def generate(self, request: TokenRequest) -> AsyncIterator[TokenChunk]:
        script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
        self.requests.append(request)
        self.asked.set()
        try:
            for chunk in script:
                yield chunk
            if self._hang:
                await asyncio.Event().wait()
        finally:
            self.closed += 1

    async def embed(self, prompts: list[list[int]]) -> list[bytes]:
        raise UnsupportedParameter(f"The fake engine embeds nothing, not even {len(prompts)} prompts.", param="model")

    def stats(self) -> EngineStats:
        return EngineStats(running=len(self.requests) - self.closed, requests_total=len(self.requests))

    async def close(self) -> None:
        self.shut = True
