"""Where in a TOML file a setting stands, so that a mistake can be pointed at."""

from __future__ import annotations

import re
from pathlib import Path

from seekway.core.errors import ConfigError

_TABLE = re.compile(r"^\s*(\[{1,2})\s*([\w.\"' -]+?)\s*\]{1,2}\s*(#.*)?$")
_PLACE = re.compile(r"at `\$([^`]*)`")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_STRING = re.compile(r"\s*[\"']")
_STEP = re.compile(r"\.([^.\[]+)|(\[\d+\])|\[\.\.\.\]")


def located(error: ConfigError, path: Path | None) -> ConfigError:
    """``error`` with the line of ``path`` that it is about, where that can be told."""
    text = path.read_text("utf-8", "replace") if path is not None and path.is_file() else ""
    line = line_of_mistake(error.message, text)
    if line is None:
        return error
    message, named = error.message, str(path)
    if named not in message:
        message = f"{named}: {message}"
    return ConfigError(message.replace(named, f"{named}, line {line}", 1), param=error.param)


def line_of_mistake(message: str, text: str) -> int | None:
    """The line, from 1, that msgspec's ``message`` about ``text`` is about; None where it cannot be told.

    msgspec names a place as ``$.gateway.port`` or ``$.models[...].path``, and an unknown field apart from its place.
    ``$.models[2].path`` is that of the third of them.
    """
    place = _PLACE.search(message)
    keys = [step for match in _STEP.finditer(place[1]) if (step := match[1] or match[2])] if place else []
    unknown = _UNKNOWN.search(message)
    if unknown:
        keys.append(unknown[1])
    return line_of(keys, text) if keys else None


def line_of_entry(table: str, name: str, field: str, text: str) -> int | None:
    """The line on which ``field`` stands in the ``[[table]]`` whose ``name`` is ``name``; None where it cannot be told."""
    inside = named = False
    line: int | None = None
    for number, content in enumerate(text.splitlines(), 1):
        match = _TABLE.match(content)
        if match:
            if named and line is not None:
                return line
            inside, named, line = match[2].strip("\"'") == table, False, None
            continue
        if not inside:
            continue
        key, equals, value = content.partition("=")
        key = key.strip().strip("\"'")
        if equals and key == "name":
            named = _STRING.match(value) is not None and value.strip()[1:].startswith((f'{name}"', f"{name}'"))
        elif equals and key == field:
            line = number
    return line if named else None


def line_of(keys: list[str], text: str) -> int | None:
    """The line on which ``keys``, outermost first, is set, or else the line of its table's heading.

    ``[2]`` among the keys is the third table of an array; without it, the first that fits is meant.
    """
    heading: int | None = None
    table: list[str] = []
    counts: dict[tuple[str, ...], int] = {}
    indexed = any(key.startswith("[") for key in keys)
    for number, line in enumerate(text.splitlines(), 1):
        match = _TABLE.match(line)
        if match:
            plain = _parts(match[2])
            if match[1] == "[[":
                counts[tuple(plain)] = counts.get(tuple(plain), -1) + 1
            table = _with_indices(plain, counts) if indexed else plain
            if table == keys:
                return number
            if (heading is None or indexed) and table == keys[: len(table)]:
                heading = number
            continue
        name, equals, _ = line.partition("=")
        path = [*table, *_parts(name)]
        if equals and path == keys[: len(path)]:
            return number
    return heading


def _parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".")]


def _with_indices(parts: list[str], counts: dict[tuple[str, ...], int]) -> list[str]:
    path: list[str] = []
    for at, part in enumerate(parts, 1):
        path.append(part)
        count = counts.get(tuple(parts[:at]))
        if count is not None:
            path.append(f"[{count}]")
    return path
