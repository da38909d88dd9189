"""``seekway models``: what is there, get more, remove, make smaller."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.terminal import bytes_bar, messages, output, size, steps_bar
from seekway.catalog.demo import DEMO_DOWNLOAD_BYTES, DEMO_MODEL, install_demo
from seekway.catalog.entries import ENTRIES, CatalogEntry, HubName, find_entry
from seekway.catalog.perplexity import Perplexity, measure_perplexity
from seekway.catalog.pull import pull
from seekway.catalog.quantization_mix import TARGETS, Target
from seekway.catalog.quantize import Quantized, quantize, quantize_installed
from seekway.catalog.store import InstalledModel, Store
from seekway.core.errors import ModelFileError
from seekway.core.sections.serving import CatalogSettings
from seekway.core.settings import hub_token
from seekway.engine.gguf.header import read_header


@click.group()
def models() -> None:
    """List, pull, remove and quantize models.

    \b
    Examples:
      seekway models list --available
      seekway models pull deepseek-r1:7b
      seekway models quantize deepseek-r1:7b --to q4_k_m
    """


@models.command("list")
@click.option("--available", is_flag=True, help="Show the catalogue of models to pull instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def list_models(command_line: CommandLine, available: bool, as_json: bool) -> None:
    """List the installed models, or the catalogue.

    \b
    Examples:
      seekway models list
      seekway models list --available
      seekway models list --json | jq -r '.[].name'
    """
    store = Store(command_line.settings.catalog.directory)
    installed = store.list()
    if as_json:
        _print_json(ENTRIES if available else installed)
    elif available:
        output().print(_catalogue({model.name for model in installed}))
    elif installed:
        output().print(_installed(installed))
    else:
        click.echo(f"No model is installed in {store.directory}.")
        click.echo("Get one: seekway models pull deepseek-r1:1.5b   (all: seekway models list --available)")


@models.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def info(command_line: CommandLine, name: str, as_json: bool) -> None:
    """Show an installed model or an entry of the catalogue.

    \b
    Examples:
      seekway models info deepseek-r1:7b
      seekway models info smollm2:135m --json
    """
    store = Store(command_line.settings.catalog.directory)
    installed = store.find(name)
    entry = find_entry(name)
    if installed is None and entry is None:
        raise ModelFileError(
            f"There is no model {name}, installed or in the catalogue; see seekway models list --available."
        )
    if as_json:
        _print_json(installed or entry)
        return
    if installed is not None:
        _describe_installed(installed, store)
    elif entry is not None:
        _describe_entry(entry)


@models.command("pull")
@click.argument("name")
@click.option("--hub", type=click.Choice(["huggingface", "modelscope"]), help="Hub to ask; default catalog.hub.")
@click.option("--mirror", help="Base address instead of the hub's own, e.g. https://hf-mirror.com.")
@click.option("--revision", help="Branch, tag or commit; default the hub's main branch.")
@pass_command_line
def pull_model(
    command_line: CommandLine, name: str, hub: HubName | None, mirror: str | None, revision: str | None
) -> None:
    """Download a model of the catalogue, or owner/repository:QUANTIZATION.

    A pull that was broken off goes on where it ended. Length and SHA-256 are checked.

    \b
    Examples:
      seekway models pull deepseek-r1:1.5b
      seekway models pull deepseek-r1:7b --hub modelscope
      seekway models pull deepseek-r1:7b --mirror https://hf-mirror.com
      seekway models pull bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M
    """
    settings = command_line.settings.catalog
    if hub is not None:
        # A mirror in the settings is one of the hub in the settings.
        settings = msgspec.structs.replace(settings, hub=hub, mirror=settings.mirror if hub == settings.hub else None)
    if mirror is not None:
        settings = msgspec.structs.replace(settings, mirror=mirror)
    store = Store(settings.directory)
    before = store.find(name.lower() if find_entry(name) else name)
    model = before or asyncio.run(_pull(name, settings, revision))
    messages().print(f"{model.name} {'was there already' if before else 'installed'}: {store.path_of(model)}")
    if not before:
        messages().print(f"Serve it: seekway up --model {model.name}")


@models.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_command_line
def rm(command_line: CommandLine, name: str, yes: bool) -> None:
    """Remove an installed model, or what a broken-off pull left.

    \b
    Example:
      seekway models rm deepseek-r1:7b
    """
    store = Store(command_line.settings.catalog.directory)
    folder = store.directory_of(name)
    if not folder.is_dir():
        raise ModelFileError(f"No model {name} is installed; see seekway models list.")
    if not yes:
        click.confirm(f"Remove {folder}?", abort=True, err=True)
    messages().print(f"{name} removed, {size(store.remove(name))} freed.")


@models.command("quantize")
@click.argument("source")
@click.option("--to", "to", required=True, type=click.Choice(TARGETS), help="Type of the weights.")
@click.option("--output", "target", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option("--perplexity/--no-perplexity", default=True, help="Measure before and after on the shipped text.")
@click.option(
    "--perplexity-tokens", type=click.IntRange(64), default=4096, show_default=True, help="Most tokens to measure on."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def quantize_model(
    command_line: CommandLine,
    source: str,
    to: Target,
    target: Path | None,
    perplexity: bool,
    perplexity_tokens: int,
    as_json: bool,
) -> None:
    """Make a model's weights smaller. SOURCE is a GGUF file or an installed model.

    An installed model's result is installed as NAME-TYPE, a file's lies beside it, both unless --output says otherwise.
    Prints the memory of the weights before and after, and how well either predicts a text: the lower the perplexity the better.

    \b
    Examples:
      seekway models quantize model-F16.gguf --to q4_k_m
      seekway models quantize deepseek-r1:7b --to q8_0 --output r1-q8.gguf
    """
    store = Store(command_line.settings.catalog.directory)
    path, installed = _quantize_source(source, store)
    made: InstalledModel | None = None
    with steps_bar(f"quantizing to {to}") as bar:
        if installed is not None and target is None:
            made, result = quantize_installed(store, installed, to, lambda done, total, _: bar.update(done, total))
        else:
            target = target or path.with_name(f"{path.stem}-{to.upper()}.gguf")
            result = quantize(path, target, to, lambda done, total, _: bar.update(done, total))
    before = after = None
    if perplexity:
        with steps_bar("perplexity before") as bar:
            before = measure_perplexity(path, on_progress=lambda f: bar.update(f, 1), most_tokens=perplexity_tokens)
            after = measure_perplexity(
                result.path, on_progress=lambda f: bar.update(f, 1, "perplexity after"), most_tokens=perplexity_tokens
            )
    if as_json:
        _print_json(QuantizeReport(result, before, after))
    else:
        _describe_quantized(path, result, before, after)
        if made is not None:
            messages().print(f"Installed as {made.name}. Serve it: seekway up --model {made.name}")


class QuantizeReport(msgspec.Struct, frozen=True):
    """What ``models quantize --json`` prints."""

    quantized: Quantized
    perplexity_before: Perplexity | None
    perplexity_after: Perplexity | None


async def _pull(name: str, settings: CatalogSettings, revision: str | None) -> InstalledModel:
    with bytes_bar(name) as bar:
        if name.lower() == DEMO_MODEL:
            return await install_demo(
                Store(settings.directory), lambda step, done, total: bar.update(done, total, f"{name} ({step})")
            )
        return await pull(
            name, settings, token=hub_token(settings.hub), revision=revision, on_progress=lambda d, t: bar.update(d, t)
        )


def _quantize_source(source: str, store: Store) -> tuple[Path, InstalledModel | None]:
    path = Path(source).expanduser()
    if path.suffix.lower() == ".gguf" or path.is_file():
        read_header(path)
        return path, None
    installed = store.find(source)
    if installed is None:
        raise ModelFileError(f"{source} is neither a GGUF file nor an installed model; see seekway models list.")
    return store.path_of(installed), installed


def _installed(installed: tuple[InstalledModel, ...]) -> Table:
    table = _table("name", "version", "size", "weights", "architecture", "from")
    table.columns[2].justify = "right"
    for model in installed:
        table.add_row(
            model.name, model.version, size(model.size), model.quantization or "?", model.architecture, model.source
        )
    return table


def _catalogue(installed: set[str]) -> Table:
    table = _table("name", "download", "memory", "weights", "model")
    table.columns[1].justify = table.columns[2].justify = "right"
    demo = "SmolLM2-135M-Instruct, the demo model"
    rows = [(DEMO_MODEL, size(DEMO_DOWNLOAD_BYTES), "1 GB", "Q4_1", demo)]
    rows += [
        (entry.name, size(entry.size_bytes), size(entry.memory_bytes), entry.quantization, entry.title)
        for entry in ENTRIES
    ]
    for name, *cells in rows:
        table.add_row(name, *cells[:-1], cells[-1] + (" (installed)" if name in installed else ""))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in ("model", "from"), overflow="fold")
    return table


def _describe_installed(model: InstalledModel, store: Store) -> None:
    rows = {
        "name": model.name,
        "version": model.version,
        "architecture": model.architecture,
        "weights": model.quantization or "not known",
        "size": size(model.size),
        "licence": model.licence or "see the source",
        "source": model.source,
        "file": str(store.path_of(model)),
        "sha256": "\n".join(file.sha256 for file in model.files),
    }
    _rows(rows)


def _describe_entry(entry: CatalogEntry) -> None:
    _rows(
        {
            "name": entry.name,
            "model": entry.title,
            "architecture": entry.architecture,
            "weights": entry.quantization,
            "download": f"{size(entry.size_bytes)} in {entry.parts} file{'s' if entry.parts > 1 else ''}",
            "memory": f"{size(entry.memory_bytes)} or more",
            "licence": entry.licence,
            "Hugging Face": entry.huggingface,
            "ModelScope": entry.modelscope or "not there",
            "get it": f"seekway models pull {entry.name}",
        }
    )


def _describe_quantized(source: Path, result: Quantized, before: Perplexity | None, after: Perplexity | None) -> None:
    console = output()
    for note in result.notes:
        messages().print(f"note: {note}")
    table = _table("", "before", "after")
    table.add_row("file", source.name, result.path.name)
    table.add_row("weight memory", size(result.bytes_before), size(result.bytes_after))
    table.add_row(
        "of FP32", f"{result.bytes_before / result.bytes_fp32:.1%}", f"{result.bytes_after / result.bytes_fp32:.1%}"
    )
    if before and after:
        table.add_row(
            "perplexity", _perplexity(before), f"{_perplexity(after)} ({after.value / before.value - 1:+.2%})"
        )
    console.print(table)
    messages().print(f"Written to {result.path}")


def _perplexity(measured: Perplexity) -> str:
    return f"{measured.value:.3f} ± {measured.error:.3f}"


def _rows(rows: dict[str, str]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(name, style="dim"), value)
    output().print(table)


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=_encode_path)).decode())


def _encode_path(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError
