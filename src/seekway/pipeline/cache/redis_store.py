"""Answers in Redis, shared by workers and nodes.

Keys are ``seekway:cache:1:<tenant's tag>:<digest>``, the 1 being the answers' format; expiry is Redis' own.
How much it may hold is its operator's to say (``maxmemory`` with ``allkeys-lru``).
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol

from structlog.typing import FilteringBoundLogger

from seekway.observability.cache_figures import CacheCounts, CacheSize
from seekway.pipeline.cache.store import Found

_PREFIX: Final = "seekway:cache:1"
_TAG_BYTES: Final = 8
_TIMES = struct.Struct("<dd")
_MOST_WRITES: Final = 64
_BATCH: Final = 500
_CLEAR_TIMEOUT_S: Final = 30.0


class RedisClient(Protocol):
    """What is used of ``redis.asyncio.Redis`` (made with ``decode_responses=False``)."""

    def get(self, name: str, /) -> Awaitable[Any]: ...

    def set(self, name: str, value: bytes, /, *, px: int) -> Awaitable[Any]: ...

    def unlink(self, *names: bytes) -> Awaitable[Any]: ...

    def scan_iter(self, match: str, count: int) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class RedisStore:
    """``client`` and its closing belong to whoever made it; ``failures`` are the errors it raises (``redis.RedisError``).

    A Redis that is away or slow is a miss: counted, and logged when it goes and when it is back.
    ``wall_clock`` is the machines' common one, since an answer's age is read on another machine than it was written.
    """

    immediate = False

    def __init__(
        self,
        client: RedisClient,
        failures: tuple[type[Exception], ...],
        counts: CacheCounts,
        log: FilteringBoundLogger,
        *,
        timeout_s: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._failures = (*failures, OSError, TimeoutError)
        self._counts = counts
        self._log = log
        self._timeout_s = timeout_s
        self._clock = wall_clock
        self._away = False
        # Held here and ended by close(): a put must not make an answer wait for Redis.
        self._writes: set[asyncio.Task[None]] = set()

    def peek(self, key: bytes) -> Found | None:
        return None

    async def get(self, key: bytes) -> Found | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                value = await self._client.get(_name(key))
        except self._failures as error:
            self._failed(error)
            return None
        self._answered()
        if not isinstance(value, bytes) or len(value) < _TIMES.size:
            return None
        stored_at, good_until = _TIMES.unpack_from(value)
        now = self._clock()
        # Machines' clocks differ, and may be set: never older than can be, never younger than just now.
        age_s = min(max(now - stored_at, 0.0), good_until - stored_at)
        return Found(value[_TIMES.size :], age_s, max(good_until - stored_at - age_s, 0.0))

    def put(self, key: bytes, answer: bytes, ttl_s: float) -> None:
        if len(self._writes) >= _MOST_WRITES:
            self._counts.store_failures += 1
            return
        now = self._clock()
        value = _TIMES.pack(now, now + ttl_s) + answer
        task = asyncio.get_running_loop().create_task(self._write(_name(key), value, ttl_s))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def clear(self, tag: bytes) -> int | None:
        pattern = f"{_PREFIX}:{tag.hex() or '*'}:*"
        count = 0
        try:
            async with asyncio.timeout(_CLEAR_TIMEOUT_S):
                names: list[bytes] = []
                async for name in self._client.scan_iter(match=pattern, count=_BATCH):
                    names.append(name)
                    if len(names) >= _BATCH:
                        count += int(await self._client.unlink(*names))
                        names.clear()
                if names:
                    count += int(await self._client.unlink(*names))
        except self._failures as error:
            self._failed(error)
            return None
        return count

    def size(self) -> CacheSize:
        return CacheSize()

    async def written(self) -> None:
        """Wait for the writes under way."""
        await asyncio.gather(*self._writes)

    async def close(self) -> None:
        for task in self._writes:
            task.cancel()
        await asyncio.gather(*self._writes, return_exceptions=True)

    async def _write(self, name: str, value: bytes, ttl_s: float) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.set(name, value, px=max(round(ttl_s * 1000), 1))
        except self._failures as error:
            self._failed(error)
        else:
            self._answered()

    def _failed(self, error: Exception) -> None:
        self._counts.store_failures += 1
        if not self._away:
            self._away = True
            self._log.warning("cache_store_away", reason=f"{type(error).__name__}: {error}")

    def _answered(self) -> None:
        if self._away:
            self._away = False
            self._log.info("cache_store_back")


def _name(key: bytes) -> str:
    return f"{_PREFIX}:{key[:_TAG_BYTES].hex()}:{key[_TAG_BYTES:].hex()}"
