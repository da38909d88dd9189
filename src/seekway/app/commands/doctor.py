"""``seekway doctor``: what is installed, what would be used, what is wrong."""

from __future__ import annotations

import click
import msgspec
from rich.table import Table
from rich.text import Text

from seekway.app.checks import Check, State, all_checks
from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.terminal import output
from seekway.core.settings import find_config

_STYLES: dict[State, str] = {"ok": "green", "warn": "yellow", "problem": "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def doctor(command_line: CommandLine, as_json: bool) -> None:
    """Look at what is installed and what would be used, and say what is wrong.

    Ends with exit code 1 when there is a problem.

    \b
    Examples:
      seekway doctor
      seekway doctor --json | jq '.[] | select(.state != "ok")'
    """
    checks = all_checks(command_line.settings, find_config(command_line.config))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(checks)).decode())
    else:
        output().print(_table(checks))
        click.echo(_summary(checks))
    if any(check.state == "problem" for check in checks):
        raise click.exceptions.Exit(1)


def _table(checks: list[Check]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        detail = Text(check.detail)
        if check.advice:
            detail.append(f"\n→ {check.advice}", style=_STYLES[check.state])
        table.add_row(Text(check.state, style=_STYLES[check.state]), check.name, detail)
    return table


def _summary(checks: list[Check]) -> str:
    problems = sum(check.state == "problem" for check in checks)
    warnings = sum(check.state == "warn" for check in checks)
    if problems:
        return f"\n{problems} problem{'s' if problems > 1 else ''} to mend before seekway up."
    return "\nReady: seekway up" + (f" ({warnings} thing{'s' if warnings > 1 else ''} to know)" if warnings else "")
