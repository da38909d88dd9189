"""The two kinds of stage and what is counted of each."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from seekway.core.types import Event, GenerateRequest
from seekway.pipeline.exchange import Exchange


class RequestStage(Protocol):
    """Request in, request out; raises a ``SeekwayError`` to refuse."""

    @property
    def name(self) -> str: ...

    async def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest: ...


class StreamStage(Protocol):
    """Event stream in, event stream out; the pipeline closes the generator it returns."""

    @property
    def name(self) -> str: ...

    def __call__(self, events: AsyncIterator[Event], exchange: Exchange) -> AsyncGenerator[Event]: ...


@dataclass(slots=True)
class StageFigures:
    """``seconds`` is the stage's own time, waiting for the model not counted; ``changed`` counts requests it altered (request stages only)."""

    name: str
    kind: Literal["request", "stream"]
    calls: int = 0
    changed: int = 0
    refused: int = 0
    events: int = 0
    seconds: float = 0.0
