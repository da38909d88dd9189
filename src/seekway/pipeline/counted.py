"""What a question cost, noted on its answer's way."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from seekway.core.errors import SeekwayError
from seekway.core.ports import AnswerSink
from seekway.core.types import Usage
from seekway.pipeline.exchange import Exchange


class _Prompted(Protocol):
    @property
    def prompt_tokens(self) -> int: ...


R = TypeVar("R", bound=_Prompted)


class Counted(Generic[R]):
    def __init__(self, exchange: Exchange, sink: AnswerSink[R]) -> None:
        self._exchange = exchange
        self._sink = sink

    def answer(self, result: R) -> None:
        self._exchange.record.usage = Usage(result.prompt_tokens, 0)
        self._sink.answer(result)

    def fail(self, error: SeekwayError) -> None:
        self._sink.fail(error)
