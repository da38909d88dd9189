"""Equal requests under way share one generation: the first asks the model, the others wait for its answer."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

_MOST_FAILURES: Final = 2
"""After so many leaders have failed the others stop queueing behind each other: a backend that fails slowly must not take all their time in turn."""


class Turn(Enum):
    """What a waiting request is told when there is no answer for it."""

    LEAD = "ask the model for all who wait"
    ALONE = "ask the model for yourself"


@dataclass(frozen=True, slots=True)
class Landed:
    """The answer that the leader got; ``semantic`` where it was another question's."""

    answer: bytes
    semantic: bool = False


class Flights:
    """The generations under way, by key. One event loop's; nothing here is awaited but :meth:`follow`."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def get(self, key: bytes) -> Flight | None:
        return self._flights.get(key)

    def begin(self, key: bytes) -> Flight:
        flight = self._flights[key] = Flight(key, self._flights)
        return flight


class Flight:
    """One generation that others may wait for. Exactly one leader at a time ends it, with ``land``, ``release`` or ``fail``."""

    # Defaults of the class and not of each instance: every miss makes one, and few of them are waited for.
    _waiting: deque[asyncio.Future[Landed | Turn]] | None = None
    _failures = 0

    def __init__(self, key: bytes, table: dict[bytes, Flight]) -> None:
        self._key = key
        self._table = table

    async def follow(self, until: float) -> Landed | Turn:
        """Wait for the leader until the loop's time ``until``, and then go ``ALONE``."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Landed | Turn] = loop.create_future()
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(told)
        try:
            async with asyncio.timeout_at(until):
                return await told
        except TimeoutError:
            if told.done() and not told.cancelled():
                return told.result()
            return Turn.ALONE
        except asyncio.CancelledError:
            # Told to lead and gone in the same moment: the next one must hear of it.
            if told.done() and not told.cancelled() and told.result() is Turn.LEAD:
                self.fail(own=False)
            raise
        finally:
            if told in self._waiting:
                self._waiting.remove(told)

    def land(self, answer: Landed) -> None:
        """The leader has an answer for all."""
        self._end(answer)

    def release(self) -> None:
        """The leader's answer is not one to share; each asks for itself."""
        self._end(Turn.ALONE)

    def fail(self, *, own: bool) -> None:
        """The leader has no answer: one of those who wait leads now. ``own`` when it was the model that failed and not the client that left."""
        self._failures += own
        if self._failures >= _MOST_FAILURES:
            self.release()
            return
        while self._waiting:
            told = self._waiting.popleft()
            if not told.done():
                told.set_result(Turn.LEAD)
                return
        self._leave()

    def _end(self, outcome: Landed | Turn) -> None:
        self._leave()
        while self._waiting:
            told = self._waiting.popleft()
            if not told.done():
                told.set_result(outcome)

    def _leave(self) -> None:
        # Another flight may have begun under this key by a request that did not wait.
        if self._table.get(self._key) is self:
            del self._table[self._key]
