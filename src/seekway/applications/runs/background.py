"""Work that nobody waits for: it must never delay an answer, and a process that ends does not wait for it long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import SeekwayError

_AT_ONCE: Final = 8
_MOST_WAITING: Final = 1000


class Background:
    """At most ``at_once`` pieces run and ``most_waiting`` wait; what comes beyond is left out, and counted in ``dropped``.

    A key's work is never done twice at a time: what comes while it waits or runs is left out, for it will be due again.
    """

    def __init__(
        self, log: FilteringBoundLogger, *, at_once: int = _AT_ONCE, most_waiting: int = _MOST_WAITING
    ) -> None:
        self._log = log
        self._slots = asyncio.Semaphore(at_once)
        self._most = at_once + most_waiting
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._closed = False
        self.dropped = 0

    def start(self, kind: str, key: str, work: Callable[[], Awaitable[None]]) -> None:
        name = (kind, key)
        if self._closed or name in self._tasks:
            return
        if len(self._tasks) >= self._most:
            self.dropped += 1
            self._log.warning("application_work_left_out", kind=kind, key=key)
            return
        # Not in a task group: whoever starts it does not stay; `close` ends it.
        task = asyncio.get_running_loop().create_task(self._run(kind, key, work))
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def settled(self) -> None:
        """Until all that was started is done."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    async def close(self) -> None:
        """What still runs is cancelled."""
        self._closed = True
        for task in tuple(self._tasks.values()):
            task.cancel()
        await self.settled()

    async def _run(self, kind: str, key: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with self._slots:
                await work()
        except SeekwayError as error:
            self._log.warning("application_work_failed", kind=kind, key=key, error=error.code, reason=error.message)
        except Exception as error:  # noqa: BLE001 - the task's edge: nobody else would hear of it
            self._log.error("application_work_failed", kind=kind, key=key, exc_info=error)
