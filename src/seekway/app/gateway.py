"""Composition root of the gateway process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from prometheus_client import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from seekway.app.listening import address_of, listen
from seekway.app.status import Listening, Ready, StatusChannel
from seekway.core.errors import ConfigError
from seekway.core.sections.backends import BackendSettings
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.settings import Settings, read_secret
from seekway.gateway.application import create_app
from seekway.gateway.authentication import Authenticator, key_digests
from seekway.gateway.drain import Drain
from seekway.gateway.fast_path import FastHttpProtocol
from seekway.gateway.front import Front
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import model_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.model_service.client import ModelServiceBackend
from seekway.observability.access_log import AccessLog
from seekway.observability.metrics import Metrics
from seekway.observability.worker_metrics import WorkerMetrics
from seekway.pipeline.assembly import LastingParts, build_pipeline
from seekway.pipeline.directory import Member


@dataclass(frozen=True)
class Worker:
    """One of several gateways on one port; ``folder`` is where they find each other."""

    number: int
    folder: Path


async def serve_gateway(
    settings: Settings,
    model_service: str | None,
    channel: StatusChannel,
    log: FilteringBoundLogger,
    worker: Worker | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or the supervisor's end, then drain.

    ``model_service`` is ``host:port`` of the model service, None for none; ``worker`` says which of several processes on one port this is.
    Raises ``StartupError`` when the port is taken and ``ConfigError`` when a key is missing.
    """
    metrics, drain, parts = Metrics(CollectorRegistry()), Drain(), LastingParts()
    pipeline = build_pipeline(settings, members(settings, model_service), parts)
    services = CallServices(settings.gateway, pipeline, Authenticator(read_keys(settings.gateway)), drain, log)
    front = Front(services, model_routes(), RequestLedger(drain, metrics, AccessLog(settings.log)), log)
    workers = None if worker is None else WorkerMetrics(metrics.registry, worker.number, worker.folder)
    app = create_app(front, metrics=metrics, workers=workers)
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.gateway, shared=worker is not None))
        if workers is not None:
            await stack.enter_async_context(workers.serving())
        channel.send(Listening(address_of(listener)))
        server = _Server(app, drain, channel, settings.gateway.drain_timeout_s)
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_stop_with_supervisor(server, channel))
            await server.serve(sockets=[listener])
            watch.cancel()


def members(settings: Settings, model_service: str | None) -> Sequence[Member]:
    """The backends in the order in which they are preferred: our own models, then the others as they stand in the settings."""
    found: list[Member] = []
    if model_service is not None:
        limit = settings.model_service.max_message_bytes
        found.append(Member("model-service", ModelServiceBackend(model_service, max_message_bytes=limit)))
    found += [_upstream(backend) for backend in settings.backends]
    return found


def _upstream(settings: BackendSettings) -> Member:
    # Imported only where there is somebody to call: an HTTP client takes a third of a second of the start.
    from seekway.engine.upstream.backend import UpstreamBackend

    key = read_secret(settings.api_key_env, settings.api_key_file)
    return Member(settings.name, UpstreamBackend(settings, key), settings.kind)


def read_keys(settings: GatewaySettings) -> frozenset[bytes] | None:
    """Digests of the keys clients may use; None when none is needed."""
    if settings.api_key_file is None:
        return None
    try:
        digests = key_digests(Path(settings.api_key_file).expanduser().read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"The key file {settings.api_key_file} cannot be read: {error.strerror}.") from error
    if not digests:
        raise ConfigError(f"The key file {settings.api_key_file} holds no key; write one a line.")
    return digests


class _Server(uvicorn.Server):
    """uvicorn, telling the supervisor when it serves and the routes when it stops."""

    def __init__(self, app: object, drain: Drain, channel: StatusChannel, drain_timeout_s: float) -> None:
        config = uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType] - uvicorn's own type leaves out ASGI 3 application objects
            http=FastHttpProtocol,
            loop="none",
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._channel.send(Ready())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._drain.begin()
        super().handle_exit(sig, frame)

    def stop(self) -> None:
        self._drain.begin()
        self.should_exit = True


async def _stop_with_supervisor(server: _Server, channel: StatusChannel) -> None:
    await channel.supervisor_gone()
    server.stop()
