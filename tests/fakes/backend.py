"""A scripted :class:`seekway.core.ports.Backend`.

A script is what ``generate`` does, step by step: yield an event, raise an error, wait for a test's event, or hang until cancelled.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final, Literal

from seekway.core.errors import InvalidRequest, ModelNotFound, SeekwayError
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    EngineStats,
    Event,
    Finish,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    RerankScore,
    TextDelta,
    TokenCount,
    Usage,
)

Hang = Literal["hang"]
HANG: Final[Hang] = "hang"
"""A step that waits until the iterator is closed or its task is cancelled."""

Step = Event | SeekwayError | asyncio.Event | Hang
Script = Callable[[GenerateRequest], Sequence[Step]]


def reply(*texts: str, cached_tokens: int = 0) -> tuple[Event, ...]:
    """A whole successful stream whose deltas are ``texts``."""
    usage = Usage(prompt_tokens=7, completion_tokens=len(texts), cached_tokens=cached_tokens)
    return (*(TextDelta(text) for text in texts), usage, Finish("stop"))


def model_info(name: str, version: str = "1") -> ModelInfo:
    return ModelInfo(
        id=name,
        version=version,
        owned_by="seekway",
        source="tests",
        capabilities=("chat", "completion", "embed", "rerank"),
        engine="fake",
        context_length=4096,
    )


def _hello(_request: GenerateRequest) -> Sequence[Step]:
    return reply("Hel", "lo", ", ", "world", "!")


class FakeBackend:
    """Plays ``script`` for every ``generate``; the other calls answer simple truths or raise ``error``.

    ``requests`` are those that came; ``running``, ``completed`` and ``cancelled`` count generations;
    ``idle`` is set whenever none runs, so that a test can wait for a cancellation to arrive.
    """

    def __init__(
        self,
        script: Script | Sequence[Step] = _hello,
        *,
        models: Sequence[ModelInfo] = (model_info("fake"),),
        error: SeekwayError | None = None,
    ) -> None:
        self._script = script
        self._models = tuple(models)
        self.error = error
        self.requests: list[GenerateRequest | EmbedRequest | RerankRequest] = []
        self.running = 0
        self.completed = 0
        self.cancelled = 0
        self.closed = False
        self.started = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event, None]:
        self._admit(request.model)
        self.requests.append(request)
        self.running += 1
        self.idle.clear()
        self.started.set()
        finished = False
        try:
            for step in self._script(request) if callable(self._script) else self._script:
                if isinstance(step, SeekwayError):
                    finished = True
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif step == HANG:
                    await asyncio.Event().wait()
                elif not isinstance(step, str):
                    # A consumer that closes the stream after its Finish has had all of it.
                    finished = isinstance(step, Finish)
                    yield step
        finally:
            self.running -= 1
            self.completed += finished
            self.cancelled += not finished
            if not self.running:
                self.idle.set()

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        """Unit vectors that depend on the text's length only."""
        self._admit(request.model)
        self.requests.append(request)
        if not request.inputs:
            raise InvalidRequest("Give at least one text to embed.", param="input")
        dimensions = request.dimensions or 4
        vectors = tuple(_vector(len(text), dimensions) for text in request.inputs)
        return EmbedResult(vectors, dimensions, prompt_tokens=sum(len(text.split()) for text in request.inputs))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Scores are the words a document shares with the query."""
        self._admit(request.model)
        self.requests.append(request)
        wanted = set(request.query.split())
        scores = [
            RerankScore(index, float(len(wanted & set(text.split())))) for index, text in enumerate(request.documents)
        ]
        scores.sort(key=lambda found: (-found.score, found.index))
        return RerankResult(tuple(scores[: request.top_n]), prompt_tokens=len(request.documents))

    def offer(self, *models: ModelInfo) -> None:
        """Serve these from now on."""
        self._models = models

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        """One a word of the messages' plain texts; estimated for a model called ``estimated``."""
        self._admit(request.model)
        self.requests.append(request)
        words = sum(len(message.content.split()) for message in request.messages if isinstance(message.content, str))
        return TokenCount(words, exact=request.model != "estimated")

    async def models(self) -> tuple[ModelInfo, ...]:
        if self.error is not None:
            raise self.error
        return self._models

    def stats(self) -> EngineStats:
        return EngineStats(running=self.running, requests_total=len(self.requests))

    async def close(self) -> None:
        self.closed = True

    def _admit(self, model: str) -> None:
        if self.error is not None:
            raise self.error
        if not any(model in (info.id, f"{info.id}@{info.version}") for info in self._models):
            raise ModelNotFound(f"The model {model!r} is not served here; ask for one of /v1/models.", param="model")


def _vector(seed: int, dimensions: int) -> bytes:
    values = [math.sin(seed + position + 1.0) for position in range(dimensions)]
    norm = math.sqrt(sum(value * value for value in values))
    return struct.pack(f"<{dimensions}f", *(value / norm for value in values))
