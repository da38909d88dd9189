"""What every served process does at its edge: its logger, its event loop, its status channel, and how it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.app.status import Failed, StatusChannel
from seekway.core.errors import SeekwayError
from seekway.core.sections.log import LogSettings
from seekway.core.settings import Settings
from seekway.observability.logging import make_logger

Serve = Callable[[StatusChannel, FilteringBoundLogger], Awaitable[None]]


def run_served(log_settings: LogSettings, status_fd: int | None, serve: Serve) -> None:
    """Run ``serve`` on uvloop until it returns; a refusal to start goes to the supervisor, or up to the command line."""
    # Whoever only starts such processes has no use for it.
    import uvloop

    channel = StatusChannel(status_fd)
    log = make_logger(log_settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_whole(serve(channel, log)))
    except* SeekwayError as group:
        error = _first(group)
        channel.fail(error)
        if status_fd is None:
            raise error from None
        raise SystemExit(1) from None
    except* Exception as group:  # the process's edge: nothing above can mend it
        log.error("process_failed", exc_info=group)
        channel.send(Failed("internal_error", "It failed for a reason of its own; the log above has the details."))
        raise SystemExit(1) from None


def with_ports(
    settings: Settings,
    *,
    port: int | None = None,
    grpc_port: int | None = None,
    gateway_grpc_port: int | None = None,
) -> Settings:
    """The settings with the command line's ports, where it named any; ``grpc_port`` is the model service's."""
    gateway, service = settings.gateway, settings.model_service
    if port is not None:
        gateway = msgspec.structs.replace(gateway, port=port)
    if gateway_grpc_port is not None:
        gateway = msgspec.structs.replace(gateway, grpc_port=gateway_grpc_port)
    if grpc_port is not None:
        service = msgspec.structs.replace(service, port=grpc_port)
    return msgspec.structs.replace(settings, gateway=gateway, model_service=service)


def _whole(work: Awaitable[None]) -> Coroutine[Any, Any, None]:
    async def run() -> None:
        await work

    return run()


def _first(group: BaseExceptionGroup[SeekwayError]) -> SeekwayError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
