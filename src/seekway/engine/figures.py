"""An engine's counters: totals since the worker started, and tokens per second over the last ten seconds."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from seekway.core.types import EngineStats

_WINDOW_S = 10.0
_BUCKET_S = 0.25


class RecentRate:
    """Events per second over the last ``window_s``, counted in buckets of ``bucket_s`` so that memory stays bounded."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, window_s: float = _WINDOW_S, bucket_s: float = _BUCKET_S
    ) -> None:
        self._clock = clock
        self._window_s = window_s
        self._bucket_s = bucket_s
        self._started = clock()
        self._buckets: deque[tuple[float, int]] = deque()
        self._sum = 0

    @property
    def buckets(self) -> int:
        """How many counts are kept; at most the window over the bucket's length, and one."""
        return len(self._buckets)

    def add(self, count: int) -> None:
        now = self._clock()
        if self._buckets and now - self._buckets[-1][0] < self._bucket_s:
            start, before = self._buckets[-1]
            self._buckets[-1] = (start, before + count)
        else:
            self._buckets.append((now, count))
        self._sum += count
        self._forget(now)

    def per_second(self) -> float:
        """The rate over the window, or over the time since the start while that is shorter (at least one second)."""
        now = self._clock()
        self._forget(now)
        return self._sum / min(self._window_s, max(now - self._started, 1.0))

    def _forget(self, now: float) -> None:
        while self._buckets and now - self._buckets[0][0] > self._window_s:
            self._sum -= self._buckets.popleft()[1]


class EngineFigures:
    """What one engine has done since it was loaded. All methods belong to one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = RecentRate(clock)
        self._prompt_tokens = 0
        self._cached_tokens = 0
        self._generated_tokens = 0
        self._requests = 0

    def request_started(self, prompt_tokens: int) -> None:
        """Count a request that entered the engine (not one that was refused or cancelled while it waited)."""
        self._requests += 1
        self._prompt_tokens += prompt_tokens

    def prompt_reused(self, cached_tokens: int) -> None:
        self._cached_tokens += cached_tokens

    def tokens_generated(self, count: int) -> None:
        self._generated_tokens += count
        self._rate.add(count)

    def snapshot(
        self, *, running: int, queued: int, queue_limit: int, kv_cache_used: float | None = None
    ) -> EngineStats:
        return EngineStats(
            running=running,
            queued=queued,
            queue_limit=queue_limit,
            kv_cache_used=kv_cache_used,
            generated_tokens_per_s=self._rate.per_second(),
            prompt_tokens_total=self._prompt_tokens,
            cached_tokens_total=self._cached_tokens,
            generated_tokens_total=self._generated_tokens,
            requests_total=self._requests,
            rss_bytes=process_rss_bytes(),
        )


def process_rss_bytes() -> int:
    """Resident memory of this process: now on Linux (``/proc/self/statm``, proc(5)), the highest so far elsewhere."""
    try:
        resident_pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return highest if sys.platform == "darwin" else highest * 1024
    return resident_pages * os.sysconf("SC_PAGE_SIZE")
