"""The rows of datasets, documents and their files. What returned from here outlives the process."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec

from seekway.core.errors import InvalidRequest, NotFound
from seekway.knowledge.ingest.job_book import JobBook, drop_cut
from seekway.knowledge.ingest.listing import Listing
from seekway.knowledge.ingest.records import (
    DATASET_COLUMNS,
    DOCUMENT_COLUMNS,
    UNDER_WAY,
    Added,
    DatasetRecord,
    DocumentKey,
    DocumentRecord,
    NewDocument,
    dataset_of,
    document_of,
)
from seekway.knowledge.labels.fields import FieldBook
from seekway.knowledge.labels.tags import TagBook
from seekway.knowledge.segments.segment_book import SegmentBook
from seekway.storage.sql.database import Connection, Database, Value
from seekway.storage.sql.migrations import migrate, read_migrations

PART: Final = "knowledge_documents"
_KEY: Final = "tenant = ? and dataset = ? and id = ?"
_LATER: Final = ("parsed_at", "cleaned_at", "split_at", "completed_at", "paused_at", "stopped_at")


class DocumentBook:
    """Every call names the tenant, and sees nothing of another. ``clock`` gives milliseconds since 1970.

    All raise ``NotFound`` for a dataset or document that the tenant does not have, and ``StorageUnavailable``.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self.now = clock
        self.jobs = JobBook(database, clock)
        self.segments = SegmentBook(database, clock)
        self.listing = Listing(database)
        self.tags = TagBook(database, clock)
        self.fields = FieldBook(database, clock)

    async def open(self) -> None:
        """Make or bring up to date the tables."""
        await migrate(self._database, PART, read_migrations("seekway.knowledge.ingest"))

    async def create_dataset(self, dataset: DatasetRecord) -> DatasetRecord:
        """Raises ``AlreadyExists`` where the tenant has one of that id or name."""
        now = self.now()
        made = msgspec.structs.replace(dataset, created_at=now, updated_at=now)
        values = cast("tuple[Value, ...]", msgspec.structs.astuple(made))
        marks = ", ".join("?" * len(values))
        await self._database.write(
            lambda connection: connection.run(f"insert into kb_datasets ({DATASET_COLUMNS}) values ({marks})", *values)  # noqa: S608 - columns are our own
        )
        return made

    async def dataset(self, tenant: str, dataset: str) -> DatasetRecord:
        return await self._database.read(lambda connection: _dataset(connection, tenant, dataset))

    async def datasets(self, tenant: str) -> list[DatasetRecord]:
        """The newest first."""
        rows = await self._database.read(
            lambda connection: connection.all(
                f"select {DATASET_COLUMNS} from kb_datasets where tenant = ? and deleted = 0 order by created_at desc, id",  # noqa: S608 - as above
                tenant,
            )
        )
        return [dataset_of(row) for row in rows]

    async def embedding_models(self) -> frozenset[str]:
        """Of all tenants' datasets; "" where one has no vectors."""
        rows = await self._database.read(
            lambda connection: connection.all("select distinct embedding_model from kb_datasets where deleted = 0")
        )
        return frozenset(cast("str", row[0]) for row in rows)

    async def change_dataset(self, dataset: DatasetRecord) -> None:
        """Name, description and settings; what is embedded with which model stays. Raises ``AlreadyExists`` for a name that is taken."""
        changed = await self._database.write(
            lambda connection: connection.run(
                "update kb_datasets set name = ?, description = ?, settings = ?, updated_at = ? where tenant = ? and id = ? and deleted = 0",
                *(dataset.name, dataset.description, dataset.settings, self.now(), dataset.tenant, dataset.id),
            )
        )
        if not changed:
            raise no_dataset(dataset.id)

    async def mark_dataset_deleted(self, tenant: str, dataset: str) -> set[DocumentKey]:
        """It and its documents are seen no more. Those that somebody was at."""
        marks = ", ".join("?" * len(UNDER_WAY))

        def work(connection: Connection) -> set[DocumentKey]:
            _dataset(connection, tenant, dataset)
            rows = connection.all(
                f"select id from kb_documents where tenant = ? and dataset = ? and deleted = 0 and status in ({marks})",  # noqa: S608 - marks only
                *(tenant, dataset, *UNDER_WAY),
            )
            connection.run("update kb_datasets set deleted = 1 where tenant = ? and id = ?", tenant, dataset)
            connection.run("update kb_documents set deleted = 1 where tenant = ? and dataset = ?", tenant, dataset)
            return {DocumentKey(tenant, dataset, str(row[0])) for row in rows}

        return await self._database.write(work)

    async def purge_dataset(self, tenant: str, dataset: str) -> None:
        """Every trace of one that is marked, when all of its documents are purged."""

        def work(connection: Connection) -> None:
            gone = connection.run(
                "delete from kb_datasets where tenant = ? and id = ? and deleted = 1", tenant, dataset
            )
            if gone:
                connection.run("delete from kb_source_files where tenant = ? and dataset = ?", tenant, dataset)

        await self._database.write(work)

    async def add(self, tenant: str, dataset: str, new: NewDocument) -> Added:
        """On disk, and waiting, when this returns. One that failed before waits again."""
        digest = hashlib.sha256(new.data).hexdigest()
        made, now = str(uuid.uuid4()), self.now()
        rule = msgspec.json.encode(new.rule).decode()

        def work(connection: Connection) -> Added:
            _dataset(connection, tenant, dataset)
            row = connection.one(
                f"select {DOCUMENT_COLUMNS} from kb_documents where tenant = ? and dataset = ? and digest = ? and form = ? and rule = ? and (? = 0 or name = ?) and deleted = 0 order by position limit 1",  # noqa: S608 - columns are our own
                *(tenant, dataset, digest, new.form, rule, int(new.by_name), new.name),
            )
            if row is not None:
                known = document_of(row)
                if known.status == "error":
                    begin_again(connection, known.key)
                    known = _document(connection, known.key)
                return Added(known, True)
            _keep_file(connection, tenant, digest, new.data)
            last = connection.one(
                "select max(position) from kb_documents where tenant = ? and dataset = ?", tenant, dataset
            )
            position = int(last[0] or 0) + 1 if last is not None else 1
            connection.run(
                "insert into kb_documents (tenant, dataset, id, position, batch, name, mime, digest, size, form, language, rule, metadata, enabled, status, created_at) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 'waiting', ?)",
                *(tenant, dataset, made, position, new.batch or made, new.name, new.mime, digest, len(new.data)),
                *(new.form, new.language, rule, msgspec.json.encode(new.metadata).decode(), now),
            )
            return Added(_document(connection, DocumentKey(tenant, dataset, made)), False)

        return await self._database.write(work)

    async def replace(self, key: DocumentKey, new: NewDocument) -> DocumentRecord:
        """The same document of another file or rule, waiting; what it had is found until the new is indexed. Not while it is worked on."""
        digest = hashlib.sha256(new.data).hexdigest()

        def work(connection: Connection) -> DocumentRecord:
            old = _document(connection, key)
            _keep_file(connection, key.tenant, digest, new.data)
            connection.run(
                f"update kb_documents set name = ?, mime = ?, digest = ?, size = ?, form = ?, language = ?, rule = ?, batch = ? where {_KEY}",  # noqa: S608 - as above
                *(new.name, new.mime, digest, len(new.data), new.form, new.language),
                *(msgspec.json.encode(new.rule).decode(), new.batch or old.batch, *key),
            )
            begin_again(connection, key)
            drop_cut(connection, key)
            _drop_file(connection, key.tenant, old.digest)
            return _document(connection, key)

        return await self._database.write(work)

    async def document(self, key: DocumentKey) -> DocumentRecord:
        return await self._database.read(lambda connection: _document(connection, key))

    async def documents(self, tenant: str, dataset: str, *, batch: str | None = None) -> list[DocumentRecord]:
        """In the order in which they came; those of one ``batch`` where it is given."""

        def work(connection: Connection) -> list[DocumentRecord]:
            _dataset(connection, tenant, dataset)
            which, more = ("", ()) if batch is None else (" and batch = ?", (batch,))
            rows = connection.all(
                f"select {DOCUMENT_COLUMNS} from kb_documents where tenant = ? and dataset = ? and deleted = 0{which} order by position",  # noqa: S608 - as above
                *(tenant, dataset, *more),
            )
            return [document_of(row) for row in rows]

        return await self._database.read(work)

    async def describe(self, document: DocumentRecord) -> None:
        """Name, metadata and whether it is found; :meth:`described` when the index knows."""
        values = {
            "name": document.name,
            "metadata": msgspec.json.encode(document.metadata).decode(),
            "enabled": int(document.enabled),
            "archived": int(document.archived),
            "disabled_at": document.disabled_at,
            "updated_at": self.now(),
            "undescribed": 1,
        }
        await self.update(document.key, values)

    async def file(self, key: DocumentKey) -> bytes:
        def work(connection: Connection) -> bytes:
            digest = _document(connection, key).digest
            row = connection.one("select body from kb_files where tenant = ? and digest = ?", key.tenant, digest)
            assert row is not None  # noqa: S101 - written and deleted together with its documents
            return bytes(cast("bytes", row[0]))

        return await self._database.read(work)

    async def update(self, key: DocumentKey, values: Mapping[str, Value]) -> None:
        assignments = ", ".join(f"{column} = ?" for column in values)
        await self._database.write(
            lambda connection: connection.run(
                f"update kb_documents set {assignments} where {_KEY}",  # noqa: S608 - columns are our own
                *(*values.values(), *key),
            )
        )

    async def pause(self, key: DocumentKey) -> None:
        """Raises ``InvalidRequest`` for one that is through."""
        now = self.now()

        def work(connection: Connection) -> None:
            document = _document(connection, key)
            if document.status in ("completed", "error"):
                raise InvalidRequest("The document is not being indexed; there is nothing to pause.")
            connection.run(
                f"update kb_documents set status = 'paused', paused_at = ?, revision = revision + 1 where {_KEY}",  # noqa: S608 - as above
                *(now, *key),
            )

        await self._database.write(work)

    async def again(self, key: DocumentKey) -> None:
        """One that is paused or failed waits again, and goes on from what it has."""

        def work(connection: Connection) -> None:
            if _document(connection, key).status not in ("paused", "error"):
                raise InvalidRequest("The document is neither paused nor failed; there is nothing to resume.")
            begin_again(connection, key)

        await self._database.write(work)

    async def mark_deleted(self, key: DocumentKey) -> bool:
        """It is seen no more, and nobody begins to work on it. True where somebody was at it."""

        def work(connection: Connection) -> bool:
            under_way = _document(connection, key).status in UNDER_WAY
            connection.run(f"update kb_documents set deleted = 1 where {_KEY}", *key)  # noqa: S608 - as above
            return under_way

        return await self._database.write(work)

    async def marked(self) -> tuple[list[DocumentKey], list[tuple[str, str]]]:
        """Documents and datasets that are marked and not purged."""

        def work(connection: Connection) -> tuple[list[DocumentKey], list[tuple[str, str]]]:
            documents = connection.all("select tenant, dataset, id from kb_documents where deleted = 1")
            datasets = connection.all("select tenant, id from kb_datasets where deleted = 1")
            return (
                [DocumentKey(*cast("tuple[str, str, str]", row)) for row in documents],
                [cast("tuple[str, str]", row) for row in datasets],
            )

        return await self._database.read(work)

    async def purge(self, key: DocumentKey) -> None:
        """Every trace of a document that is marked, and of its file where no other has it."""

        def work(connection: Connection) -> None:
            row = connection.one(f"select digest from kb_documents where {_KEY} and deleted = 1", *key)  # noqa: S608 - as above
            if row is not None:
                drop_cut(connection, key)
                connection.run(f"delete from kb_documents where {_KEY}", *key)  # noqa: S608 - as above
                _drop_file(connection, key.tenant, str(row[0]))

        await self._database.write(work)


def no_dataset(dataset: str) -> NotFound:
    return NotFound(f"There is no knowledge base {dataset!r}.", param="dataset_id")


def _dataset(connection: Connection, tenant: str, dataset: str) -> DatasetRecord:
    row = connection.one(
        f"select {DATASET_COLUMNS} from kb_datasets where tenant = ? and id = ? and deleted = 0",  # noqa: S608 - columns are our own
        *(tenant, dataset),
    )
    if row is None:
        raise no_dataset(dataset)
    return dataset_of(row)


def _document(connection: Connection, key: DocumentKey) -> DocumentRecord:
    row = connection.one(f"select {DOCUMENT_COLUMNS} from kb_documents where {_KEY} and deleted = 0", *key)  # noqa: S608 - as above
    if row is None:
        raise NotFound(f"There is no document {key.document!r} in this knowledge base.", param="document_id")
    return document_of(row)


def begin_again(connection: Connection, key: DocumentKey) -> None:
    blank = ", ".join(f"{column} = null" for column in _LATER)
    connection.run(
        f"update kb_documents set status = 'waiting', error = null, revision = revision + 1, {blank} where {_KEY}",  # noqa: S608 - as above
        *key,
    )


def _keep_file(connection: Connection, tenant: str, digest: str, data: bytes) -> None:
    connection.run(
        "insert into kb_files (tenant, digest, body) values (?, ?, ?) on conflict (tenant, digest) do nothing",
        *(tenant, digest, data),
    )


def _drop_file(connection: Connection, tenant: str, digest: str) -> None:
    """Unless a document has it still."""
    connection.run(
        "delete from kb_files where tenant = ? and digest = ? and not exists (select 1 from kb_documents d where d.tenant = kb_files.tenant and d.digest = kb_files.digest)",
        *(tenant, digest),
    )
