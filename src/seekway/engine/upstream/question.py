"""One question over one connection, and the whole answer read for whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from seekway.core.errors import SeekwayError
from seekway.core.ports import AnswerSink
from seekway.engine.upstream.transport import Answer, WholeCall

if TYPE_CHECKING:
    from seekway.engine.upstream.pool import Pool

T = TypeVar("T")


class Question(WholeCall, Generic[T]):
    """A :class:`seekway.core.ports.Flow`; ``read`` makes the result of the answer or raises a ``SeekwayError``."""

    __slots__ = ("_read", "_sink")

    def __init__(self, pool: Pool, limit: int, read: Callable[[Answer], T], sink: AnswerSink[T]) -> None:
        super().__init__(pool, limit)
        self._read = read
        self._sink = sink

    def cancel(self) -> None:
        if not self.over:
            self.abandon()

    def done(self, body: bytes) -> None:
        try:
            result = self._read(Answer(self, body))
        except SeekwayError as error:
            self._sink.fail(error)
            return
        self._sink.answer(result)

    def broken(self, error: SeekwayError) -> None:
        self._sink.fail(error)
