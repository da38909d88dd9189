"""A pushed generation for those who would rather iterate."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from seekway.core.errors import SeekwayError
from seekway.core.ports import Flow
from seekway.core.types import Event

_MANY = 256


class EventQueue:
    """An :class:`seekway.core.ports.EventSink` for one reader; a slow reader holds ``flow`` back."""

    def __init__(self) -> None:
        self.flow: Flow | None = None
        self._events: list[Event] = []
        self._ended = False
        self._error: SeekwayError | None = None
        self._news: asyncio.Future[None] | None = None
        self._paused = False

    def feed(self, events: Sequence[Event], /) -> None:
        self._events += events
        if len(self._events) > _MANY and not self._paused and self.flow is not None:
            self._paused = True
            self.flow.pause()
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def fail(self, error: SeekwayError, /) -> None:
        self._error = error
        self._ended = True
        self._wake()

    async def take(self) -> list[Event]:
        """All events that have come, at least one; none after the end. Raises the ``SeekwayError`` that ended the generation."""
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._ended:
                return []
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        events, self._events = self._events, []
        if self._paused and self.flow is not None:
            self._paused = False
            self.flow.resume()
        return events

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
