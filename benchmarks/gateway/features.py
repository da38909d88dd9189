"""The features whose cost is measured: a list in ``features.toml``, read here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import msgspec

from benchmarks.gateway.toml_text import Table

LIST = Path(__file__).parent / "features.toml"


class Feature(msgspec.Struct, forbid_unknown_fields=True):
    """``on`` and ``off`` are settings of Seekway; ``refused`` is why today's Seekway does not take them.

    ``without`` is a part of :mod:`benchmarks.gateway.without`, for what is always on: the feature is then measured by taking it out.
    """

    name: str
    on: Table = msgspec.field(default_factory=dict[str, object])
    off: Table = msgspec.field(default_factory=dict[str, object])
    requests: Literal["different", "same"] = "different"
    everywhere: bool = True
    without: str = ""
    refused: str | None = None


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """``backend`` goes into every backend, ``keys`` and ``workers`` are for the tests of that name."""

    backend: Table
    keys: Table
    workers: Table
    feature: list[Feature]


def read_plan(path: Path = LIST, *, omit: Sequence[str] = ()) -> Plan:
    """``omit`` are words of the names of features that are to stay out of "everything on"."""
    plan = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Plan)
    for feature in plan.feature:
        feature.everywhere = feature.everywhere and not any(word in feature.name for word in omit)
    return plan


def filled(table: Table, names: Mapping[str, str | int]) -> Table:
    """Each ``@name@`` in a text becomes ``names[name]``; a text that is nothing else becomes the value itself."""
    return cast("Table", _filled(table, names))


def _filled(value: object, names: Mapping[str, str | int]) -> object:
    if isinstance(value, str):
        for name, given in names.items():
            if value == f"@{name}@":
                return given
            value = value.replace(f"@{name}@", str(given))
        return value
    if isinstance(value, dict):
        return {key: _filled(inner, names) for key, inner in cast("Table", value).items()}
    if isinstance(value, list):
        return [_filled(inner, names) for inner in cast("list[object]", value)]
    return value
