"""One chat over gRPC, as an internal system would have it."""

from __future__ import annotations

import time

from benchmarks.engine.http_load import Measured
from benchmarks.engine.prompts import Chat
from seekway.core.types import Finish, GenerateRequest, Sampling, Usage
from seekway.model_service.client import ModelServiceBackend


async def one(backend: ModelServiceBackend, model: str, chat: Chat, max_tokens: int) -> Measured:
    request = GenerateRequest(
        id="bench", model=model, messages=chat.messages, sampling=Sampling(max_tokens=max_tokens, temperature=0.0)
    )
    usage, finish, first = Usage(0, 0), "", 0.0
    begun = time.perf_counter()
    async for event in backend.generate(request):
        first = first or time.perf_counter()
        if isinstance(event, Usage):
            usage = event
        elif isinstance(event, Finish):
            finish = event.reason
    ended = time.perf_counter()
    return Measured(
        started=begun,
        first_token=first,
        ended=ended,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        finish=finish,
    )
