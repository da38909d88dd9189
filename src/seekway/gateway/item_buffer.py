"""What stands between the task that makes an answer and the one that writes it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from seekway.core.errors import SeekwayError

ItemT = TypeVar("ItemT")


class ItemBuffer(Generic[ItemT]):
    """One writer puts, one reader takes all that waits; at most ``most`` items wait, then :meth:`room` blocks.

    ``interval_s`` after the last :meth:`written` a :meth:`take` returns with nothing: a keep-alive is due.
    The timer is one a request, not one an item.
    """

    def __init__(self, most: int, interval_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: deque[ItemT] = deque()
        self._most = most
        self._interval_s = interval_s
        self._reader: asyncio.Future[None] | None = None
        self._putter: asyncio.Future[None] | None = None
        self._due = False
        self._written_at = self._loop.time()
        self._timer = self._loop.call_later(interval_s, self._tick)
        self.ended = False
        self.error: SeekwayError | None = None
        self.gone = False
        """The client went away."""

    def put(self, item: ItemT) -> bool:
        """False when the buffer is full now: await :meth:`room` before the next."""
        self._items.append(item)
        _wake(self._reader)
        return len(self._items) < self._most

    async def room(self) -> None:
        while len(self._items) >= self._most:
            self._putter = self._loop.create_future()
            await self._putter

    def end(self, error: SeekwayError | None = None) -> None:
        self.ended = True
        self.error = error
        _wake(self._reader)

    def client_gone(self) -> None:
        self.gone = True
        _wake(self._reader)

    async def take(self) -> list[ItemT]:
        """All that waits; empty when a keep-alive is due, the client is gone, or everything was taken and the answer ended."""
        while not (self._items or self.ended or self.gone or self._due):
            self._reader = self._loop.create_future()
            await self._reader
        self._due = False
        items = list(self._items)
        self._items.clear()
        _wake(self._putter)
        return items

    def written(self) -> None:
        self._written_at = self._loop.time()

    def close(self) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        silent = self._loop.time() - self._written_at
        if silent >= self._interval_s * 0.999:
            self._due = True
            _wake(self._reader)
            silent = 0.0
        self._timer = self._loop.call_later(self._interval_s - silent, self._tick)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
