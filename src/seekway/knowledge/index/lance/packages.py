"""What is used of pylance and of pyarrow, whose own types are partly unknown; looked up when it is first needed, not at import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final, Literal, NamedTuple, Protocol, cast

import numpy as np

from seekway.core.errors import ConfigError

Kind = Literal["int64", "string", "bool", "strings", "vector"]
Value = str | int | float | bool | bytes | None | Sequence[str]
Record = Mapping[str, Any]
"""A row as it was read: texts, numbers, lists of texts."""

METADATA_CACHE_BYTES: Final = 64 * 2**20


class Column(NamedTuple):
    """``dimensions`` counts only where ``kind`` is ``vector``: its values are bytes of little-endian float16."""

    kind: Kind
    dimensions: int = 0


Columns = Mapping[str, Column]


class ArrowTable(Protocol):
    @property
    def num_rows(self) -> int: ...

    def to_pylist(self) -> list[Record]: ...


class Merge(Protocol):
    def when_not_matched_insert_all(self) -> Merge: ...

    def when_not_matched_by_source_delete(self, expression: str, /) -> Merge: ...

    def execute(self, rows: ArrowTable, /) -> Mapping[str, int]: ...


class Optimizer(Protocol):
    def compact_files(
        self, *, target_rows_per_fragment: int, materialize_deletions: bool, materialize_deletions_threshold: float
    ) -> object: ...

    def optimize_indices(self, **how: int) -> None: ...


class LanceDataset(Protocol):
    """https://lancedb.github.io/lance-python-doc"""

    @property
    def version(self) -> int: ...

    @property
    def optimize(self) -> Optimizer: ...

    def to_table(self, **how: object) -> ArrowTable: ...

    def count_rows(self, filter: str | None = None) -> int: ...

    def insert(self, rows: ArrowTable, /) -> None: ...

    def merge_insert(self, on: Sequence[str], /) -> Merge: ...

    def delete(self, predicate: str, /) -> Mapping[str, int]: ...

    def update(self, updates: Mapping[str, str], where: str, /) -> Mapping[str, int]: ...

    def create_scalar_index(self, column: str, index_type: str, **how: object) -> object: ...

    def get_fragments(self) -> Sequence[object]: ...

    def versions(self) -> Sequence[object]: ...

    def cleanup_old_versions(self, *, retain_versions: int) -> object: ...


class _DatasetClass(Protocol):
    def drop(self, uri: str, /, *, storage_options: Mapping[str, str], ignore_not_found: bool) -> None: ...


class _Query(Protocol):
    def MatchQuery(self, query: str, column: str) -> object: ...  # noqa: N802 - pylance's name


class Lance(Protocol):
    LanceDataset: _DatasetClass

    def Session(self, *, index_cache_size_bytes: int, metadata_cache_size_bytes: int) -> object: ...  # noqa: N802 - pylance's name

    def dataset(self, uri: str, *, session: object, storage_options: Mapping[str, str]) -> LanceDataset: ...

    def write_dataset(
        self, rows: ArrowTable, uri: str, *, mode: str, session: object, storage_options: Mapping[str, str]
    ) -> LanceDataset: ...


def lance_package() -> Lance:
    """Raises ``ConfigError`` where it is not installed."""
    try:
        return cast("Lance", import_module("lance"))
    except ImportError as error:
        raise ConfigError(
            'knowledge.store = "lance" needs a package that is not installed; install seekway[lance].',
            param="knowledge.store",
        ) from error


def match_query(terms: str, column: str) -> object:
    return cast("_Query", import_module("lance.query")).MatchQuery(terms, column)


def arrow_table(columns: Columns, rows: Sequence[Mapping[str, Value]]) -> ArrowTable:
    """What a row lacks is null."""
    arrow = cast("Any", import_module("pyarrow"))
    kinds = {
        "int64": arrow.int64(),
        "string": arrow.string(),
        "bool": arrow.bool_(),
        "strings": arrow.list_(arrow.string()),
    }
    arrays: dict[str, Any] = {}
    for name, column in columns.items():
        values = [row.get(name) for row in rows]
        if column.kind == "vector":
            nothing = b"\x00" * (2 * column.dimensions)
            floats = np.frombuffer(b"".join(cast("list[bytes]", [value or nothing for value in values])), "<f2")
            missing = arrow.array([value is None for value in values], arrow.bool_())
            arrays[name] = arrow.FixedSizeListArray.from_arrays(arrow.array(floats), column.dimensions, mask=missing)
        else:
            arrays[name] = arrow.array(values, kinds[column.kind])
    return cast("ArrowTable", arrow.table(arrays))
