"""Where answers lie: the Protocol, and the process's own memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from seekway.observability.cache_figures import CacheCounts, CacheSize

_OVERHEAD: Final = 300
"""Bytes that an entry takes beside its answer: key, bookkeeping and the dictionary's slot, rounded up."""
_SWEPT: Final = 16
_SWEPT_EACH: Final = 4
"""After so many new entries at most ``_SWEPT`` stale ones are let go."""


@dataclass(frozen=True, slots=True)
class Found:
    """A kept answer, how old it is and how long it is still good, in seconds."""

    answer: bytes
    age_s: float
    left_s: float


class CacheStore(Protocol):
    """Answers by key; whatever goes wrong in it is a miss, never an error."""

    @property
    def immediate(self) -> bool:
        """Whether :meth:`peek` knows the truth; else :meth:`get` must be awaited."""
        ...

    def peek(self, key: bytes, /) -> Found | None:
        """What is known without waiting."""
        ...

    async def get(self, key: bytes, /) -> Found | None: ...

    def put(self, key: bytes, answer: bytes, ttl_s: float, /) -> None:
        """Keep; returns at once, also where the store is elsewhere."""
        ...

    async def clear(self, tag: bytes, /) -> int | None:
        """Forget every key that begins with ``tag``, all for an empty one; how many there were, None when the store cannot be reached."""
        ...

    def size(self) -> CacheSize: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Entry:
    answer: bytes
    stored_at: float
    good_until: float


class MemoryStore:
    """The least recently used answer goes when there are too many or they take too much; ``clock`` never goes backwards."""

    immediate = True

    def __init__(
        self,
        counts: CacheCounts,
        *,
        max_entries: int,
        max_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counts = counts
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._bytes = 0
        self._unswept = 0

    def peek(self, key: bytes) -> Found | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        if now >= entry.good_until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return Found(entry.answer, now - entry.stored_at, entry.good_until - now)

    async def get(self, key: bytes) -> Found | None:
        return self.peek(key)

    def put(self, key: bytes, answer: bytes, ttl_s: float) -> None:
        if len(answer) + _OVERHEAD > self._max_bytes:
            return
        if key in self._entries:
            self._drop(key)
        now = self._clock()
        self._entries[key] = _Entry(answer, now, now + ttl_s)
        self._bytes += len(answer) + _OVERHEAD
        self._unswept += 1
        if self._unswept >= _SWEPT_EACH:
            self._unswept = 0
            self._sweep(now)
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self._counts.evicted += 1

    async def clear(self, tag: bytes) -> int:
        doomed = [key for key in self._entries if key.startswith(tag)]
        for key in doomed:
            self._drop(key)
        return len(doomed)

    def size(self) -> CacheSize:
        return CacheSize(len(self._entries), self._bytes)

    async def close(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def _drop(self, key: bytes) -> None:
        self._bytes -= len(self._entries.pop(key).answer) + _OVERHEAD

    def _sweep(self, now: float) -> None:
        """Let a few stale ones at the end of the line go, so that texts do not outlive their time in a cache that is never full."""
        for _ in range(_SWEPT):
            key, entry = next(iter(self._entries.items()))
            if now < entry.good_until:
                return
            self._drop(key)
            if not self._entries:
                return
