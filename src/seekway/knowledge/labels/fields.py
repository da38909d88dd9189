"""Fields of metadata that a dataset's documents may have. A document keeps its values by the field's name."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final, Literal, cast, get_args

import msgspec

from seekway.core.errors import InvalidParameter, NotFound
from seekway.knowledge.index.conditions import MetadataValue
from seekway.storage.sql.database import Connection, Database

FieldKind = Literal["string", "number", "time"]
"""A ``time`` is seconds since 1970."""

FIELD_KINDS: Final[tuple[FieldKind, ...]] = get_args(FieldKind)
BUILT_IN: Final[dict[str, FieldKind]] = {
    "document_name": "string",
    "uploader": "string",
    "upload_date": "time",
    "last_update_date": "time",
    "source": "string",
}
"""Dify's, which the documents have by themselves where they are switched on."""


class Field(msgspec.Struct, frozen=True):
    """``used`` is the number of documents that have a value for it."""

    id: str
    name: str
    kind: FieldKind
    used: int = 0


class FieldBook:
    """Nothing of another tenant is seen. What names a field raises ``NotFound`` where the dataset has none such; a name that is taken raises ``AlreadyExists``."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def create(self, tenant: str, dataset: str, name: str, kind: FieldKind) -> Field:
        _check(name)
        made, now = str(uuid.uuid4()), self._clock()

        def work(connection: Connection) -> None:
            if not connection.one(
                "select 1 from kb_datasets where tenant = ? and id = ? and deleted = 0", tenant, dataset
            ):
                raise NotFound(f"There is no knowledge base {dataset!r}.", param="dataset_id")
            connection.run(
                "insert into kb_fields (tenant, dataset, id, name, kind, created_at) values (?, ?, ?, ?, ?, ?)",
                *(tenant, dataset, made, name, kind, now),
            )

        await self._database.write(work)
        return Field(made, name, kind)

    async def fields(self, tenant: str, dataset: str) -> list[Field]:
        """In the order in which they came."""

        def work(connection: Connection) -> list[Field]:
            rows = connection.all(
                "select id, name, kind from kb_fields where tenant = ? and dataset = ? order by created_at, id",
                *(tenant, dataset),
            )
            if not rows:
                return []
            used: dict[str, int] = {}
            for metadata in _all_metadata(connection, tenant, dataset).values():
                for name, value in metadata.items():
                    used[name] = used.get(name, 0) + (value is not None)
            found = cast("list[tuple[str, str, FieldKind]]", rows)
            return [Field(made, name, kind, used.get(name, 0)) for made, name, kind in found]

        return await self._database.read(work)

    async def rename(self, tenant: str, dataset: str, field: str, name: str) -> tuple[Field, list[str]]:
        """With its values; and which documents had one, of which the index is yet to hear."""
        _check(name)

        def work(connection: Connection) -> tuple[Field, list[str]]:
            old = _field(connection, tenant, dataset, field)
            connection.run(
                "update kb_fields set name = ? where tenant = ? and dataset = ? and id = ?",
                *(name, tenant, dataset, field),
            )
            changed = _move(connection, (tenant, dataset), old.name, name)
            return Field(field, name, old.kind, len(changed)), changed

        return await self._database.write(work)

    async def delete(self, tenant: str, dataset: str, field: str) -> list[str]:
        """With its values; which documents had one, as :meth:`rename`."""

        def work(connection: Connection) -> list[str]:
            old = _field(connection, tenant, dataset, field)
            connection.run("delete from kb_fields where tenant = ? and dataset = ? and id = ?", tenant, dataset, field)
            return _move(connection, (tenant, dataset), old.name, None)

        return await self._database.write(work)


def field_value(field: Field, value: object) -> MetadataValue:
    """As its kind is kept: numbers also from text that is one. Raises ``InvalidParameter``."""
    if value is None or value == "":
        return None
    if field.kind == "string":
        return value if isinstance(value, str) else str(value)
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value.strip())
        except msgspec.DecodeError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        what = "a number" if field.kind == "number" else "seconds since 1970, such as 1767225600"
        raise InvalidParameter(f"The metadata {field.name!r} is a {field.kind}; give {what}.", param="value")
    return value


def _check(name: str) -> None:
    if name in BUILT_IN:
        raise InvalidParameter(f"The name {name!r} is that of a built-in field; choose another.", param="name")


def _field(connection: Connection, tenant: str, dataset: str, field: str) -> Field:
    row = connection.one(
        "select id, name, kind from kb_fields where tenant = ? and dataset = ? and id = ?", tenant, dataset, field
    )
    if row is None:
        raise NotFound(f"There is no metadata field {field!r} in this knowledge base.", param="metadata_id")
    return Field(*cast("tuple[str, str, FieldKind]", row))


def _all_metadata(connection: Connection, tenant: str, dataset: str) -> dict[str, dict[str, MetadataValue]]:
    rows = connection.all(
        "select id, metadata from kb_documents where tenant = ? and dataset = ? and deleted = 0 and metadata <> '{}'",
        *(tenant, dataset),
    )
    return {document: msgspec.json.decode(text) for document, text in cast("list[tuple[str, str]]", rows)}


def _move(connection: Connection, where: tuple[str, str], old: str, new: str | None) -> list[str]:
    changed: list[str] = []
    for document, metadata in _all_metadata(connection, *where).items():
        if old not in metadata:
            continue
        value = metadata.pop(old)
        if new is not None:
            metadata[new] = value
        changed.append(document)
        connection.run(
            "update kb_documents set metadata = ?, undescribed = 1 where tenant = ? and dataset = ? and id = ?",
            *(msgspec.json.encode(metadata).decode(), *where, document),
        )
    return changed
