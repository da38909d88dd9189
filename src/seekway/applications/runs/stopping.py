"""The switch that ends an answer, also one that another process is giving."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Final

from structlog.typing import FilteringBoundLogger

from seekway.applications.records import AppRecord
from seekway.applications.runs.run import Run
from seekway.applications.store.stops import Stop, StopRows
from seekway.core.errors import SeekwayError

LOOK_S: Final = 0.5


class Stopping:
    """``running`` are this process's answers by task. ``look_s`` is how often the others' wishes are looked for while there are some; None: there are no other processes."""

    def __init__(
        self, rows: StopRows, running: Mapping[str, Run], log: FilteringBoundLogger, look_s: float | None
    ) -> None:
        self._rows = rows
        self._running = running
        self._log = log
        self._look_s = look_s
        self._looking: asyncio.Task[None] | None = None

    async def stop(self, app: AppRecord, task: str, session: str | None) -> None:
        """A user ends his own answers alone."""
        if task in self._running:
            self._stop(app.id, task, session or "")
        elif self._look_s is not None and _is_id(task):
            await self._rows.wish(Stop(app.id, task, session or ""))

    def watch(self) -> None:
        """To be called when an answer has begun; ends by itself with the last one."""
        if self._look_s is not None and (self._looking is None or self._looking.done()):
            # Not in a task group: answers come and go, and none of them waits for it; `close` ends it.
            self._looking = asyncio.get_running_loop().create_task(self._look(self._look_s))

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    async def _look(self, every_s: float) -> None:
        while self._running:
            await asyncio.sleep(every_s)
            try:
                for wish in await self._rows.wished(tuple(self._running)):
                    self._stop(wish.app, wish.task, wish.session)
            except SeekwayError as error:
                self._log.warning("stops_not_read", reason=error.message)

    def _stop(self, app: str, task: str, session: str) -> None:
        run = self._running.get(task)
        if run is not None and run.app.id == app and (run.session or "") == session:
            run.stop()


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
