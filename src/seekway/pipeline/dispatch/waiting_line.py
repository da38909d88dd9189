"""A short line of requests that wait for room, the most urgent first."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

Item = TypeVar("Item")


class WaitingLine(Generic[Item]):
    """At most ``most`` items, ordered by priority (0 first) and then by arrival."""

    __slots__ = ("_items", "_most", "_priorities")

    def __init__(self, most: int) -> None:
        self._most = most
        self._priorities: list[int] = []
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    def join(self, item: Item, priority: int) -> Item | None:
        """Stand in line; returns who has no place any more, which may be ``item`` itself."""
        at = bisect_right(self._priorities, priority)
        if at >= self._most:
            return item
        self._priorities.insert(at, priority)
        self._items.insert(at, item)
        if len(self._items) <= self._most:
            return None
        self._priorities.pop()
        return self._items.pop()

    def first(self) -> Item | None:
        """Who is next, and stays in line until it leaves."""
        return self._items[0] if self._items else None

    def leave(self, item: Item) -> None:
        """Nothing happens when it is not in line."""
        for at, known in enumerate(self._items):
            if known is item:
                del self._items[at], self._priorities[at]
                return
