"""A pushed stream behind an asynchronous iterator: the other way round from :mod:`seekway.pipeline.pumped`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from seekway.core.errors import SeekwayError
from seekway.core.ports import Flow
from seekway.core.streaming import EventBuffer
from seekway.core.types import Event

_MOST_WAITING = 64


class PulledStream:
    """An :class:`seekway.core.ports.EventSink` for one reader.

    A reader that keeps up gets each event alone and at once; deltas wait joined for one that is behind, and more than ``most_waiting`` hold the flow back
    until it has read them.
    """

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._waiting = EventBuffer()
        self._flow: Flow | None = None
        self._held = False
        self._over = False
        self._error: SeekwayError | None = None
        self._reader: asyncio.Future[None] | None = None

    def feed(self, events: Sequence[Event]) -> None:
        if self._over:
            return
        for event in events:
            self._waiting.append(event)
        if len(self._waiting) > self._most_waiting and not self._held and self._flow is not None:
            self._held = True
            self._flow.pause()
        self._wake()

    def end(self) -> None:
        self._over = True
        self._wake()

    def fail(self, error: SeekwayError) -> None:
        if not self._over:
            self._over, self._error = True, error
            self._wake()

    def break_off(self, error: SeekwayError) -> None:
        """Stop the work; the reader hears ``error`` after what has come already."""
        if not self._over:
            if self._flow is not None:
                self._flow.cancel()
            self.fail(error)

    async def read(self, flow: Flow) -> AsyncGenerator[Event, None]:
        """What ``flow`` feeds, once; leaving early cancels it. Raises what the stream failed with."""
        self._flow = flow
        try:
            while True:
                while self._waiting:
                    yield self._waiting.pop()
                if self._error is not None:
                    raise self._error
                if self._over:
                    return
                if self._held:
                    self._held = False
                    flow.resume()
                self._reader = asyncio.get_running_loop().create_future()
                await self._reader
        finally:
            if not self._over:
                self._over = True
                flow.cancel()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
