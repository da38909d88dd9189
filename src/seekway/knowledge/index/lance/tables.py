"""Tables in Lance (https://lance.org), each in its own folder of a directory or an object store.

Every change is a new version of its table, written beside the old ones and then named the latest, so that a killed process leaves the table as it was before or after.
Rows that are deleted, and the words of them in the index, stay in the files of older versions until :meth:`Table.settle`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import numpy as np

from seekway.core.errors import StorageUnavailable
from seekway.knowledge.index.lance.packages import (
    METADATA_CACHE_BYTES,
    Columns,
    LanceDataset,
    Record,
    Value,
    arrow_table,
    lance_package,
    match_query,
)
from seekway.knowledge.ports import Vectors

T = TypeVar("T")

_FRAGMENT_ROWS: Final = 20_000
"""What is deleted from a fragment is gone when it is written anew: smaller ones are quicker to write, larger ones to read."""
_FRAGMENTS: Final = 64
_INDEXED_AFTER: Final = 16
_INDEXED_ROWS: Final = 500
"""What is not indexed is read by each search for words, some 40 ms for 600 passages."""
_ATTEMPTS: Final = 5
_WRITES: Final = 12
"""Attempts: each that another process overtook means that the other one's is done."""
_OVERTAKEN: Final = ("conflict", "not found")
"""What another process wrote, or the files that it took away meanwhile; nothing of ours is kept then."""
_WORDS_AS_THEY_ARE: Final[dict[str, object]] = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": None,
    "with_position": False,
}
"""The words are cut before they come here."""

_FAILURES = (OSError, RuntimeError, ValueError)
"""What pylance raises of its own."""


class Gone(Exception):
    """There is no such table."""


class Store:
    """Tables under ``url``, a folder or ``s3://bucket/prefix`` and the like; ``options`` are those of the object store.

    Raises ``ConfigError`` where pylance is not installed. Everything else blocks, and raises ``StorageUnavailable``.
    """

    def __init__(self, url: str, options: Mapping[str, str], cache_bytes: int) -> None:
        self._lance = lance_package()
        self._url = url.rstrip("/")
        self._options = dict(options)
        self._session = self._lance.Session(
            index_cache_size_bytes=cache_bytes, metadata_cache_size_bytes=METADATA_CACHE_BYTES
        )

    def table(self, name: str, columns: Columns) -> Table:
        return Table(self, name, columns)

    def open(self, name: str) -> LanceDataset:
        """Its latest version. Raises :class:`Gone`."""
        return self._lance.dataset(self._place(name), session=self._session, storage_options=self._options)

    def make(self, name: str, columns: Columns) -> LanceDataset:
        empty = arrow_table(columns, ())
        return self._lance.write_dataset(
            empty, self._place(name), mode="create", session=self._session, storage_options=self._options
        )

    def drop(self, name: str) -> None:
        """With every file of it; nothing where there is none."""
        with _failures():
            self._lance.LanceDataset.drop(self._place(name), storage_options=self._options, ignore_not_found=True)

    def _place(self, name: str) -> str:
        return f"{self._url}/{name}.lance"


class Snapshot:
    """A version of a table, as it stays whatever is written beside it."""

    def __init__(self, dataset: LanceDataset) -> None:
        self._dataset = dataset
        self.version = dataset.version

    def rows(self, columns: Sequence[str], where: str | None = None) -> list[Record]:
        """In the order in which they were written."""
        return self._dataset.to_table(columns=list(columns), filter=where).to_pylist()

    def count(self, where: str | None = None) -> int:
        return self._dataset.count_rows(where)

    def with_words(self, column: str, words: Sequence[str], limit: int, columns: Sequence[str], where: str | None) -> list[Record]:  # fmt: skip
        """By BM25, the best first, with it as ``_score``."""
        return self._dataset.to_table(
            full_text_query=match_query(" ".join(words), column),
            columns=[*columns, "_score"],
            filter=where,
            prefilter=where is not None,
            limit=limit,
        ).to_pylist()

    def indexed_with(self, column: str, word: str, most: int) -> int:
        """In how many rows it stands, as far as they are indexed; at most ``most``."""
        query = match_query(word, column)
        return self._dataset.to_table(full_text_query=query, columns=["_score"], limit=most, fast_search=True).num_rows

    def near(self, column: str, vector: Vectors, limit: int, columns: Sequence[str], where: str | None) -> list[Record]:
        """All are looked at, the nearest first, with 1 less the cosine as ``_distance``."""
        nearest = {"column": column, "q": vector.astype(np.float16), "k": limit, "metric": "dot", "use_index": False}
        return self._dataset.to_table(
            nearest=nearest, columns=[*columns, "_distance"], filter=where, prefilter=where is not None
        ).to_pylist()


class Table:
    """Everything raises :class:`Gone` where there is no such table (any more)."""

    def __init__(self, store: Store, name: str, columns: Columns) -> None:
        self._store = store
        self._columns = columns
        self.name = name

    def make(self, *, words: str | None = None) -> None:
        """Empty, with an index of the words in the column ``words``."""
        with _failures():
            made = self._store.make(self.name, self._columns)
            if words is not None:
                made.create_scalar_index(words, "INVERTED", replace=True, **_WORDS_AS_THEY_ARE)

    def read(self, work: Callable[[Snapshot], T]) -> T:
        """Of the latest version; again where another process has taken its files away meanwhile."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return work(Snapshot(self._store.open(self.name)))
            except _FAILURES:
                continue
        with _failures():
            return work(Snapshot(self._store.open(self.name)))

    def append(self, rows: Sequence[Mapping[str, Value]]) -> None:
        self._write(lambda dataset: dataset.insert(arrow_table(self._columns, rows)))

    def replace(self, rows: Sequence[Mapping[str, Value]], where: str, new: Sequence[str]) -> int:
        """At once: what meets ``where`` goes, ``rows`` come, none of which is there by the columns ``new``. How many went."""

        def work(dataset: LanceDataset) -> Mapping[str, int]:
            merge = dataset.merge_insert(new).when_not_matched_insert_all().when_not_matched_by_source_delete(where)
            return merge.execute(arrow_table(self._columns, rows))

        return self._write(work)["num_deleted_rows"]

    def delete(self, where: str) -> int:
        """How many went."""
        return self._write(lambda dataset: dataset.delete(where))["num_deleted_rows"]

    def update(self, values: Mapping[str, str], where: str) -> int:
        """``values`` are SQL; how many were changed."""
        return self._write(lambda dataset: dataset.update(values, where))["num_rows_updated"]

    def settled(self) -> bool:
        """Whether there are no files but those of the latest version."""
        with _failures():
            return len(self._store.open(self.name).versions()) == 1

    def settle(self, words: str | None = None) -> None:
        """Nothing that was deleted or replaced is left in any file: fragments that lost rows are written anew, the index of ``words`` is made again, older versions go."""

        def work(dataset: LanceDataset) -> None:
            _compact(dataset)
            if words is not None:
                dataset.create_scalar_index(words, "INVERTED", replace=True, **_WORDS_AS_THEY_ARE)
            dataset.cleanup_old_versions(retain_versions=1)

        self._write(work)

    def tidy(self, added: int) -> None:
        """After ``added`` rows more: now and then what came since is indexed, many small fragments become few, and older versions go."""

        def work(dataset: LanceDataset) -> None:
            count = len(dataset.get_fragments())
            if count > _FRAGMENTS:
                _compact(dataset)
                dataset.optimize.optimize_indices()
                dataset.cleanup_old_versions(retain_versions=1)
            elif count % _INDEXED_AFTER == 0 or added >= _INDEXED_ROWS:
                # Beside the index that is there, which is quick; the next compaction makes them one.
                dataset.optimize.optimize_indices(num_indices_to_merge=0)

        self._write(work)

    def _write(self, work: Callable[[LanceDataset], T], attempts: int = _WRITES) -> T:
        """Again where another process wrote meanwhile what does not go together with it."""
        with _failures():
            try:
                return work(self._store.open(self.name))
            except _FAILURES as error:
                said = str(error).lower()
                if attempts == 1 or _is_gone(error) or not any(word in said for word in _OVERTAKEN):
                    raise
        return self._write(work, attempts - 1)


def text(value: str) -> str:
    """A literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def numbers(column: str, values: Sequence[int]) -> str:
    return f"{column} in ({', '.join(map(str, values))})" if values else "false"


def _is_gone(error: Exception) -> bool:
    return isinstance(error, ValueError) and "was not found" in str(error)


def _first_line(said: str) -> str:
    return said.split(", /", 1)[0].split("\n", 1)[0][:300].rstrip(" .")


def _compact(dataset: LanceDataset) -> None:
    dataset.optimize.compact_files(
        target_rows_per_fragment=_FRAGMENT_ROWS, materialize_deletions=True, materialize_deletions_threshold=0.0
    )


@contextmanager
def _failures() -> Generator[None]:
    try:
        yield
    except _FAILURES as error:
        said = str(error)
        if _is_gone(error):
            raise Gone from error
        # The first line without the place in its source.
        raise StorageUnavailable(f"The passages cannot be read or written: {_first_line(said)}.") from error
