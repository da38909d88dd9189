"""``seekway model-server``: the gRPC model service and its engine workers alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click
from structlog.typing import FilteringBoundLogger

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.serving import run_served, with_ports
from seekway.app.status import Listening, Progress, Ready, StatusChannel
from seekway.core.settings import Settings
from seekway.engine.spec import LocalModelSpec


@click.command("model-server")
@click.option("--port", type=click.IntRange(0, 65535), help="gRPC port; 0 takes a free one.  [default: 50051]")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FILE",
    help="Serve this pulled model or GGUF file; may be repeated.",
)
@click.option("--status-fd", type=int, hidden=True)
@pass_command_line
def model_server(command_line: CommandLine, port: int | None, models: tuple[str, ...], status_fd: int | None) -> None:
    """Serve local models over gRPC, each in a worker process of its own.

    This is the direct mode: internal systems call it without the gateway, with seekway.client or any gRPC client.

    \b
    Examples:
      seekway model-server                             the demo model on 127.0.0.1:50051
      seekway model-server --model deepseek-r1:1.5b --port 50052
    """
    from seekway.app.local_models import local_specs

    settings = with_ports(command_line.settings, grpc_port=port)
    specs = local_specs(settings, models)
    run_served(settings.log, status_fd, lambda channel, log: serve(settings, specs, channel, log))


async def serve(
    settings: Settings, specs: Sequence[LocalModelSpec], channel: StatusChannel, log: FilteringBoundLogger
) -> None:
    from seekway.app.model_server import serve_model_service

    stop = asyncio.Event()

    async def follow_supervisor() -> None:
        await channel.supervisor_gone()
        stop.set()

    async with asyncio.TaskGroup() as group:
        watch = group.create_task(follow_supervisor())
        await serve_model_service(
            settings,
            specs,
            lambda step, fraction: channel.send(Progress(step, fraction)),
            log=log,
            on_listening=lambda address: channel.send(Listening(address)),
            on_ready=lambda: channel.send(Ready()),
            stop=stop,
        )
        watch.cancel()
