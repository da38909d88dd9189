"""Requests in flight on the service's side of the pipe."""

from __future__ import annotations

import asyncio

from seekway.core.errors import SeekwayError
from seekway.core.streaming import EventBuffer
from seekway.core.types import Event
from seekway.engine.worker.frames import Counted, Embedded, Listed, Reranked

Answer = Embedded | Reranked | Counted | Listed

PAUSE_AT = 4096
"""Events waiting in one stream at which the worker is asked to hold it."""
RESUME_AT = 512


class StreamCall:
    """One generation: the pipe feeds it, one reader drains it."""

    def __init__(self) -> None:
        self.waiting = EventBuffer()
        self.paused = False
        self.done = False
        self._error: SeekwayError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, event: Event) -> None:
        self.waiting.append(event)
        self._wake()

    def end(self) -> None:
        self.done = True
        self._wake()

    def fail(self, error: SeekwayError) -> None:
        """Raise ``error`` at the reader after the events that still wait; the first error stands."""
        if not self.done:
            self._error = error
            self.end()

    async def next(self) -> Event | None:
        """The next event, None at a good end; raises what the stream failed with."""
        while not self.waiting:
            if self._error is not None:
                raise self._error
            if self.done:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.waiting.pop()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class ResultCall:
    """One request with one answer."""

    paused = False

    def __init__(self) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    @property
    def done(self) -> bool:
        return self.answer.done()

    def resolve(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: SeekwayError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            # Retrieved here: whoever asked may be gone already.
            self.answer.exception()


Call = StreamCall | ResultCall
