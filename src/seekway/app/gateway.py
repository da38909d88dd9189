"""Composition root of the gateway process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from structlog.typing import FilteringBoundLogger

from seekway.app.config_watch import ConfigWatch
from seekway.app.garbage import settle
from seekway.app.gateway_host import GatewayHost
from seekway.app.listening import address_of, listen
from seekway.app.secrets_there import check_secrets
from seekway.app.status import Listening, Ready, StatusChannel
from seekway.core.settings import Settings
from seekway.gateway.application import create_app
from seekway.gateway.drain import Drain
from seekway.gateway.fast_path import FastHttpProtocol
from seekway.observability.worker_metrics import WorkerMetrics

if TYPE_CHECKING:
    from seekway.gateway.grpc_front import GrpcFront


@dataclass(frozen=True)
class Worker:
    """One of several gateways on one port; ``folder`` is where they find each other."""

    number: int
    folder: Path


async def serve_gateway(
    settings: Settings,
    read: Settings,
    model_service: str | None,
    channel: StatusChannel,
    log: FilteringBoundLogger,
    worker: Worker | None = None,
    config: Path | None = None,
    *,
    grpc_reserved: bool = False,
) -> None:
    """Serve until SIGTERM, SIGINT or the supervisor's end, then drain.

    ``model_service`` is ``host:port`` of the model service, None for none; ``worker`` says which of several processes on one port this is.
    ``grpc_reserved``: the supervisor holds ``gateway.grpc_port`` for this process and those beside it.
    ``read`` are the settings without the command line's changes, ``config`` their file, which is read again when it changes and at SIGHUP.
    Raises ``StartupError`` when the port is taken and ``ConfigError`` when a key is missing.
    """
    check_secrets(settings, config)
    host = GatewayHost(settings, read, model_service, log, config)
    workers = None if worker is None else WorkerMetrics(host.metrics.registry, worker.number, worker.folder)
    grpc = _grpc_front(host, settings, shared=grpc_reserved)
    app = create_app(host.front, metrics=host.metrics, workers=workers, beside=_beside(host, grpc))
    async with contextlib.AsyncExitStack() as stack:
        if grpc is not None:
            stack.push_async_callback(grpc.close)
            address = grpc.bind()
            # Several that share the port are told of once, by the process that watches them.
            (log.debug if grpc_reserved else log.info)("grpc_serving", address=address)
        listener = stack.enter_context(listen(settings.gateway, shared=worker is not None))
        if workers is not None:
            await stack.enter_async_context(workers.serving())
        channel.send(Listening(address_of(listener)))
        server = _Server(app, host.drain, channel, settings.gateway.drain_timeout_s, grpc)
        async with asyncio.TaskGroup() as group:
            watch = ConfigWatch(lambda: host.files(config), lambda: host.reload(config))
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, watch.hurry)
            behind = (_stop_with_supervisor(server, channel), watch.run(), host.run())
            tasks = [group.create_task(work) for work in behind]
            await server.serve(sockets=[listener])
            for task in tasks:
                task.cancel()
        await host.close()


@contextlib.asynccontextmanager
async def _beside(host: GatewayHost, grpc: GrpcFront | None) -> AsyncGenerator[None]:
    """Within what answers requests: at its end applications finish while models can still be asked."""
    try:
        async with contextlib.nullcontext() if grpc is None else grpc.serving():
            yield
    finally:
        await host.end()


def _grpc_front(host: GatewayHost, settings: Settings, *, shared: bool) -> GrpcFront | None:
    gateway = settings.gateway
    if gateway.grpc_port is None:
        return None
    from seekway.gateway.grpc_front import GrpcFront
    from seekway.model_service.server import Place

    place = Place(gateway.host, gateway.grpc_port, "gateway.grpc_port", shared=shared)
    return GrpcFront(host.front, place, drain_s=gateway.drain_timeout_s)


class _Server(uvicorn.Server):
    """uvicorn, telling the supervisor when it serves, and the routes and the gRPC side when it stops."""

    def __init__(
        self, app: object, drain: Drain, channel: StatusChannel, drain_timeout_s: float, grpc: GrpcFront | None
    ) -> None:
        config = uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType] - uvicorn's own type leaves out ASGI 3 application objects
            http=FastHttpProtocol,
            loop="none",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, round(drain_timeout_s)),
        )
        super().__init__(config)
        self._drain = drain
        self._channel = channel
        self._grpc = grpc

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            settle()
            self._channel.send(Ready())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Both sides drain at once; the lifespan's end, after which nothing is answered, waits for the slower.
        if self._grpc is not None:
            self._grpc.drain()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second Ctrl-C does not wait. The signal is not raised again after the drain, as uvicorn would: it was heeded."""
        self._drain.begin()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    def stop(self) -> None:
        self._drain.begin()
        self.should_exit = True


async def _stop_with_supervisor(server: _Server, channel: StatusChannel) -> None:
    await channel.supervisor_gone()
    server.stop()
