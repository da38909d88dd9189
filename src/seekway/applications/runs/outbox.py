"""Events of a run on their way to its one reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from seekway.applications.events import AnswerDelta, AppEvent, ReasoningDelta
from seekway.core.errors import SeekwayError

_MOST_WAITING: Final = 64


class Outbox:
    """Deltas of a kind wait joined for a reader that is behind; a run that gets far ahead of it waits in :meth:`room`."""

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._waiting: deque[AppEvent] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._error: SeekwayError | None = None
        self._left = False
        self.over = False

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._most_waiting

    def abandon(self) -> None:
        """The reader is gone: nothing is kept for it any more, and nobody waits for it."""
        self._left = True
        self._waiting.clear()
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def put(self, event: AppEvent) -> None:
        if self._left:
            return
        self._waiting.append(event)
        self._wake()

    async def room(self) -> None:
        """Until the reader has taken what waits."""
        while self.full:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def end(self, error: SeekwayError | None = None) -> None:
        if not self.over:
            self.over, self._error = True, error
            self._wake()

    async def read(self) -> AsyncGenerator[AppEvent, None]:
        """Raises the error that it ended with, behind what came before it."""
        while True:
            while self._waiting:
                event = self._pop()
                if self._writer is not None and not self._writer.done() and not self.full:
                    self._writer.set_result(None)
                yield event
            if self._error is not None:
                raise self._error
            if self.over:
                return
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader

    def _pop(self) -> AppEvent:
        event = self._waiting.popleft()
        if not isinstance(event, AnswerDelta | ReasoningDelta) or not self._waiting:
            return event
        kind, texts = type(event), [event.text]
        while self._waiting:
            following = self._waiting[0]
            if not isinstance(following, AnswerDelta | ReasoningDelta) or type(following) is not kind:
                break
            texts.append(following.text)
            self._waiting.popleft()
        return event if len(texts) == 1 else kind("".join(texts))

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
