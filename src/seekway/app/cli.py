"""The ``seekway`` command: its subcommands, its options, and how it fails.

A command's module is imported when the command is called, so that ``seekway chat`` does not wait for an engine to load.
To add one, put it into ``COMMANDS``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import click

from seekway.app.terminal import stop_on_signals
from seekway.core.errors import SeekwayError
from seekway.core.settings import Settings, load_settings, set_library_switches
from seekway.observability.lean_structlog import import_without_rich

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("seekway.app.commands.up:up", "Serve gateway, model service and engines on this machine."),
    "gateway": ("seekway.app.commands.gateway:gateway", "Serve the HTTP gateway alone."),
    "model-server": (
        "seekway.app.commands.model_server:model_server",
        "Serve local models over gRPC, without the gateway.",
    ),
    "chat": ("seekway.app.commands.chat:chat", "Chat with the running gateway, or ask it one question."),
    "models": ("seekway.app.commands.models:models", "List, pull, remove and quantize models."),
    "app": ("seekway.app.commands.apps:app", "Import, export, list and run applications."),
    "keys": ("seekway.app.commands.keys:keys", "Make, list, rotate and revoke the gateway's virtual keys."),
    "cache": ("seekway.app.commands.cache:cache", "Fill the answer cache beforehand, and see what it does."),
    "kb": ("seekway.app.commands.kb:kb", "Fill, search and measure knowledge bases."),
    "guard": ("seekway.app.commands.guard:guard", "See what the guardrails make of a text, and measure them."),
    "config": ("seekway.app.commands.config:config", "Look at the settings and where they are wrong."),
    "doctor": ("seekway.app.commands.doctor:doctor", "What is installed, what would be used, what is wrong."),
}
"""Subcommand to ``module:attribute`` and its line in the help, which so needs none of the modules; in the help's order."""

_SERVE: Final = frozenset({"up", "gateway", "model-server"})
"""What they hold they hold for days."""

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class CommandLine:
    """What the options before the subcommand say; the settings are read when a command first asks for them."""

    def __init__(self, config: Path | None) -> None:
        self.config = config
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """Raises ``ConfigError``."""
        if self._settings is None:
            self._settings = load_settings(self.config)
        return self._settings

    @property
    def config_arguments(self) -> list[str]:
        """The arguments that make another seekway process read the same settings."""
        return ["--config", str(self.config)] if self.config else []


class OneLineErrors(click.Group):
    """A group whose commands fail with one line on standard error: exit code 2 for wrong usage, 1 for everything else."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # pyright: ignore[reportIncompatibleMethodOverride] - it always ends the process, as click's does in its standalone mode
        extra["standalone_mode"] = False
        # Before any command's module brings gRPC along.
        set_library_switches()
        try:
            with stop_on_signals():
                result = cast("object", super().main(args, prog_name or "seekway", **extra))
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "seekway"
            _fail(f"{error.format_message()} See {where} --help.", 2)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except SeekwayError as error:
            _fail(error.message, 1)
        except (click.Abort, KeyboardInterrupt):
            click.echo(err=True)
            sys.exit(130)
        except BrokenPipeError:
            # The reader of our output went away, as head does; closing what is left must not complain again.
            sys.stderr.close()
            sys.exit(1)
        except Exception as error:
            if "--debug" in (sys.argv[1:] if args is None else args):
                raise
            _fail(f"internal error, {type(error).__name__}: {error} (please report it; seekway --debug shows where)", 1)
        sys.exit(result if isinstance(result, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in _SERVE:
            import_without_rich()
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"seekway: {' '.join(message.split())}", err=True)
    sys.exit(code)


@click.group(cls=OneLineErrors, context_settings=CONTEXT_SETTINGS)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file; otherwise $SEEKWAY_CONFIG, then seekway.toml in this directory.",
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an unexpected error happened.")
@click.version_option(package_name="seekway", prog_name="seekway", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """DeepSeek in production with one command.

    \b
    Examples:
      seekway up                              serve on 127.0.0.1:8000
      seekway chat "Why is the sky blue?"     ask the running gateway
      seekway models pull deepseek-r1:1.5b    get a reasoning model
      seekway doctor                          what is installed, what is wrong
    """
    ctx.obj = CommandLine(config)


pass_command_line = click.make_pass_decorator(CommandLine)
