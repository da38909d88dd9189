"""What the requests to applications share in a gateway process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from seekway.applications.records import AppRecord
from seekway.gateway.dify.annotation_jobs import AnnotationJobs
from seekway.gateway.dify.app_keys import OpenedApps
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.front import Front


class AppDesk:
    """``ticks`` goes in seconds."""

    def __init__(self, front: Front, ticks: Callable[[], float]) -> None:
        self._front = front
        self.opened = OpenedApps(ticks)
        self.jobs = AnnotationJobs(front.log)
        self._running: Counter[str] = Counter()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.jobs.close()

    def take_turn(self, app: AppRecord) -> Callable[[], None]:
        """One more question to ``app`` runs, until what is returned is called, once. Raises :class:`DifyRefusal` where as many run as may."""
        self._front.services.drain.check()
        most = self._front.application_settings.max_active_requests
        if most and self._running[app.id] >= most:
            raise DifyRefusal(
                429,
                "too_many_requests",
                f"Too many requests. Please try again later. The current maximum concurrent requests allowed for {app.slug} is {most}.",
            )
        self._running[app.id] += 1

        def leave() -> None:
            self._running[app.id] -= 1
            if not self._running[app.id]:
                del self._running[app.id]

        return leave


def loop_ticks() -> float:
    return asyncio.get_running_loop().time()
