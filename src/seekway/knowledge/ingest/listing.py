"""Lists and sums of documents, and what is said once for all of them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final, Literal, cast, get_args

import msgspec

from seekway.core.errors import InvalidRequest
from seekway.knowledge.ingest.records import DOCUMENT_COLUMNS, DocumentKey, DocumentRecord, document_of
from seekway.knowledge.segments.segment_book import like
from seekway.storage.sql.database import Connection, Database, Value

Display = Literal["queuing", "indexing", "paused", "error", "available", "disabled", "archived"]
"""Dify's ``display_status``."""

DISPLAYS: Final[tuple[Display, ...]] = get_args(Display)
_SIGNING: Final = "select body from kb_secrets where name = ?"
_WHERE: Final[dict[Display, str]] = {
    "queuing": "status = 'waiting'",
    "indexing": "status in ('parsing', 'cleaning', 'splitting', 'indexing')",
    "paused": "status = 'paused'",
    "error": "status = 'error'",
    "available": "status = 'completed' and archived = 0 and enabled = 1",
    "disabled": "status = 'completed' and archived = 0 and enabled = 0",
    "archived": "status = 'completed' and archived = 1",
}


class DatasetFigures(msgspec.Struct, frozen=True):
    """``available`` documents are found by searches."""

    documents: int = 0
    available: int = 0
    characters: int = 0


class DocumentFigures(msgspec.Struct, frozen=True):
    """Of the segments as they are now."""

    segments: int = 0
    characters: int = 0
    tokens: int = 0
    hits: int = 0


def display_of(document: DocumentRecord) -> Display:
    match document.status:
        case "waiting":
            return "queuing"
        case "paused" | "error":
            return document.status
        case "completed":
            return "archived" if document.archived else "available" if document.enabled else "disabled"
        case _:
            return "indexing"


class Listing:
    """Nothing of another tenant is seen or counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        tenant: str,
        dataset: str,
        *,
        keyword: str = "",
        display: Display | None = None,
        page: int = 1,
        limit: int = 20,
    ) -> tuple[list[DocumentRecord], int]:
        """The newest first, and how many there are in all."""
        where, values = "tenant = ? and dataset = ? and deleted = 0", list[Value]((tenant, dataset))
        if keyword:
            where += " and lower(name) like ? escape '!'"
            values.append(like(keyword))
        if display is not None:
            where += f" and {_WHERE[display]}"

        def work(connection: Connection) -> tuple[list[DocumentRecord], int]:
            total = connection.one(f"select count(*) from kb_documents where {where}", *values)  # noqa: S608 - our own words
            rows = connection.all(
                f"select {DOCUMENT_COLUMNS} from kb_documents where {where} order by position desc limit ? offset ?",  # noqa: S608 - our own words
                *(*values, limit, (page - 1) * limit),
            )
            return [document_of(row) for row in rows], cast("int", total[0]) if total is not None else 0

        return await self._database.read(work)

    async def dataset_figures(self, tenant: str) -> dict[str, DatasetFigures]:
        """By dataset; one without documents is not among them."""
        rows = await self._database.read(
            lambda connection: connection.all(
                f"select dataset, count(*), sum(case when {_WHERE['available']} then 1 else 0 end), sum(characters) "  # noqa: S608 - our own words
                "from kb_documents where tenant = ? and deleted = 0 group by dataset",
                tenant,
            )
        )
        return {str(row[0]): DatasetFigures(*(int(value or 0) for value in row[1:])) for row in rows}

    async def document_figures(self, tenant: str, dataset: str, documents: Sequence[str]) -> dict[str, DocumentFigures]:
        """By document; one that is not indexed yet is not among them."""
        if not documents:
            return {}
        marks = ", ".join("?" * len(documents))
        rows = await self._database.read(
            lambda connection: connection.all(
                "select document, count(*), sum(length(content) + length(coalesce(answer, ''))), sum(tokens), sum(hits) from kb_segments "  # noqa: S608 - marks only
                f"where tenant = ? and dataset = ? and deleted = 0 and document in ({marks}) group by document",
                *(tenant, dataset, *documents),
            )
        )
        return {str(row[0]): DocumentFigures(*(int(value or 0) for value in row[1:])) for row in rows}

    async def undescribed(self) -> list[DocumentKey]:
        """Of all tenants, those of which the index may not know yet what is said of them."""
        rows = await self._database.read(
            lambda connection: connection.all(
                "select tenant, dataset, id from kb_documents where undescribed = 1 and deleted = 0"
            )
        )
        return [DocumentKey(*cast("tuple[str, str, str]", row)) for row in rows]

    async def described(self, document: DocumentRecord) -> None:
        """The index knows it as it is here. Where it was described again meanwhile, in whichever process, the index is to hear of it once more."""
        same = "name = ? and metadata = ? and enabled = ? and archived = ?"
        await self._database.write(
            lambda connection: connection.run(
                f"update kb_documents set undescribed = case when {same} then 0 else 1 end where tenant = ? and dataset = ? and id = ?",  # noqa: S608 - our own words
                *(document.name, msgspec.json.encode(document.metadata).decode()),
                *(int(document.enabled), int(document.archived), *document.key),
            )
        )

    async def embed_with(self, tenant: str, dataset: str, model: str, dimensions: int) -> None:
        """Another embedding model, or none; only while there is no document. Raises ``InvalidRequest``."""

        def work(connection: Connection) -> None:
            if connection.one(
                "select 1 from kb_documents where tenant = ? and dataset = ? and deleted = 0 limit 1", tenant, dataset
            ):
                raise InvalidRequest(
                    "The knowledge base has documents, which are indexed already; make another one, and add them there."
                )
            connection.run(
                "update kb_datasets set embedding_model = ?, dimensions = ? where tenant = ? and id = ? and deleted = 0",
                *(model, dimensions, tenant, dataset),
            )

        await self._database.write(work)

    async def secret(self, name: str) -> bytes:
        """256 random bits, the same for all who ask by this name."""
        known = await self._database.read(lambda connection: connection.one(_SIGNING, name))
        if known is not None:
            return bytes(cast("bytes", known[0]))
        made = secrets.token_bytes(32)

        def work(connection: Connection) -> bytes:
            connection.run(
                "insert into kb_secrets (name, body) values (?, ?) on conflict (name) do nothing", name, made
            )
            row = connection.one(_SIGNING, name)
            return bytes(cast("bytes", row[0])) if row is not None else made

        return await self._database.write(work)
