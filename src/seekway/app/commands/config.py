"""``seekway config``: what the settings are and where they are wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

import click
import msgspec

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.config_lines import located
from seekway.app.secrets_there import check_secrets
from seekway.core.errors import ConfigError
from seekway.core.settings import Settings, find_config
from seekway.pipeline.stages.processing import processing_stages

_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")


@click.group()
def config() -> None:
    """Look at the settings.

    \b
    Example:
      seekway config check
    """


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_command_line
def check(command_line: CommandLine, as_json: bool) -> None:
    """Check the settings and print what is in force: file, environment and defaults together.

    A mistake is named with file, line and field, and so is a key that is missing. Keys are never printed: settings name the variable or file that holds one.

    \b
    Examples:
      seekway config check
      seekway --config other.toml config check
      SEEKWAY_GATEWAY__PORT=9000 seekway config check
    """
    path = find_config(command_line.config)
    try:
        settings = command_line.settings
        processing_stages(settings.processing)
    except ConfigError as error:
        raise located(error, path) from None
    check_secrets(settings, path)
    shown = masked(settings)
    if as_json:
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    click.echo(f"# {path or 'no settings file: defaults and environment'}")
    for line in toml_lines(shown):
        click.echo(line)


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, with user names and passwords in addresses hidden."""
    return cast("dict[str, Any]", _mask(msgspec.to_builtins(settings)))


def toml_lines(data: dict[str, Any]) -> Iterator[str]:
    """The settings as TOML; what is unset stands as a comment, since TOML has no null."""
    yield from _table_lines(data, "")


def _table_lines(data: dict[str, Any], path: str) -> Iterator[str]:
    tables: list[tuple[str, object]] = []
    for key, value in cast("dict[str, object]", data).items():
        if _is_list_of_tables(value) or _is_table(value, nested=bool(path)):
            tables.append((path + _toml_key(key), value))
        else:
            yield _toml_line(key, value)
    for name, value in tables:
        many = isinstance(value, list)
        for table in cast("Iterable[dict[str, Any]]", value if many else [value]):
            yield ""
            yield f"[[{name}]]" if many else f"[{name}]"
            yield from _table_lines(table, f"{name}.")


def _toml_line(key: str, value: object) -> str:
    name = _toml_key(key)
    return f"# {name} is not set" if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _is_table(value: object, *, nested: bool) -> bool:
    """An empty one within another is a value like any."""
    return isinstance(value, dict) and not (nested and len(cast("dict[str, object]", value)) == 0)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in cast("list[object]", value))


def _mask(value: object) -> object:
    if isinstance(value, str):
        return _USER_INFO.sub("***@", value)
    if isinstance(value, dict):
        return {key: _mask(inner) for key, inner in cast("dict[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_mask(inner) for inner in cast("Iterable[object]", value)]
    return value
