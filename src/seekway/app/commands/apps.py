"""``seekway app``: applications from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click
import msgspec
from rich.table import Table
from rich.text import Text

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.terminal import messages, output
from seekway.core.errors import ConfigError, InvalidRequest
from seekway.core.settings import Settings, find_config

if TYPE_CHECKING:
    from seekway.applications.dify_yaml.report import Change
    from seekway.applications.store.app_store import AppStore

P = ParamSpec("P")

_tenant = click.option("--tenant", default="", help="Whose applications; default those of no tenant.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _run(work: Callable[Concatenate[CommandLine, P], Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The command, run in an event loop."""

    @pass_command_line
    @wraps(work)
    def command(command_line: CommandLine, *args: P.args, **kwargs: P.kwargs) -> None:
        if not command_line.settings.applications.enabled:
            raise ConfigError("applications.enabled is false in the settings; set it to true.")
        asyncio.run(work(command_line, *args, **kwargs))

    return command


@asynccontextmanager
async def _store(command_line: CommandLine) -> AsyncGenerator[AppStore]:
    from seekway.app.app_state import app_store

    store = app_store(command_line.settings.storage, find_config(command_line.config))
    try:
        yield store
    finally:
        await store.close()


@click.group()
def app() -> None:
    """Import, export, list and run applications: chatbots, text generators and agents.

    They lie where [storage] says, and a gateway that runs with the same settings serves them.
    Dify clients reach one with its key, all other clients by its name as a model: app:SLUG.

    \b
    Examples:
      seekway app import support.yml --dataset 7f5c1d0e=handbook
      seekway app run support "How do I return something?"
      seekway app export support > support.yml
    """


@app.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--slug", default="", help="Name in keys and as a model; default made of the application's name.")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="ID=NAME",
    help="Knowledge base here for one of the file; may be repeated.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="THEIRS=OURS",
    help="Model here for one that the file names; may be repeated.",
)
@click.option("--replace", is_flag=True, help="In place of the application of that slug; its conversations stay.")
@click.option("--newer", is_flag=True, help="Take files of a version that is not known yet.")
@_tenant
@_run
async def import_(
    command_line: CommandLine,
    files: tuple[Path, ...],
    slug: str,
    datasets: tuple[str, ...],
    models: tuple[str, ...],
    replace: bool,
    newer: bool,
    tenant: str,
) -> None:
    """Import files that Dify or `seekway app export` wrote (versions 0.1 to 0.6; chat, completion and agent).

    What is not as the file has it is told, with its line.

    \b
    Examples:
      seekway app import support.yml
      seekway app import support.yml --slug support --model gpt-4o=deepseek-chat --dataset 7f5c1d0e=handbook --replace
    """
    from seekway.app.application_files import keep, read_bytes
    from seekway.applications.dify_yaml.reading import read_app
    from seekway.applications.dify_yaml.report import Here

    if slug and len(files) > 1:
        raise InvalidRequest("Import one file at a time where you give a --slug.")
    here = Here(
        known_models(command_line.settings),
        await _datasets(command_line, tenant),
        [one.name for one in command_line.settings.tools],
        command_line.settings.knowledge.rerank_model is not None,
        model_names=_pairs(models, "--model"),
        dataset_names=_pairs(datasets, "--dataset"),
    )
    console = messages()
    async with _store(command_line) as store:
        for file in files:
            read = read_app(str(file), read_bytes(file), here, slug=slug, tenant=tenant, newer=newer)
            kept = await keep(store, read.app, replace=replace)
            console.print(f"{kept.name}: imported as {kept.slug} ({kept.definition.mode})")
            _show_changes(read.changes)
            output().print(kept.slug)


@app.command()
@click.argument("slug")
@_tenant
@_run
async def export(command_line: CommandLine, slug: str, tenant: str) -> None:
    """Write an application as a file that Dify and Seekway read.

    \b
    Examples:
      seekway app export support > support.yml
    """
    from seekway.applications.dify_yaml.writing import write_app

    async with _store(command_line) as store:
        found = await store.apps.by_slug(tenant, slug)
    click.echo(write_app(found), nl=False)


@app.command("list")
@_tenant
@_json
@_run
async def list_(command_line: CommandLine, tenant: str, as_json: bool) -> None:
    """Show the applications.

    \b
    Examples:
      seekway app list
    """
    async with _store(command_line) as store:
        every = await store.apps.all(tenant)
    if as_json:
        click.echo(msgspec.json.encode(every))
        return
    if not every:
        messages().print("There are no applications yet; import one with seekway app import FILE.")
        return
    table = Table("slug", "name", "mode", "model", "knowledge", "file", box=None, header_style="dim")
    for one in every:
        model, found = one.definition.model.name or "default", len(one.definition.knowledge.datasets)
        table.add_row(one.slug, one.name, one.definition.mode, model, str(found or ""), one.source)
    output().print(table)


@app.command()
@click.argument("slug")
@_tenant
@_run
async def delete(command_line: CommandLine, slug: str, tenant: str) -> None:
    """Delete an application with all its conversations, annotations and files.

    \b
    Examples:
      seekway app delete support
    """
    async with _store(command_line) as store:
        found = await store.apps.by_slug(tenant, slug)
        if found.source:
            raise InvalidRequest(f"{slug} is kept in step with {found.source}; take it out of the settings first.")
        await store.apps.delete(tenant, slug)
    messages().print(f"{slug}: deleted")


@app.command()
@click.argument("slug")
@click.argument("question", required=False, default="")
@click.option(
    "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="A variable of the application; may be repeated."
)
@click.option("--user", default="terminal", show_default=True, help="Whose conversation it is.")
@click.option("--conversation", help="Go on with this one; its id is told at the end of an answer.")
@click.option("--url", help="The gateway, e.g. http://127.0.0.1:8000; default from the settings.")
@click.option(
    "--api-key", envvar="SEEKWAY_API_KEY", show_envvar=True, help="The application's key, where keys are asked for."
)
@_tenant
@_run
async def run(
    command_line: CommandLine,
    slug: str,
    question: str,
    inputs: tuple[str, ...],
    user: str,
    conversation: str | None,
    url: str | None,
    api_key: str | None,
    tenant: str,
) -> None:
    """Ask an application of the running gateway, and show the answer with what it was made from.

    \b
    Examples:
      seekway app run support "How do I return something?"
      seekway app run writer --input topic=autumn
    """
    from seekway.app.app_client import AppClient
    from seekway.app.app_screen import AppScreen
    from seekway.app.chat_client import open_session
    from seekway.app.commands.chat import gateway_url

    async with _store(command_line) as store:
        found = await store.apps.by_slug(tenant, slug)
    completion = found.definition.mode == "completion"
    if not question and not completion:
        raise InvalidRequest("Nothing was asked; give a QUESTION.")
    body: dict[str, object] = {"inputs": _pairs(inputs, "--input"), "user": user}
    if not completion:
        body |= {"query": question, "conversation_id": conversation or ""}
    path = "completion-messages" if completion else "chat-messages"
    screen = AppScreen(output(), messages())
    async with open_session() as session:
        client = AppClient(session, url or gateway_url(command_line.settings), api_key or f"app-{slug}")
        async with aclosing(client.ask(path, body)) as events:
            async for event in events:
                screen.show(event)
    screen.end()


def known_models(settings: Settings) -> Sequence[str] | None:
    """What can be asked by these settings; None where a backend says itself what it serves."""
    from seekway.catalog.demo import DEMO_MODEL
    from seekway.pipeline.names import DEEPSEEK_NAMES

    if any(not backend.models for backend in settings.backends):
        return None
    own = [model.name for model in settings.models] or [DEMO_MODEL]
    served = [name for backend in settings.backends for name in backend.models]
    return [*own, *served, *settings.aliases, *DEEPSEEK_NAMES]


async def _datasets(command_line: CommandLine, tenant: str) -> dict[str, str]:
    from seekway.app.application_files import dataset_names
    from seekway.app.knowledge_desk import knowledge_desk

    if not command_line.settings.knowledge.enabled:
        return {}
    async with knowledge_desk(command_line.settings, find_config(command_line.config)) as knowledge:
        return await dataset_names(knowledge.base.book, tenant)


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"{option} {one}: write NAME=VALUE.")
        found[name] = value
    return found


def _show_changes(changes: Sequence[Change]) -> None:
    console = messages()
    for change in changes:
        console.print(Text(f"  line {change.line}, {change.path}: {change.what}", style="yellow"))
