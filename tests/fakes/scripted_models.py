"""Models that answer what they are told to, one answer a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from seekway.core.caller import Caller
from seekway.core.errors import SeekwayError
from seekway.core.types import Event, GenerateRequest


@dataclass(frozen=True)
class FreePrice:
    prompt: str = "0"
    completion: str = "0"
    currency: str = "USD"


class ScriptedModels:
    """:class:`seekway.applications.ports.Models`. An error in an answer is raised in its place; None waits until the stream is closed."""

    def __init__(self, *answers: Sequence[Event | SeekwayError | None]) -> None:
        self._answers = list(answers)
        self.asked: list[GenerateRequest] = []
        self.closed = 0

    async def generate(self, request: GenerateRequest, caller: Caller) -> AsyncGenerator[Event, None]:
        self.asked.append(request)
        try:
            for event in self._answers.pop(0):
                if isinstance(event, SeekwayError):
                    raise event
                if event is None:
                    await asyncio.get_running_loop().create_future()
                else:
                    yield event
        finally:
            self.closed += 1

    def context_length(self, model: str) -> int:
        return 0

    def price(self, model: str) -> FreePrice:
        return FreePrice()
