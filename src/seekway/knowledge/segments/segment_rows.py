"""Statements about segments and their children, within a transaction of whoever asks."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Final, cast

import msgspec

from seekway.core.errors import InvalidRequest, NotFound
from seekway.knowledge.ingest.records import UNDER_WAY, DocumentKey
from seekway.knowledge.passage import Passage
from seekway.knowledge.segments.records import (
    CHILD_COLUMNS,
    SEGMENT_COLUMNS,
    Child,
    NewSegment,
    Segment,
    child_of,
    segment_of,
    tokens_of,
)
from seekway.storage.sql.database import Connection, Row, Value

OF_DOCUMENT: Final = "tenant = ? and dataset = ? and document = ?"
LOST: Final = -2
"""In place of the revision that the index has of a segment: it has none, and nobody is telling it."""
_MANY: Final = 500
"""Segments whose children are asked for at once; SQLite takes some ten thousand parameters."""


def write_passages(connection: Connection, place: DocumentKey, passages: Sequence[Passage], now: int) -> None:
    """All of a document that is indexed, in place of what it had."""
    connection.run(f"delete from kb_segments where {OF_DOCUMENT}", *place)  # noqa: S608 - our own words
    for passage in passages:
        new = NewSegment(passage.text, passage.answer, passage.keywords, passage.keys)
        insert(connection, place, new, passage, now)


def insert(
    connection: Connection, place: DocumentKey, new: NewSegment, where: Passage, now: int, *, settled: int = 0
) -> str:
    """``settled`` -1 where the index does not have it yet."""
    made = str(uuid.uuid4())
    connection.run(
        "insert into kb_segments (tenant, dataset, document, id, position, content, answer, heading, first, past, keywords, tokens, settled, created_at, updated_at, completed_at) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(*place, made, where.position, new.content, new.answer, where.heading, where.start, where.end),
        *(as_json(new.keywords), tokens_of(new.content, new.answer), settled, now, now, now if settled == 0 else None),
    )
    insert_children(connection, place, made, new.children, now)
    return made


def insert_children(
    connection: Connection,
    place: DocumentKey,
    segment: str,
    contents: Iterable[str],
    now: int,
    *,
    after: int = 0,
    custom: bool = False,
) -> list[str]:
    rows: list[tuple[Value, ...]] = [
        (*place, segment, str(uuid.uuid4()), position, content, int(custom), now, now)
        for position, content in enumerate(contents, after + 1)
    ]
    connection.run_many(
        "insert into kb_children (tenant, dataset, document, segment, id, position, content, custom, created_at, updated_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    return [str(row[4]) for row in rows]


def segment(connection: Connection, place: DocumentKey, name: str) -> Segment:
    """Raises ``NotFound``."""
    row = connection.one(
        f"select {SEGMENT_COLUMNS} from kb_segments where {OF_DOCUMENT} and id = ? and deleted = 0",  # noqa: S608 - our own words
        *(*place, name),
    )
    if row is None:
        raise NotFound(f"There is no segment {name!r} in this document.", param="segment_id")
    return with_children(connection, place, [row])[0]


def with_children(connection: Connection, place: DocumentKey, rows: Sequence[Row]) -> list[Segment]:
    children: dict[str, list[Child]] = {}
    for first in range(0, len(rows), _MANY):
        names = [str(row[0]) for row in rows[first : first + _MANY]]
        marks = ", ".join("?" * len(names))
        found = connection.all(
            f"select segment, {CHILD_COLUMNS} from kb_children where {OF_DOCUMENT} and segment in ({marks}) order by position",  # noqa: S608 - our own words
            *(*place, *names),
        )
        for row in found:
            children.setdefault(str(row[0]), []).append(child_of(row[1:]))
    return [segment_of(row, children.get(str(row[0]), ())) for row in rows]


def must_be_whole(connection: Connection, place: DocumentKey) -> None:
    """Raises ``NotFound`` where there is no such document, ``InvalidRequest`` while it is not indexed."""
    row = connection.one(
        "select status from kb_documents where tenant = ? and dataset = ? and id = ? and deleted = 0", *place
    )
    if row is None:
        raise NotFound(f"There is no document {place.document!r} in this knowledge base.", param="document_id")
    if row[0] != "completed":
        raise InvalidRequest("The document is not indexed yet; change its segments when it is completed.")


def index_again(connection: Connection, place: DocumentKey, *, whole: bool) -> bool:
    """A document that is being indexed waits again, with ``whole`` also one that is indexed. Whether it was so."""
    statuses = (*UNDER_WAY, "completed") if whole else UNDER_WAY
    marks = ", ".join("?" * len(statuses))
    changed = connection.run(
        "update kb_documents set status = 'waiting', revision = revision + 1 where tenant = ? and dataset = ? and id = ? "  # noqa: S608 - marks only
        f"and deleted = 0 and status in ({marks})",
        *(*place, *statuses),
    )
    return changed > 0


def next_revision(connection: Connection, place: DocumentKey, name: str, values: dict[str, Value]) -> None:
    assignments = "".join(f", {column} = ?" for column in values)
    connection.run(
        f"update kb_segments set revision = revision + 1{assignments} where {OF_DOCUMENT} and id = ?",  # noqa: S608 - our own words
        *(*values.values(), *place, name),
    )


def count_segments(connection: Connection, place: DocumentKey, more: int) -> None:
    connection.run(
        "update kb_documents set segments = segments + ?, segments_done = segments_done + ? where tenant = ? and dataset = ? and id = ?",
        *(more, more, *place),
    )


def last_position(connection: Connection, place: DocumentKey) -> int:
    row = connection.one(f"select max(position) from kb_segments where {OF_DOCUMENT}", *place)  # noqa: S608 - our own words
    return cast("int", row[0] or 0) if row is not None else 0


def as_json(words: Sequence[str]) -> str:
    return msgspec.json.encode(words).decode()
