"""What is read of documents and passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from seekway.core.errors import NotFound
from seekway.knowledge.index.conditions import Conditions, MetadataValue
from seekway.knowledge.index.passage_index import Dataset, Document, Found, Hit
from seekway.knowledge.passage import Passage
from seekway.storage.sql.database import Connection, Row

_METADATA = msgspec.json.Decoder(dict[str, MetadataValue])


def no_document(document: str) -> NotFound:
    return NotFound(f"There is no document {document!r} in this knowledge base.", param="document_id")


def document_number(connection: Connection, dataset: int, document: str) -> int:
    """Raises ``NotFound``."""
    row = connection.one("select number from documents where dataset = ? and id = ?", dataset, document)
    if row is None:
        raise no_document(document)
    return cast("int", row[0])


def documents(connection: Connection, dataset: int) -> list[Document]:
    rows = connection.all(
        "select id, name, metadata, enabled from documents where dataset = ? order by created_at, number", dataset
    )
    return [_document(row) for row in rows]


def passages(connection: Connection, document: int) -> list[Passage]:
    keys: dict[int, list[str]] = {}
    texts = connection.all(
        "select k.passage, k.body from keys k join passages p on p.number = k.passage where p.document = ? and k.body is not null order by k.number",
        document,
    )
    for passage, body in cast("list[tuple[int, str]]", texts):
        keys.setdefault(passage, []).append(body)
    rows = connection.all(
        "select number, position, body, first, past, answer, heading from passages where document = ? order by position",
        document,
    )
    return [_passage(row[1:], keys.get(cast("int", row[0]), ())) for row in rows]


def allowed_documents(connection: Connection, dataset: int, conditions: Conditions) -> tuple[int, ...] | None:
    """Numbers of those that may be found; None where all may."""
    if not conditions.conditions:
        if connection.one("select 1 from documents where dataset = ? and enabled = 0 limit 1", dataset) is None:
            return None
        rows = connection.all("select number from documents where dataset = ? and enabled = 1", dataset)
        return tuple(cast("int", row[0]) for row in rows)
    rows = connection.all("select number, metadata from documents where dataset = ? and enabled = 1", dataset)
    return tuple(
        number for number, metadata in cast("list[tuple[int, str]]", rows) if conditions.met(_METADATA.decode(metadata))
    )


def passages_of_keys(connection: Connection, keys: Sequence[int]) -> dict[int, int]:
    rows = connection.all(
        "select number, passage from keys where number in (select value from json_each(?))",
        msgspec.json.encode(keys).decode(),
    )
    return dict(cast("list[tuple[int, int]]", rows))


def found(connection: Connection, tenant: str, hits: Sequence[Hit]) -> list[Found | None]:
    """Only of the tenant's own datasets, whatever the hits say."""
    numbers = msgspec.json.encode([hit.passage for hit in hits]).decode()
    rows = connection.all(
        "select p.number, s.id, s.name, s.embedding_model, s.dimensions, d.id, d.name, d.metadata, d.enabled, "
        "p.position, p.body, p.first, p.past, p.answer, p.heading "
        "from passages p join documents d on d.number = p.document join datasets s on s.number = d.dataset "
        "where p.number in (select value from json_each(?)) and s.tenant = ?",
        *(numbers, tenant),
    )
    known = {cast("int", row[0]): row for row in rows}
    bodies = connection.all(
        "select number, passage, body from keys where passage in (select value from json_each(?)) and body is not null order by number",
        msgspec.json.encode(list(known)).decode(),
    )
    keys: dict[int, dict[int, str]] = {}
    for key, passage, body in cast("list[tuple[int, int, str]]", bodies):
        keys.setdefault(passage, {})[key] = body
    return [_found(hit, known.get(hit.passage), keys.get(hit.passage, {})) for hit in hits]


def _found(hit: Hit, row: Row | None, keys: dict[int, str]) -> Found | None:
    if row is None or row[1] != hit.dataset:
        return None
    dataset = Dataset(*cast("tuple[str, str, str, int]", row[1:5]))
    passage = _passage(row[9:], tuple(keys.values()))
    matched = tuple(keys.get(one.key, passage.text) for one in hit.matched)
    return Found(dataset, _document(row[5:9]), passage, matched)


def _document(row: Row) -> Document:
    name, label, metadata, enabled = cast("tuple[str, str, str, int]", row)
    return Document(name, label, _METADATA.decode(metadata), bool(enabled))


def _passage(row: Row, keys: Sequence[str]) -> Passage:
    position, text, start, end, answer, heading = cast("tuple[int, str, int, int, str | None, str]", row)
    return Passage(position, text, start, end, tuple(keys), answer, heading)
