"""Which datasets each tenant has, and in which table each lies."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Mapping
from typing import Final

import msgspec

from seekway.core.errors import AlreadyExists, NotFound, StorageUnavailable
from seekway.knowledge.index.lance.packages import Column, Record
from seekway.knowledge.index.lance.rows import columns_of
from seekway.knowledge.index.lance.tables import Gone, Snapshot, Store, Table, text
from seekway.knowledge.index.passage_index import Dataset

WORDS: Final = "terms"
_NAME: Final = "datasets"
_TIMES: Final = 5
_FIELDS: Final = ("tenant", "id", "name", "embedding_model", "dimensions", "table")
_COLUMNS: Final[Mapping[str, Column]] = {
    field: Column("int64" if field == "dimensions" else "string") for field in _FIELDS
}


class Entry(msgspec.Struct, frozen=True):
    """``table`` is the name of its table, which is never given twice."""

    tenant: str
    dataset: Dataset
    table: str


class Catalog:
    """Everything blocks, and raises ``StorageUnavailable``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.table(_NAME, _COLUMNS)
        self._lock = threading.Lock()
        self._known: tuple[int, list[Entry]] = (-1, [])

    def entries(self) -> list[Entry]:
        """In the order in which they came; read again when there is another version. None where nothing was ever kept."""

        def work(snapshot: Snapshot) -> list[Entry]:
            version, known = self._known
            if snapshot.version != version:
                known = [_entry(record) for record in snapshot.rows(_FIELDS)]
                with self._lock:
                    self._known = (snapshot.version, known)
            return known

        try:
            return self._table.read(work)
        except Gone:
            return []

    def entry(self, tenant: str, dataset: str) -> Entry:
        """Raises ``NotFound``."""
        for entry in self.entries():
            if entry.tenant == tenant and entry.dataset.id == dataset:
                return entry
        raise NotFound(f"There is no knowledge base {dataset!r}; list them to see which there are.", param="dataset_id")

    def table_of(self, entry: Entry) -> Table:
        return self._store.table(entry.table, columns_of(entry.dataset.dimensions))

    def add(self, tenant: str, dataset: Dataset) -> None:
        """Raises ``AlreadyExists``."""
        made = Entry(tenant, dataset, f"passages-{uuid.uuid4().hex}")
        self._refuse_second(made)
        self.table_of(made).make(words=WORDS)
        self._keep(made)
        try:
            # Two processes may have come this far; the order of the rows is the same for both.
            self._refuse_second(made, come_first=True)
        except AlreadyExists:
            self._store.drop(made.table)
            # Not settled: files that are written anew go behind the others, and so would the row of the one that came first.
            self._table.delete(f"table = {text(made.table)}")
            raise

    def _keep(self, made: Entry) -> None:
        """Where two processes make the very first one at once, the table of one may take the place of the other's, and its row is written again."""
        for _ in range(_TIMES):
            try:
                self._table.append([_row(made)])
            except Gone:
                # Another process may make it at once; then that one is filled.
                with contextlib.suppress(StorageUnavailable):
                    self._table.make()
                continue
            if any(entry.table == made.table for entry in self.entries()):
                return
        raise StorageUnavailable("The list of knowledge bases is being made by another process; try again.")

    def rename(self, entry: Entry, name: str) -> None:
        """Raises ``AlreadyExists``."""
        dataset = msgspec.structs.replace(entry.dataset, name=name)
        self._refuse_second(Entry(entry.tenant, dataset, entry.table))
        self._table.update({"name": text(name)}, f"table = {text(entry.table)}")
        try:
            self._refuse_second(Entry(entry.tenant, dataset, entry.table), come_first=True)
        except AlreadyExists:
            self._table.update({"name": text(entry.dataset.name)}, f"table = {text(entry.table)}")
            raise
        self._table.settle()

    def remove(self, entry: Entry) -> None:
        """The table first: a process that dies between leaves an entry to remove, not files that nobody knows of."""
        self._store.drop(entry.table)
        self._table.delete(f"table = {text(entry.table)}")
        self._table.settle()

    def drop_table(self, entry: Entry) -> None:
        self._store.drop(entry.table)

    def _refuse_second(self, made: Entry, *, come_first: bool = False) -> None:
        """With ``come_first`` the others must have stood before it."""
        for entry in self.entries():
            if entry.table == made.table:
                if come_first:
                    return
                continue
            same = entry.dataset.id == made.dataset.id or entry.dataset.name == made.dataset.name
            if entry.tenant == made.tenant and same:
                raise AlreadyExists(
                    f"There is a knowledge base of the id {made.dataset.id!r} or the name {made.dataset.name!r}; choose others."
                )


def _row(entry: Entry) -> dict[str, str | int]:
    one = entry.dataset
    return dict(
        zip(_FIELDS, (entry.tenant, one.id, one.name, one.embedding_model, one.dimensions, entry.table), strict=True)
    )


def _entry(record: Record) -> Entry:
    tenant, *dataset, table = (record[field] for field in _FIELDS)
    return Entry(tenant, Dataset(*dataset), table)
