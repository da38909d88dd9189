"""The passage index in SQLite."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

import apsw
import msgspec

from seekway.core.errors import InvalidParameter, NotFound
from seekway.knowledge.index import full_text, loading
from seekway.knowledge.index.document_rows import (
    KEYWORDS_OF_KEY,
    check,
    delete_document,
    delete_passages,
    insert_document,
    insert_passages,
    prepare,
)
from seekway.knowledge.index.full_text import Frequencies, Scored
from seekway.knowledge.index.passage_index import Dataset, Document, Found, Hit, MatchedKey, Scope
from seekway.knowledge.index.terms.analysis import keywords, query_terms
from seekway.knowledge.index.vectors import VectorSearch
from seekway.knowledge.passage import Passage
from seekway.knowledge.ports import Vectors
from seekway.storage.sql.database import Connection, Database
from seekway.storage.sql.migrations import migrate, read_migrations

_KEYS_OF_PASSAGE: Final = 8
"""Keys are asked for so many times as many as passages, since several may be one passage's."""
_MATCHED_KEPT: Final = 8
_QUERY_KEYWORDS: Final = 32


class _Rows(Protocol):
    def fetchall(self) -> object: ...


class _Raw(Protocol):
    """What is used of apsw's connection, whose own types are partly unknown."""

    def execute(self, statements: str, /) -> _Rows: ...


class _Place(msgspec.Struct, frozen=True):
    """A dataset of the tenant's, in one transaction: its row, and the documents to which the conditions keep (None: all)."""

    number: int
    searched: int
    dataset: Dataset
    documents: tuple[int, ...] | None


def prepare_connection(connection: apsw.Connection) -> None:
    """For ``SqliteDatabase(path, prepare=…)``: what is deleted is overwritten, and the pages that are read again and again stay in memory."""
    raw = cast("_Raw", connection)
    raw.execute("pragma secure_delete = on; pragma cache_size = -65536; pragma mmap_size = 1073741824").fetchall()


class SqlitePassageIndex:
    """:class:`seekway.knowledge.index.passage_index.PassageIndex`; ``database`` is SQLite's, opened with :func:`prepare_connection`, and is not closed here.

    ``vector_bytes`` bounds what is kept of vectors in memory (64 bytes for one of 384 dimensions). ``clock`` gives seconds since 1970.
    """

    def __init__(
        self, database: Database, *, vector_bytes: int = 256 * 2**20, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._clock = clock
        self._vectors = VectorSearch(vector_bytes)
        self._frequencies = Frequencies()

    @property
    def vector_bytes(self) -> int:
        """What vectors take of memory now."""
        return self._vectors.shelf.nbytes

    @property
    def vectors_held(self) -> int:
        """How many are in memory now."""
        return len(self._vectors.shelf)

    async def open(self) -> None:
        """Make or renew the tables; before anything else."""
        await migrate(self._database, "knowledge index", read_migrations("seekway.knowledge.index"))

    async def create(self, tenant: str, dataset: Dataset, /) -> None:
        if bool(dataset.embedding_model) != (dataset.dimensions > 0):
            raise InvalidParameter(
                "A dataset has an embedding model and its dimensions, or neither.", param="dimensions"
            )
        now = int(self._clock())

        def work(connection: Connection) -> None:
            row = connection.one(
                "insert into datasets (tenant, id, name, embedding_model, dimensions, created_at) values (?, ?, ?, ?, ?, ?) returning number",
                *(tenant, dataset.id, dataset.name, dataset.embedding_model, dataset.dimensions, now),
            )
            full_text.create_table(connection, cast("int", row[0] if row else 0))

        await self._database.write(work)

    async def datasets(self, tenant: str, /) -> list[Dataset]:
        rows = await self._database.read(
            lambda c: c.all(
                "select id, name, embedding_model, dimensions from datasets where tenant = ? order by name", tenant
            )
        )
        return [_dataset(row) for row in rows]

    async def dataset(self, tenant: str, dataset: str, /) -> Dataset:
        return (await self._database.read(lambda c: _place(c, tenant, dataset))).dataset

    async def rename(self, tenant: str, dataset: str, name: str, /) -> None:
        def work(connection: Connection) -> None:
            place = _place(connection, tenant, dataset)
            connection.run("update datasets set name = ? where number = ? and tenant = ?", name, place.number, tenant)

        await self._database.write(work)

    async def drop(self, tenant: str, dataset: str, /) -> None:
        def work(connection: Connection) -> int:
            place = _place(connection, tenant, dataset)
            full_text.drop_table(connection, place.number)
            connection.run("delete from datasets where number = ? and tenant = ?", place.number, tenant)
            return place.number

        number = await self._database.write(work)
        self._vectors.shelf.forget(number)
        self._frequencies.forget(number)

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
        now = int(self._clock())

        def work(connection: Connection) -> tuple[int, int | None]:
            place = _place(connection, tenant, dataset)
            check(place.dataset, passages, vectors)  # it may be another dataset of that id by now
            before = connection.one(
                "select number, created_at from documents where dataset = ? and id = ?", place.number, document.id
            )
            if before is not None:
                delete_document(connection, place.number, cast("int", before[0]))
            created = now if before is None else cast("int", before[1])
            number = insert_document(connection, place.number, document, created)
            insert_passages(connection, place.number, number, prepared)
            return place.number, None if before is None else cast("int", before[0])

        number, replaced = await self._database.write(work)
        if replaced is not None:
            self._vectors.forget_document(number, replaced)

    async def put_passages(
        self, tenant: str, dataset: str, document: str, passages: Sequence[Passage], vectors: Vectors | None = None, /
    ) -> None:
        check(await self.dataset(tenant, dataset), passages, vectors)
        prepared = await asyncio.to_thread(prepare, passages, vectors)

        def work(connection: Connection) -> None:
            place = _place(connection, tenant, dataset)
            check(place.dataset, passages, vectors)  # as above
            number = loading.document_number(connection, place.number, document)
            delete_passages(connection, place.number, number, [passage.position for passage in passages])
            insert_passages(connection, place.number, number, prepared)

        await self._database.write(work)

    async def drop_passages(self, tenant: str, dataset: str, document: str, positions: Sequence[int], /) -> None:
        def work(connection: Connection) -> None:
            place = _place(connection, tenant, dataset)
            number = loading.document_number(connection, place.number, document)
            delete_passages(connection, place.number, number, positions)

        await self._database.write(work)

    async def change(self, tenant: str, dataset: str, document: Document, /) -> None:
        def work(connection: Connection) -> None:
            place = _place(connection, tenant, dataset)
            changed = connection.run(
                "update documents set name = ?, enabled = ?, metadata = ? where dataset = ? and id = ?",
                *(document.name, int(document.enabled), msgspec.json.encode(document.metadata).decode()),
                *(place.number, document.id),
            )
            if changed == 0:
                raise loading.no_document(document.id)

        await self._database.write(work)

    async def delete(self, tenant: str, dataset: str, document: str, /) -> None:
        def work(connection: Connection) -> tuple[int, int]:
            place = _place(connection, tenant, dataset)
            number = loading.document_number(connection, place.number, document)
            delete_document(connection, place.number, number)
            return place.number, number

        self._vectors.forget_document(*await self._database.write(work))

    async def documents(self, tenant: str, dataset: str, /) -> list[Document]:
        return await self._database.read(
            lambda c: loading.documents(c, _place(c, tenant, dataset).number),
        )

    async def passages(self, tenant: str, dataset: str, document: str, /) -> list[Passage]:
        def work(connection: Connection) -> list[Passage]:
            place = _place(connection, tenant, dataset)
            return loading.passages(connection, loading.document_number(connection, place.number, document))

        return await self._database.read(work)

    async def by_keyword(self, tenant: str, scope: Scope, query: str, /) -> list[Hit]:
        asked = await asyncio.to_thread(keywords, query, _QUERY_KEYWORDS)

        def search(connection: Connection, place: _Place) -> list[tuple[int, Scored]]:
            return _with_keyword(connection, place, asked, scope.limit)

        return await self._search(tenant, scope, search) if asked else []

    async def by_full_text(self, tenant: str, scope: Scope, query: str, /) -> list[Hit]:
        def search(connection: Connection, place: _Place) -> list[tuple[int, Scored]]:
            # Here and not before: another thread for it alone costs more than it does.
            terms = query_terms(query)
            if not terms:
                return []
            counts = self._frequencies.of(connection, place.number, place.searched, terms)
            allowed = None if place.documents is None else msgspec.json.encode(place.documents).decode()
            found = full_text.search(
                *(connection, place.number, terms, counts, place.searched),
                limit=scope.limit * _KEYS_OF_PASSAGE,
                documents=allowed,
            )
            owners = loading.passages_of_keys(connection, [one.key for one in found])
            return [(owners[one.key], one) for one in found]

        return await self._search(tenant, scope, search)

    async def by_vector(self, tenant: str, scope: Scope, vector: Vectors, /) -> list[Hit]:
        def search(connection: Connection, place: _Place) -> list[tuple[int, Scored]]:
            if vector.shape != (place.dataset.dimensions,):
                raise InvalidParameter(
                    f"The dataset {place.dataset.id} has vectors of {place.dataset.dimensions} dimensions, and the query's has {vector.shape[0]}; "
                    "embed it with the dataset's model, or search by full text.",
                    param="embedding_model",
                )
            return self._vectors.search(
                *(connection, place.number, place.searched, vector),
                limit=scope.limit * _KEYS_OF_PASSAGE,
                documents=place.documents,
            )

        return await self._search(tenant, scope, search)

    async def load(self, tenant: str, hits: Sequence[Hit], /) -> list[Found | None]:
        return await self._database.read(lambda c: loading.found(c, tenant, hits))

    async def _search(
        self, tenant: str, scope: Scope, search: Callable[[Connection, _Place], list[tuple[int, Scored]]]
    ) -> list[Hit]:
        def work(connection: Connection) -> list[Hit]:
            hits: list[Hit] = []
            for name in dict.fromkeys(scope.datasets):
                place = _place(connection, tenant, name, scope)
                if place.documents == ():
                    continue
                hits += _by_passage(name, search(connection, place), scope.limit)
            return sorted(hits, key=lambda hit: -hit.score)[: scope.limit]

        return await self._database.read(work)


def _place(connection: Connection, tenant: str, dataset: str, scope: Scope | None = None) -> _Place:
    row = connection.one(
        "select number, searched, id, name, embedding_model, dimensions from datasets where tenant = ? and id = ?",
        *(tenant, dataset),
    )
    if row is None:
        raise NotFound(f"There is no knowledge base {dataset!r}; list them to see which there are.", param="dataset_id")
    number = cast("int", row[0])
    allowed = None if scope is None else loading.allowed_documents(connection, number, scope.conditions)
    return _Place(number, cast("int", row[1]), _dataset(row[2:]), allowed)


def _dataset(row: Sequence[object]) -> Dataset:
    name, label, model, dimensions = cast("tuple[str, str, str, int]", tuple(row))
    return Dataset(name, label, model, dimensions)


def _with_keyword(connection: Connection, place: _Place, asked: Sequence[str], limit: int) -> list[tuple[int, Scored]]:
    words = msgspec.json.encode(list(asked)).decode()
    allowed = None if place.documents is None else msgspec.json.encode(place.documents).decode()
    rows = connection.all(
        "select k.passage, w.key, count(*) as met from keywords w join keys k on k.number = w.key join passages p on p.number = k.passage "
        "where w.dataset = ? and w.keyword in (select value from json_each(?)) "
        "and (? is null or p.document in (select value from json_each(?))) group by w.key order by met desc, w.key limit ?",
        *(place.number, words, allowed, allowed, limit * _KEYS_OF_PASSAGE),
    )
    most = min(len(asked), KEYWORDS_OF_KEY)
    found = cast("list[tuple[int, int, int]]", rows)
    return [(passage, Scored(key, min(1.0, met / most))) for passage, key, met in found]


def _by_passage(dataset: str, found: Sequence[tuple[int, Scored]], limit: int) -> list[Hit]:
    """A passage is as good as its best key, and stands once; ``found`` has the best first, and so have they."""
    keys: dict[int, list[Scored]] = {}
    for passage, scored in found:
        met = keys.get(passage)
        if met is not None:
            met.append(scored)
        elif len(keys) < limit:
            keys[passage] = [scored]
    return [
        Hit(
            dataset,
            passage,
            met[0].score,
            tuple([MatchedKey(scored.key, scored.score) for scored in met[:_MATCHED_KEPT]]),
        )
        for passage, met in keys.items()
    ]
