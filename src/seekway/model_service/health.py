"""The health that grpc.health.v1 answers: the models' real state, asked when asked for, never remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from seekway.core.errors import SeekwayError
from seekway.core.types import ModelInfo
from seekway.model_service.rpc import HEALTH, SERVICE, HealthState

_WATCH_INTERVAL_S = 1.0


class Health:
    """``""`` and the service's name are SERVING while any of ``models`` is ready; a model's name speaks for that model."""

    def __init__(self, models: Callable[[], Awaitable[tuple[ModelInfo, ...]]]) -> None:
        self._models = models
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """From now on NOT_SERVING, whatever the models say."""
        self._draining.set()

    async def changes(self, service: str) -> AsyncGenerator[HealthState, None]:
        """The state now and each change within a second; ends when the server drains."""
        last: HealthState | None = None
        while True:
            # Read before the state: a drain that begins meanwhile must still be told.
            draining = self._draining.is_set()
            state = await self.status(service)
            if state != last:
                yield state
                last = state
            if draining:
                return
            try:
                await asyncio.wait_for(self._draining.wait(), _WATCH_INTERVAL_S)
            except TimeoutError:
                continue

    async def status(self, service: str) -> HealthState:
        if self._draining.is_set():
            return "NOT_SERVING"
        try:
            models = await self._models()
        except SeekwayError:
            return "NOT_SERVING"
        if service not in ("", SERVICE, HEALTH):
            models = tuple(info for info in models if service in (info.id, f"{info.id}@{info.version}"))
            if not models:
                return "SERVICE_UNKNOWN"
        return "SERVING" if any(info.state == "ready" for info in models) else "NOT_SERVING"
