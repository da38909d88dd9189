"""Who may enter an engine: a bounded number run, a bounded number wait in order, one more is refused at once.

Engines that queue by themselves cannot always cancel what they queued or say how much it is, so the queue stands before them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from seekway.core.errors import Overloaded, SeekwayError

_FIRST_GUESS_S = 1.0
_LONGEST_HINT_S = 60.0
_WEIGHT_OF_NEWEST = 0.2


class Admission:
    """Slots for ``max_running`` requests and a first-in, first-out queue of ``max_queued`` more.

    All methods belong to one asyncio loop. ``clock`` gives seconds.
    """

    def __init__(self, max_running: int, max_queued: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_running = max_running
        self.max_queued = max_queued
        self._clock = clock
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed_by: SeekwayError | None = None
        self._mean_held_s: float | None = None

    @property
    def running(self) -> int:
        """Slots taken now."""
        return self._running

    @property
    def queued(self) -> int:
        """Requests that wait for a slot now; one that was just cancelled no longer counts."""
        return sum(not turn.done() for turn in self._waiting)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Hold a slot for the block, waiting in order for a free one.

        Raises ``Overloaded`` at once when the queue is full, and the error given to :meth:`close` when the engine stops;
        cancelling the waiting task takes it out of the queue at once.
        """
        await self._enter()
        since = self._clock()
        try:
            yield
        finally:
            self._remember(self._clock() - since)
            self._leave()

    def close(self, reason: SeekwayError) -> None:
        """Refuse whoever waits or comes with ``reason``; those inside keep their slots. The first reason stays."""
        if self._closed_by is not None:
            return
        self._closed_by = reason
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(_again(reason))

    async def _enter(self) -> None:
        if self._closed_by is not None:
            raise _again(self._closed_by)
        queued = self.queued
        if self._running < self.max_running and queued == 0:
            self._running += 1
            return
        if queued >= self.max_queued:
            raise Overloaded(
                f"{self._running} requests run and {queued} wait already; try again later.",
                retry_after_s=self._expected_wait_s(),
            )
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # The slot may have been handed over in the same turn of the loop in which the task was cancelled.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._leave()
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def _leave(self) -> None:
        """Give the slot to the first who still waits, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._running -= 1

    def _remember(self, held_s: float) -> None:
        before = self._mean_held_s
        self._mean_held_s = held_s if before is None else before + _WEIGHT_OF_NEWEST * (held_s - before)

    def _expected_wait_s(self) -> float:
        """When a place in the queue should be free: the mean time between two releases, at least a tenth of a second."""
        held_s = _FIRST_GUESS_S if self._mean_held_s is None else self._mean_held_s
        return min(max(held_s / self.max_running, 0.1), _LONGEST_HINT_S)


def _again(error: SeekwayError) -> SeekwayError:
    """A fresh copy, since one exception object raised in several tasks mixes their tracebacks."""
    return type(error)(error.message, param=error.param, retry_after_s=error.retry_after_s)
