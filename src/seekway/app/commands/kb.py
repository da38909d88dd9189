"""``seekway kb``: knowledge bases from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click
import msgspec
from rich.table import Table
from rich.text import Text

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.terminal import messages, output, size, steps_bar
from seekway.core.errors import ConfigError, InvalidRequest
from seekway.core.sections.knowledge import SourceForm, SourceSettings
from seekway.core.settings import find_config

if TYPE_CHECKING:
    from seekway.app.knowledge import Knowledge

P = ParamSpec("P")
_CHARACTERS = 300

_tenant = click.option("--tenant", default="", help="Whose knowledge bases; default those of no tenant.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_in = click.option("--in", "name", metavar="NAME", help="The knowledge base; needed where there are several.")


def _run(work: Callable[Concatenate[CommandLine, P], Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The command, run in an event loop."""

    @pass_command_line
    @wraps(work)
    def command(command_line: CommandLine, *args: P.args, **kwargs: P.kwargs) -> None:
        if not command_line.settings.knowledge.enabled:
            raise ConfigError("knowledge.enabled is false in the settings; set it to true.")
        asyncio.run(work(command_line, *args, **kwargs))

    return command


def _desk(command_line: CommandLine, *, indexes: bool = False) -> AbstractAsyncContextManager[Knowledge]:
    from seekway.app.knowledge_desk import knowledge_desk

    return knowledge_desk(command_line.settings, find_config(command_line.config), indexes=indexes)


@click.group()
def kb() -> None:
    """Fill, search and measure knowledge bases.

    They lie where [storage] says, and a gateway that runs with the same settings serves them: what is added here is found there.
    Whichever process first sees a new document indexes it; this works with and without a running gateway.

    \b
    Examples:
      seekway kb add --to handbook docs/ prices.xlsx
      seekway kb search "How long is the warranty?"
      seekway kb eval
    """


@kb.command()
@click.argument("name")
@click.option("--description", default="", help="What is in it.")
@click.option("--embedding-model", "model", help="Default: knowledge.embedding_model of the settings.")
@click.option("--economy", is_flag=True, help="No embedding: it is searched by words alone.")
@_tenant
@_run
async def create(
    command_line: CommandLine, name: str, description: str, model: str | None, economy: bool, tenant: str
) -> None:
    """Make an empty knowledge base.

    \b
    Examples:
      seekway kb create handbook --description "What our customers ask"
      seekway kb create notes --economy
    """
    from seekway.app.knowledge_filling import make_dataset

    if economy and model:
        raise InvalidRequest("Choose one of --economy and --embedding-model.")
    async with _desk(command_line) as knowledge:
        made = await make_dataset(knowledge, tenant, name, model="" if economy else model, description=description)
    messages().print(f"{made.name}: made, {made.embedding_model or 'no embedding'}; fill it with seekway kb add.")
    output().print(made.id)


@kb.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER…")
@click.option(
    "--to",
    "name",
    metavar="NAME",
    help="The knowledge base, made where it is missing; needed where there is not just one.",
)
@click.option(
    "--form",
    type=click.Choice(("general", "parent-child", "question-answer")),
    default="general",
    show_default=True,
    help="How documents are cut.",
)
@click.option(
    "--separator",
    default="",
    help="Where a passage ends wherever it stands, \\n written out; default at paragraphs and sentences.",
)
@click.option(
    "--max-tokens", type=click.IntRange(50, 4000), default=500, show_default=True, help="Longest passage, about."
)
@click.option(
    "--overlap",
    type=click.IntRange(0, 3999),
    default=50,
    show_default=True,
    help="Tokens of a passage's end that begin the next again.",
)
@_tenant
@_run
async def add(
    command_line: CommandLine,
    paths: tuple[Path, ...],
    name: str | None,
    form: SourceForm,
    separator: str,
    max_tokens: int,
    overlap: int,
    tenant: str,
) -> None:
    """Add files, and all that can be read in folders; wait until they are found.

    Text, Markdown, HTML, PDF, Word, Excel, PowerPoint, CSV and e-mail. A file that is there already is not added again.
    A file that cannot be read says why; the others are added all the same, and the command ends with 1.

    \b
    Examples:
      seekway kb add --to handbook docs/
      seekway kb add --to handbook manual.pdf --form parent-child
      seekway kb add --to faq questions.csv --form question-answer
    """
    from seekway.app.knowledge_files import find_files
    from seekway.app.knowledge_filling import dataset_named, fill, make_dataset

    how = SourceSettings(name or "", "", tenant, form, separator, max_tokens, overlap)
    sought = [find_files(path) for path in paths]
    files, others = [file for one in sought for file in one.files], sum(one.others for one in sought)
    async with _desk(command_line, indexes=True) as knowledge:
        there = await knowledge.base.book.datasets(tenant)
        missing = name is not None and not any(name in (one.name, one.id) for one in there)
        with steps_bar("adding") as bar:
            dataset = await (
                make_dataset(knowledge, tenant, name or "") if missing else dataset_named(knowledge, tenant, name)
            )
            filled = await fill(knowledge, dataset, files, how, bar.update)
    passages = sum(one.segments for one in filled.documents if one.status == "completed")
    found = sum(one.status == "completed" for one in filled.documents)
    console = messages()
    console.print(
        f"{dataset.name}: {found} documents found by {passages} passages, {filled.known} of them there before, {len(filled.problems)} failed."
    )
    if others:
        console.print(f"{others} files of other kinds were left out.")
    for problem in filled.problems:
        console.print(f"  {problem}")
    if filled.problems:
        raise click.exceptions.Exit(1)


@kb.command("list")
@_tenant
@_json
@_run
async def list_(command_line: CommandLine, tenant: str, as_json: bool) -> None:
    """Show the knowledge bases.

    \b
    Examples:
      seekway kb list
      seekway kb list --tenant shop --json
    """

    async with _desk(command_line) as knowledge:
        book = knowledge.base.book
        every = [(one, await book.documents(tenant, one.id)) for one in await book.datasets(tenant)]
    if as_json:
        click.echo(msgspec.json.encode([{"dataset": one, "documents": len(documents)} for one, documents in every]))
        return
    table = Table("name", "documents", "passages", "failed", "embedding", "id", box=None, header_style="dim")
    for one, documents in every:
        failed = sum(document.status == "error" for document in documents)
        passages = sum(document.segments for document in documents if document.status == "completed")
        table.add_row(one.name, str(len(documents)), str(passages), str(failed), one.embedding_model or "none", one.id)
    output().print(table)


@kb.command()
@_in
@_tenant
@_json
@_run
async def documents(command_line: CommandLine, name: str | None, tenant: str, as_json: bool) -> None:
    """Show a knowledge base's documents, how far each is, and why it failed.

    \b
    Examples:
      seekway kb documents
      seekway kb documents --in handbook
    """
    from seekway.app.knowledge_filling import dataset_named

    async with _desk(command_line) as knowledge:
        dataset = await dataset_named(knowledge, tenant, name)
        every = await knowledge.base.book.documents(tenant, dataset.id)
    if as_json:
        click.echo(msgspec.json.encode(every))
        return
    table = Table("name", "status", "passages", "size", "added", "id", "problem", box=None, header_style="dim")
    for one in every:
        added = datetime.fromtimestamp(one.created_at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        done = f"{one.segments_done}/{one.segments}" if one.status == "indexing" else str(one.segments)
        table.add_row(one.name, one.status, done, size(one.size), added, one.id, one.error or "")
    output().print(table)


@kb.command()
@click.argument("documents", nargs=-1, metavar="[DOCUMENT…]")
@click.option("--in", "name", metavar="NAME", required=True, help="The knowledge base.")
@click.option("--yes", is_flag=True, help="Delete the whole knowledge base without asking.")
@_tenant
@_run
async def delete(command_line: CommandLine, documents: tuple[str, ...], name: str, yes: bool, tenant: str) -> None:
    """Delete documents, by name or id, with every trace of them; without any, the knowledge base itself.

    \b
    Examples:
      seekway kb delete --in handbook old/prices.md
      seekway kb delete --in handbook
    """
    from seekway.app.knowledge_filling import dataset_named

    async with _desk(command_line) as knowledge:
        base, dataset = knowledge.base, await dataset_named(knowledge, tenant, name)
        every = await base.book.documents(tenant, dataset.id)
        chosen = [one for one in every if one.id in documents or one.name in documents]
        if missing := set(documents) - {one.id for one in chosen} - {one.name for one in chosen}:
            raise InvalidRequest(f"{dataset.name} has no document {', '.join(sorted(missing))}; nothing was deleted.")
        for one in chosen:
            await base.ingester.delete(one.key)
        if not documents:
            if not yes:
                click.confirm(f"Delete {dataset.name} with its {len(every)} documents?", abort=True, err=True)
            await base.ingester.delete_dataset(tenant, dataset.id)
    messages().print(f"Deleted {len(chosen)} documents." if documents else f"Deleted {dataset.name}.")


@kb.command()
@_in
@_tenant
@_run
async def rebuild(command_line: CommandLine, name: str | None, tenant: str) -> None:
    """Make a knowledge base's index again from the documents that are kept.

    Every passage is embedded and indexed anew, as people left it; what is found now stays found meanwhile.
    An index that is missing (its file was lost, or knowledge.store names another) is made again by itself, by a gateway or by this.
    Stopped amid it, it goes on with the next gateway or command that indexes.

    \b
    Examples:
      seekway kb rebuild
      seekway kb rebuild --in handbook
    """
    from seekway.app.knowledge_filling import dataset_named, rebuild_index

    async with _desk(command_line, indexes=True) as knowledge:
        dataset = await dataset_named(knowledge, tenant, name)
        with steps_bar("indexing") as bar:
            passages = await rebuild_index(knowledge, dataset, bar.update)
    messages().print(f"{dataset.name}: {passages} passages indexed again.")


@kb.command()
@click.argument("question")
@click.option("--in", "names", metavar="NAME", multiple=True, help="A knowledge base; may be repeated; default all.")
@click.option(
    "--method",
    type=click.Choice(("hybrid", "semantic", "full_text", "keyword")),
    default="hybrid",
    show_default=True,
    help="How to look; docs/knowledge-search.md.",
)
@click.option("--top", type=click.IntRange(1, 100), default=3, show_default=True, help="Most passages.")
@click.option("--rerank", is_flag=True, help="Order them anew with knowledge.rerank_model.")
@_tenant
@_json
@_run
async def search(
    command_line: CommandLine,
    question: str,
    names: tuple[str, ...],
    method: str,
    top: int,
    rerank: bool,
    tenant: str,
    as_json: bool,
) -> None:
    """Show the passages that may answer a question, best first.

    \b
    Examples:
      seekway kb search "How long is the warranty?"
      seekway kb search 保修期多久 --in handbook --method full_text --top 5
    """
    from seekway.app.knowledge_filling import dataset_named, not_indexed
    from seekway.knowledge.retrieval.retriever import Retrieval

    how = msgspec.convert({"method": method, "top_k": top, "rerank": rerank}, Retrieval)
    async with _desk(command_line) as knowledge:
        chosen = [await dataset_named(knowledge, tenant, name) for name in names]
        asked = chosen or await knowledge.base.book.datasets(tenant)
        found = await knowledge.base.retrieve(tenant, [one.id for one in asked], question, how)
        lacking = await not_indexed(knowledge, asked)
    if lacking:
        messages().print(
            f"Not all passages of {', '.join(lacking)} are in the index: a running gateway puts them there, or seekway kb rebuild."
        )
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    if not found:
        messages().print("Nothing was found.")
    console = output()
    for one in found:
        heading = f" · {one.passage.heading}" if one.passage.heading else ""
        console.print(Text(f"{one.position}. {one.score:.3f}  {one.document_name}{heading}", "bold"))
        text = " ".join(one.text.split())
        console.print(text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…")


@kb.command("eval")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_in
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(("keyword", "full_text", "semantic", "hybrid")),
    help="Only this one; may be repeated.",
)
@click.option("--rerank", is_flag=True, help="Also hybrid with knowledge.rerank_model.")
@_tenant
@_json
@_run
async def eval_(
    command_line: CommandLine,
    file: Path | None,
    name: str | None,
    methods: tuple[str, ...],
    rerank: bool,
    tenant: str,
    as_json: bool,
) -> None:
    """Measure how well questions find their passages, for each method.

    Without FILE, with the questions and passages in Chinese and English that come with Seekway.
    FILE is JSON Lines about a knowledge base of yours: {"question": "…", "relevant": [{"document": "name or id", "position": 3}], "kind": "…"}; position and kind may be left out.

    \b
    Examples:
      seekway kb eval
      seekway kb eval questions.jsonl --in handbook --method hybrid
    """
    from seekway.app.knowledge_evaluation import measure_own, measure_samples, show

    settings, config = command_line.settings, find_config(command_line.config)
    with steps_bar("measuring") as bar:
        if file is None:
            results = await measure_samples(settings, config, methods, rerank, bar.update)
        else:
            results = await measure_own(settings, config, (tenant, name), file, methods, rerank, bar.update)
    if as_json:
        click.echo(msgspec.json.encode(results))
        return
    show(output(), results)
