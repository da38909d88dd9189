"""What is done to an admitted request for the sake of the one backend it goes to; done anew for each backend that is tried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from seekway.core.errors import SeekwayError
from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.stage import FigureBook, StageFigures


class ShapingStage(Protocol):
    """A request stage that never waits; ``exchange.route`` is the backend's."""

    @property
    def name(self) -> str: ...

    def __call__(self, request: GenerateRequest, exchange: Exchange, /) -> GenerateRequest: ...


class Shaping:
    """Call it with a request and the exchange whose route is taken; raises what a stage refuses.

    The request it gives has the model's name as the backend knows it, and what is left of the time.
    """

    def __init__(self, stages: Sequence[ShapingStage], book: FigureBook) -> None:
        self.stages = tuple(stages)
        self._counted = tuple((stage, book.of(stage.name, "request")) for stage in stages)

    def figures(self) -> tuple[StageFigures, ...]:
        return tuple(figures for _, figures in self._counted)

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        # One reading of the clock is a stage's end and the next one's beginning.
        clock = time.perf_counter
        then = clock()
        for stage, figures in self._counted:
            figures.calls += 1
            try:
                shaped = stage(request, exchange)
            except SeekwayError:
                figures.refused += 1
                figures.seconds += clock() - then
                raise
            now = clock()
            figures.seconds += now - then
            then = now
            if shaped is not request:
                figures.changed += 1
                request = shaped
        left_s = exchange.deadline
        if left_s is not None:
            left_s -= asyncio.get_running_loop().time()
            if left_s < 0.001:
                left_s = 0.001
        return msgspec.structs.replace(request, model=exchange.resolved.name, deadline_s=left_s)
