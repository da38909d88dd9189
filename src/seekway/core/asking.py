"""A question's one answer, for those who await it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from seekway.core.errors import SeekwayError
from seekway.core.ports import AnswerSink, Flow

T = TypeVar("T")


async def answer_of(start: Callable[[AnswerSink[T]], Flow]) -> T:
    """What ``start`` begins, awaited; raises what the sink is told. Cancelling it stops the work."""
    sink: _Awaited[T] = _Awaited()
    flow = start(sink)
    try:
        return await sink.future
    except asyncio.CancelledError:
        flow.cancel()
        raise


class _Awaited(Generic[T]):
    def __init__(self) -> None:
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def answer(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: SeekwayError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
