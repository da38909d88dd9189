"""``seekway cache``: fill the answer cache before the questions come, and see what it does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec
from rich.table import Table

from seekway.app.cache_warming import CacheFigure, Tally, Warming, read_questions, read_stats
from seekway.app.chat_client import open_session
from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.commands.chat import gateway_url
from seekway.app.terminal import messages, output, steps_bar
from seekway.core.errors import InvalidRequest

_url = click.option("--url", help="The gateway, e.g. http://127.0.0.1:8000; default from the settings.")
_key = click.option(
    "--api-key",
    envvar="SEEKWAY_API_KEY",
    show_envvar=True,
    help="Key of a gateway that asks for one; its tenant's cache is meant.",
)


@click.group()
def cache() -> None:
    """Fill the answer cache beforehand, and see what it does.

    \b
    Examples:
      seekway cache warm questions.txt --model deepseek-chat
      seekway cache warm --from-log frequent.jsonl --most 200
      seekway cache stats
    """


@cache.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--from-log",
    "log_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file that cache.frequency_file names, instead of FILE.",
)
@click.option("--most", type=click.IntRange(1), default=1000, show_default=True, help="Most questions asked.")
@click.option("--tenant", help="Whose questions of --from-log; needed where it holds several tenants'.")
@click.option("--model", default="deepseek-chat", show_default=True, help="Model of questions that name none.")
@click.option("--system", help="Instructions before questions that are plain lines.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 2),
    default=0.0,
    show_default=True,
    help="Of questions that are plain lines.",
)
@click.option(
    "--at-once", type=click.IntRange(1, 256), default=4, show_default=True, help="Questions under way at once."
)
@_url
@_key
@pass_command_line
def warm(
    command_line: CommandLine,
    file: Path | None,
    log_file: Path | None,
    most: int,
    tenant: str | None,
    model: str,
    system: str | None,
    temperature: float,
    at_once: int,
    url: str | None,
    api_key: str | None,
) -> None:
    """Ask the running gateway the questions of FILE, so that it knows the answers.

    FILE has a question a line, or JSON Lines with the fields of a chat request (messages, and what else is sent).
    An answer serves only requests that are equal to the one it was made for, so ask as the clients will: model, system, temperature.

    \b
    Examples:
      seekway cache warm questions.txt --model deepseek-chat
      seekway cache warm questions.jsonl --at-once 8
      seekway cache warm --from-log frequent.jsonl --most 200 --tenant acme
    """
    if (file is None) == (log_file is None):
        raise InvalidRequest("Name one of FILE and --from-log.")
    questions = read_questions(
        file, log_file, tenant=tenant, model=model, system=system, temperature=temperature, most=most
    )
    tally = asyncio.run(_warm(Warming(url or gateway_url(command_line.settings), api_key), questions, at_once))
    messages().print(
        f"{tally.asked} questions: {tally.made} answered by the model and kept, {tally.known} known already, "
        f"{tally.uncached} not cached, {tally.failed} failed; hit ratio {tally.hit_ratio:.0%}."
    )
    if tally.uncached:
        messages().print("Not cached: the cache is off, or the request is drawn by chance (cache.sampled).")
    if tally.failed:
        messages().print(f"The last failure: {tally.problem}")
        raise click.exceptions.Exit(1)


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_url
@_key
@pass_command_line
def stats(command_line: CommandLine, as_json: bool, url: str | None, api_key: str | None) -> None:
    """Show what the running gateway's cache has done since it started.

    \b
    Examples:
      seekway cache stats
      seekway cache stats --json
    """
    figures = asyncio.run(_stats(Warming(url or gateway_url(command_line.settings), api_key)))
    if as_json:
        click.echo(msgspec.json.encode({figure.name: figure.value for figure in figures}))
        return
    table = Table("figure", "value", box=None, header_style="dim")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:.2%}" if figure.name == "hit_ratio" else f"{figure.value:.0f}")
    output().print(table)


async def _warm(warming: Warming, questions: list[bytes], at_once: int) -> Tally:
    with steps_bar("warming the cache") as bar:
        async with open_session() as session:
            return await warming.ask(session, questions, at_once, lambda done: bar.update(done, len(questions)))


async def _stats(warming: Warming) -> list[CacheFigure]:
    async with open_session() as session:
        return await read_stats(session, warming)
