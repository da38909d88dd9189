"""Settings put together from parts and written as TOML; the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, cast

Table: TypeAlias = dict[str, object]


def merge(base: Mapping[str, object], more: Mapping[str, object]) -> Table:
    """``base`` with ``more`` laid over it: tables join, lists of tables are put one behind the other, all else is replaced."""
    merged: Table = dict(base)
    for key, value in more.items():
        before = merged.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            merged[key] = merge(cast("Mapping[str, object]", before), cast("Mapping[str, object]", value))
        elif _is_tables(cast("object", value)) and _is_tables(before):
            merged[key] = [*cast("Sequence[object]", before), *cast("Sequence[object]", value)]
        else:
            merged[key] = value
    return merged


def dump(table: Mapping[str, object]) -> str:
    return "\n".join(_lines(table, ())) + "\n"


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    inner: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or _is_tables(value):
            inner.append((key, cast("object", value)))
        else:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner:
        name = ".".join(_key(part) for part in (*path, key))
        if isinstance(value, Mapping):
            yield f"[{name}]"
            yield from _lines(cast("Mapping[str, object]", value), (*path, key))
        else:
            for one in cast("Sequence[Mapping[str, object]]", value):
                yield f"[[{name}]]"
                yield from _lines(one, (*path, key))


def _is_tables(value: object) -> bool:
    if not isinstance(value, list):
        return False
    parts = cast("list[object]", value)
    return bool(parts) and all(isinstance(part, Mapping) for part in parts)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in cast("list[object]", value)) + "]"
    if isinstance(value, str | int | float):  # a bool is an int
        return json.dumps(value, ensure_ascii=False)
    raise TypeError(f"{value!r} has no form in TOML here")
