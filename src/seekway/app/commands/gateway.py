"""``seekway gateway``: the HTTP gateway alone, in front of a model service that runs elsewhere on this machine."""

from __future__ import annotations

import click

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.serving import run_served, with_ports
from seekway.core.settings import is_loopback


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="HTTP port; 0 takes a free one.  [default: 8000]")
@click.option("--model-service", metavar="HOST:PORT", help="The model service's address; loopback only.")
@click.option("--status-fd", type=int, hidden=True)
@pass_command_line
def gateway(command_line: CommandLine, port: int | None, model_service: str | None, status_fd: int | None) -> None:
    """Serve the HTTP gateway alone.

    It speaks to the model service that `seekway model-server` runs, and to the backends in the settings.

    \b
    Examples:
      seekway gateway                                   model service on 127.0.0.1:50051
      seekway gateway --port 9000 --model-service 127.0.0.1:50052
      SEEKWAY_MODEL_SERVICE__ENABLED=false seekway gateway    only the backends of seekway.toml
    """
    from seekway.app.gateway import serve_gateway

    settings = with_ports(command_line.settings, port=port)
    service = settings.model_service
    address = model_service or (f"{service.host}:{service.port}" if service.enabled else None)
    if address is not None and not is_loopback(address.rpartition(":")[0].strip("[]")):
        raise click.UsageError("--model-service must be on this machine: the model service has no authentication yet.")
    run_served(settings.log, status_fd, lambda channel, log: serve_gateway(settings, address, channel, log))
