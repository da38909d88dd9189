"""The gateway's gRPC port: the model service's contract over the pipeline, begun and drained with the HTTP side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from seekway.core.types import ModelInfo
from seekway.gateway.front import Front
from seekway.gateway.grpc_desk import FrontDesk
from seekway.gateway.visit import served_models
from seekway.model_service.server import ModelServer, Place

_FRESH_S = 1.0


class GrpcFront:
    """``drain_s`` is how long running calls may go on after :meth:`drain`."""

    def __init__(self, front: Front, place: Place, *, drain_s: float) -> None:
        self._front = front
        self._drain_s = drain_s
        self._hurry = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None
        self._server = ModelServer(
            FrontDesk(front),
            self._models,
            place,
            max_message_bytes=front.services.settings.max_body_bytes,
            log=front.log,
        )

    def bind(self) -> str:
        """The address as ``host:port``; raises ``StartupError`` when it is taken."""
        return self._server.bind()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Within the front's own; on leaving, :meth:`drain` and wait for it."""
        await self._server.serve()
        try:
            yield
        finally:
            await self.drain()

    def drain(self) -> asyncio.Task[None]:
        """Take no new call; done when the last has ended or was cancelled."""
        if self._draining is None:
            # Not in a task group: it outlives whoever is told to stop first, and `close` sees its end.
            self._draining = asyncio.get_running_loop().create_task(self._server.stop(self._drain_s, self._hurry))
        return self._draining

    async def close(self) -> None:
        """Cancel what still runs."""
        self._hurry.set()
        await self.drain()

    async def _models(self) -> tuple[ModelInfo, ...]:
        services = self._front.services
        services.drain.check()
        await services.pipeline.routes.refresh(_FRESH_S)
        return await served_models(services)
