"""``seekway gateway``: the HTTP gateway alone, in front of a model service that runs elsewhere on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.own_command import seekway_command
from seekway.app.serving import run_served, with_ports
from seekway.app.terminal import messages
from seekway.core.settings import Settings, find_config, is_loopback
from seekway.observability.logging import make_logger


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="HTTP port; 0 takes a free one.  [default: 8000]")
@click.option("--model-service", metavar="HOST:PORT", help="The model service's address; loopback only.")
@click.option("--status-fd", type=int, hidden=True)
@click.option("--grpc-reserved", type=click.IntRange(1, 65535), hidden=True)
@click.option("--worker", type=click.IntRange(1), hidden=True)
@click.option("--peers", type=click.Path(path_type=Path), hidden=True)
@pass_command_line
def gateway(
    command_line: CommandLine,
    port: int | None,
    model_service: str | None,
    status_fd: int | None,
    grpc_reserved: int | None,
    worker: int | None,
    peers: Path | None,
) -> None:
    """Serve the HTTP gateway alone.

    It speaks to the model service that `seekway model-server` runs, and to the backends in the settings.

    \b
    Examples:
      seekway gateway                                   model service on 127.0.0.1:50051
      seekway gateway --port 9000 --model-service 127.0.0.1:50052
      SEEKWAY_MODEL_SERVICE__ENABLED=false seekway gateway    only the backends of seekway.toml
    """
    settings = with_ports(command_line.settings, port=port, gateway_grpc_port=grpc_reserved)
    service = settings.model_service
    address = model_service or (f"{service.host}:{service.port}" if service.enabled else None)
    if address is not None and not is_loopback(address.rpartition(":")[0].strip("[]")):
        raise click.UsageError("--model-service must be on this machine: the model service has no authentication yet.")
    if settings.gateway.workers > 1 and worker is None:
        _run_workers(command_line, settings, address)
        return
    from seekway.app.gateway import Worker, serve_gateway

    one = Worker(worker, peers) if worker is not None and peers is not None else None
    config = find_config(command_line.config)
    read = command_line.settings
    run_served(
        settings.log,
        status_fd,
        lambda channel, log: serve_gateway(
            settings, read, address, channel, log, one, config, grpc_reserved=grpc_reserved is not None
        ),
    )


def _run_workers(command_line: CommandLine, settings: Settings, model_service: str | None) -> None:
    """Several processes on one port, watched by this one."""
    from seekway.app.up import Up

    none = msgspec.structs.replace(settings.model_service, enabled=False)
    supervised = Up(
        msgspec.structs.replace(settings, model_service=none),
        command=seekway_command,
        config=command_line.config_arguments,
        model_arguments=(),
        on_progress=lambda process, progress: None,
        log=make_logger(settings.log),
        model_service=model_service,
    )

    def ready(running: Up) -> None:
        grpc = f" and gRPC {running.grpc_address}" if running.grpc_address else ""
        messages().print(f"seekway: {settings.gateway.workers} gateways on http://{running.gateway_address}{grpc}")

    asyncio.run(supervised.run(ready, on_drain=lambda: messages().print("seekway: finishing running requests")))
