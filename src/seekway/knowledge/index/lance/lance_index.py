"""The passage index in Lance tables: a table for each dataset, so that a dataset's statistics and speed do not depend on what others hold.

Writers of other processes are met by Lance's own commits (https://lance.org/format/table/transaction/): a change that does not go together with theirs is made again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from seekway.core.errors import InvalidParameter, NotFound, StorageUnavailable
from seekway.knowledge.index.document_rows import KEYWORDS_OF_KEY, check, prepare
from seekway.knowledge.index.lance import searching
from seekway.knowledge.index.lance.catalog import WORDS, Catalog, Entry
from seekway.knowledge.index.lance.rows import (
    DOCUMENT_COLUMNS,
    DOCUMENTS,
    IDENTITY,
    PASSAGE_COLUMNS,
    PASSAGES,
    Kept,
    Row,
    document_row,
    encoded_metadata,
    passage_rows,
    read_kept,
    read_passage,
)
from seekway.knowledge.index.lance.tables import Gone, Snapshot, Store, Table, numbers, text
from seekway.knowledge.index.loading import no_document
from seekway.knowledge.index.passage_index import Dataset, Document, Found, Hit, Scope
from seekway.knowledge.index.terms.analysis import keywords, query_terms
from seekway.knowledge.passage import Passage
from seekway.knowledge.ports import Vectors

T = TypeVar("T")

_QUERY_KEYWORDS: Final = 32
_CACHE_BYTES: Final = 256 * 2**20


class _Removals:
    """Who deletes while files are being rid of what others deleted waits for the next round, which serves all who wait."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asked = 0
        self.done = 0


class LancePassageIndex:
    """:class:`seekway.knowledge.index.passage_index.PassageIndex` under ``url``, a folder or an address such as ``s3://bucket/prefix``.

    ``options`` are those of the object store (https://lance.org/guide/object_store), ``clock`` gives nanoseconds since 1970.
    Raises ``ConfigError`` where pylance is not installed. Nothing is opened or made before it is asked for.
    """

    def __init__(
        self,
        url: str,
        options: Mapping[str, str] | None = None,
        *,
        cache_bytes: int = _CACHE_BYTES,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._catalog = Catalog(Store(url, options or {}, cache_bytes))
        self._clock = clock
        self._searches = searching.Searches()
        self._removals: dict[str, _Removals] = {}
        self._naming = asyncio.Lock()

    def table(self, tenant: str, dataset: str) -> Table:
        """Where it lies; blocks. Raises ``NotFound``."""
        return self._catalog.table_of(self._catalog.entry(tenant, dataset))

    async def create(self, tenant: str, dataset: Dataset, /) -> None:
        if bool(dataset.embedding_model) != (dataset.dimensions > 0):
            raise InvalidParameter(
                "A dataset has an embedding model and its dimensions, or neither.", param="dimensions"
            )
        async with self._naming:
            await asyncio.to_thread(self._catalog.add, tenant, dataset)

    async def datasets(self, tenant: str, /) -> list[Dataset]:
        entries = await asyncio.to_thread(self._catalog.entries)
        return sorted((one.dataset for one in entries if one.tenant == tenant), key=lambda one: one.name)

    async def dataset(self, tenant: str, dataset: str, /) -> Dataset:
        return (await self._entry(tenant, dataset)).dataset

    async def rename(self, tenant: str, dataset: str, name: str, /) -> None:
        async with self._naming:
            entry = await self._entry(tenant, dataset)
            await asyncio.to_thread(self._catalog.rename, entry, name)

    async def drop(self, tenant: str, dataset: str, /) -> None:
        async with self._naming:
            entry = await self._entry(tenant, dataset)
            await asyncio.to_thread(self._catalog.remove, entry)
            self._searches.forget(entry.table)
            self._removals.pop(entry.table, None)

    async def put(
        self,
        tenant: str,
        dataset: str,
        document: Document,
        passages: Sequence[Passage],
        vectors: Vectors | None = None,
        /,
    ) -> None:
        check(await self.dataset(tenant, dataset), passages, vectors)
        prepared = await asyncio.to_thread(prepare, passages, vectors)

        def work(table: Table, entry: Entry) -> bool:
            check(entry.dataset, passages, vectors)  # it may be another dataset of that id by now
            now = self._clock()
            before = table.read(lambda snapshot: _kept(snapshot, document.id))
            made = Kept(document, now, before.created if before else now)
            rows: list[Row] = [document_row(made), *passage_rows(document.id, now, prepared)]
            if before is None:
                table.append(rows)
            else:
                table.replace(rows, f"document = {text(document.id)}", IDENTITY)
            return self._keep_last(table, document.id) or before is not None

        await self._write(tenant, dataset, work, len(passages))

    async def put_passages(
        self, tenant: str, dataset: str, document: str, passages: Sequence[Passage], vectors: Vectors | None = None, /
    ) -> None:
        check(await self.dataset(tenant, dataset), passages, vectors)
        prepared = await asyncio.to_thread(prepare, passages, vectors)

        def work(table: Table, entry: Entry) -> bool:
            check(entry.dataset, passages, vectors)  # as above
            owner = table.read(lambda snapshot: _kept_or_raise(snapshot, document)).owner
            positions = numbers("position", [passage.position for passage in passages])
            gone = table.replace(passage_rows(document, owner, prepared), f"owner = {owner} and {positions}", IDENTITY)
            if table.read(lambda snapshot: _kept_or_raise(snapshot, document)).owner != owner:
                table.delete(f"owner = {owner}")
                raise StorageUnavailable(f"The document {document!r} was put anew meanwhile; try again.")
            return gone > 0

        await self._write(tenant, dataset, work, len(passages))

    async def drop_passages(self, tenant: str, dataset: str, document: str, positions: Sequence[int], /) -> None:
        def work(table: Table, entry: Entry) -> bool:
            owner = table.read(lambda snapshot: _kept_or_raise(snapshot, document)).owner
            return table.delete(f"owner = {owner} and {numbers('position', positions)}") > 0 or not table.settled()

        await self._write(tenant, dataset, work)

    async def change(self, tenant: str, dataset: str, document: Document, /) -> None:
        def work(table: Table, entry: Entry) -> bool:
            values = {
                "name": text(document.name),
                "metadata": text(encoded_metadata(document)),
                "enabled": "true" if document.enabled else "false",
            }
            if table.update(values, f"document = {text(document.id)} and {DOCUMENTS}") == 0:
                raise no_document(document.id)
            return False

        await self._write(tenant, dataset, work)

    async def delete(self, tenant: str, dataset: str, document: str, /) -> None:
        missing = False

        def work(table: Table, entry: Entry) -> bool:
            nonlocal missing
            missing = table.delete(f"document = {text(document)}") == 0
            # A process may have died between deleting it and settling.
            return not missing or not table.settled()

        await self._write(tenant, dataset, work)
        if missing:
            raise no_document(document)

    async def documents(self, tenant: str, dataset: str, /) -> list[Document]:
        def work(snapshot: Snapshot) -> list[Kept]:
            return [read_kept(record) for record in snapshot.rows(DOCUMENT_COLUMNS, DOCUMENTS)]

        kept = await self._read(tenant, dataset, work)
        return [one.document for one in sorted(kept, key=lambda one: (one.created, one.owner))]

    async def passages(self, tenant: str, dataset: str, document: str, /) -> list[Passage]:
        def work(snapshot: Snapshot) -> list[Passage]:
            owner = _kept_or_raise(snapshot, document).owner
            records = snapshot.rows(PASSAGE_COLUMNS, f"owner = {owner} and {PASSAGES}")
            return sorted(map(read_passage, records), key=lambda one: one.position)

        return await self._read(tenant, dataset, work)

    async def by_keyword(self, tenant: str, scope: Scope, query: str, /) -> list[Hit]:
        asked = await asyncio.to_thread(keywords, query, _QUERY_KEYWORDS)
        most = min(len(asked), KEYWORDS_OF_KEY)

        def search(entry: Entry, snapshot: Snapshot) -> list[Hit]:
            return self._searches.by_keyword(entry, snapshot, scope, asked, most)

        return await self._search(tenant, scope, search) if asked else []

    async def by_full_text(self, tenant: str, scope: Scope, query: str, /) -> list[Hit]:
        terms = await asyncio.to_thread(query_terms, query)

        def search(entry: Entry, snapshot: Snapshot) -> list[Hit]:
            return self._searches.by_full_text(entry, snapshot, scope, terms)

        return await self._search(tenant, scope, search) if terms else []

    async def by_vector(self, tenant: str, scope: Scope, vector: Vectors, /) -> list[Hit]:
        def search(entry: Entry, snapshot: Snapshot) -> list[Hit]:
            return self._searches.by_vector(entry, snapshot, scope, vector)

        return await self._search(tenant, scope, search)

    async def load(self, tenant: str, hits: Sequence[Hit], /) -> list[Found | None]:
        found: dict[tuple[str, int], searching.Loaded] = {}
        for name in dict.fromkeys(hit.dataset for hit in hits):
            wanted = [hit.passage for hit in hits if hit.dataset == name]

            def work(snapshot: Snapshot, wanted: list[int] = wanted) -> dict[int, searching.Loaded]:
                return searching.loaded(snapshot, wanted)

            try:
                entry = await self._entry(tenant, name)
                passages = await self._read(tenant, name, work)
            except NotFound:
                continue
            found |= {(name, number): one.of(entry.dataset) for number, one in passages.items()}
        known = (found.get((hit.dataset, hit.passage)) for hit in hits)
        return [None if one is None else one.found(hit) for hit, one in zip(hits, known, strict=True)]

    async def _search(self, tenant: str, scope: Scope, search: Callable[[Entry, Snapshot], list[Hit]]) -> list[Hit]:
        hits: list[Hit] = []
        for name in dict.fromkeys(scope.datasets):
            entry = await self._entry(tenant, name)

            def work(snapshot: Snapshot, entry: Entry = entry) -> list[Hit]:
                return search(entry, snapshot)

            hits += await self._reading(entry, work)
        return sorted(hits, key=lambda hit: -hit.score)[: scope.limit]

    async def _entry(self, tenant: str, dataset: str) -> Entry:
        return await asyncio.to_thread(self._catalog.entry, tenant, dataset)

    async def _read(self, tenant: str, dataset: str, work: Callable[[Snapshot], T]) -> T:
        return await self._reading(await self._entry(tenant, dataset), work)

    async def _reading(self, entry: Entry, work: Callable[[Snapshot], T]) -> T:
        try:
            return await asyncio.to_thread(self._catalog.table_of(entry).read, work)
        except Gone as error:
            raise _dropped(entry) from error

    async def _write(self, tenant: str, dataset: str, work: Callable[[Table, Entry], bool], added: int = 0) -> None:
        """``work`` tells whether it left anything that must go from the files; ``added`` passages come. A caller who is cancelled waits until it is done."""
        task = asyncio.ensure_future(self._written(await self._entry(tenant, dataset), work, added))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    async def _written(self, entry: Entry, work: Callable[[Table, Entry], bool], added: int = 0) -> None:
        table = self._catalog.table_of(entry)
        removals = self._removals.setdefault(entry.table, _Removals())
        try:
            async with removals.lock:
                removed = await asyncio.to_thread(work, table, entry)
                if not removed:
                    await asyncio.to_thread(table.tidy, added)
            if removed:
                removals.asked += 1
                await self._settle(table, removals, removals.asked)
        except Gone as error:
            raise _dropped(entry) from error
        if await asyncio.to_thread(self._dropped_meanwhile, entry):
            raise _dropped(entry)

    async def _settle(self, table: Table, removals: _Removals, ticket: int) -> None:
        async with removals.lock:
            if removals.done < ticket:
                upto = removals.asked
                await asyncio.to_thread(table.settle, WORDS)
                removals.done = upto

    def _dropped_meanwhile(self, entry: Entry) -> bool:
        """Whether it was, by another process; then what was written into it since is taken away."""
        if any(one.table == entry.table for one in self._catalog.entries()):
            return False
        self._catalog.drop_table(entry)
        return True

    def _keep_last(self, table: Table, document: str) -> bool:
        """Two processes may have put one document at once, each finding none: the one of the greater number stays. Whether any went."""
        kept = table.read(lambda snapshot: _kept(snapshot, document))
        if kept is None:
            return False
        return table.delete(f"document = {text(document)} and owner < {kept.owner}") > 0


def _kept(snapshot: Snapshot, document: str) -> Kept | None:
    records = snapshot.rows(DOCUMENT_COLUMNS, f"document = {text(document)} and {DOCUMENTS}")
    return max(map(read_kept, records), key=lambda one: one.owner, default=None)


def _kept_or_raise(snapshot: Snapshot, document: str) -> Kept:
    kept = _kept(snapshot, document)
    if kept is None:
        raise no_document(document)
    return kept


def _dropped(entry: Entry) -> NotFound:
    return NotFound(f"The knowledge base {entry.dataset.id!r} was deleted meanwhile.", param="dataset_id")
