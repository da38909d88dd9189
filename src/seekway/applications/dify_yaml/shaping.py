"""Parts of a file as their shapes."""

from __future__ import annotations

import re
from typing import TypeVar, cast

import msgspec

from seekway.applications.dify_yaml.source import Path, Source

T = TypeVar("T", bound=msgspec.Struct)


def shaped(source: Source, path: Path, raw: object, kind: type[T]) -> T:
    """``raw`` as ``kind``; raises ``InvalidRequest`` with the line of what does not fit."""
    try:
        return msgspec.convert(_without_nulls(raw), kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        inner = tuple(int(at) if at else key for key, at in re.findall(r"\.([^.\[`]+)|\[(\d+)\]", where))
        raise source.wrong((*path, *inner), f"{_plain(what)}.") from error


def _plain(problem: str) -> str:
    """msgspec's sentence in words."""
    found = re.fullmatch(r"Expected `([^`]*)`, got `([^`]*)`", problem)
    if found is None:
        return problem[:1].lower() + problem[1:]
    return f"{found[2]} stands where {found[1].replace(' | ', ' or ')} belongs"


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return {key: _without_nulls(one) for key, one in pairs if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in cast("list[object]", value)]
    return value
