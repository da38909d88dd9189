"""Threads for what would keep the event loop too long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class ReviewPool:
    """At most ``threads`` pieces of work at once; further ones wait on the event loop, each as long as it may."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self._slots = asyncio.Semaphore(threads)

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """What ``work`` returns; raises ``TimeoutError`` when it is not done in time.

        Work that has begun goes on to its end, and takes its thread until then.
        """
        async with asyncio.timeout(seconds):
            await self._slots.acquire()
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, "guardrails")
            loop, slots = asyncio.get_running_loop(), self._slots

            def done(_: Future[T]) -> None:
                # The loop may have ended before the work.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(slots.release)

            future = self._executor.submit(work)
            future.add_done_callback(done)
            return await asyncio.wrap_future(future)

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
