"""The rows of a dataset's table: one for each document, each passage and each further text by which a passage is searched.

A put writes its rows under a number of its own, ``owner``; ``document`` is the document's id.
A passage's own row has the first of its texts, too, so that most passages are one row.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from seekway.knowledge.index.conditions import MetadataValue
from seekway.knowledge.index.document_rows import PreparedPassage
from seekway.knowledge.index.lance.packages import Column, Columns, Record, Value
from seekway.knowledge.index.passage_index import Document
from seekway.knowledge.passage import Passage

Row = Mapping[str, Value]

DOCUMENT_COLUMNS: Final = ("document", "owner", "created", "name", "metadata", "enabled")
PASSAGE_COLUMNS: Final = ("owner", "passage", "position", "body", "first", "past", "answer", "heading", "keys")
KEY_COLUMNS: Final = ("passage", "key")
IDENTITY: Final = ("owner", "passage", "key")
"""What no two rows have in common."""

DOCUMENTS: Final = "created is not null"
PASSAGES: Final = "first is not null"
SEARCHED: Final = "position is not null"
"""Columns of numbers tell rows apart, since those of texts take long to read."""
_COLUMNS: Final = {
    "document": Column("string"),
    "owner": Column("int64"),
    # A document's.
    "created": Column("int64"),
    "name": Column("string"),
    "metadata": Column("string"),
    "enabled": Column("bool"),
    # A passage's; its keys are its own texts in place of the body.
    "passage": Column("int64"),
    "position": Column("int64"),
    "body": Column("string"),
    "first": Column("int64"),
    "past": Column("int64"),
    "answer": Column("string"),
    "heading": Column("string"),
    "keys": Column("strings"),
    # A searched text's: its place among the passage's, its words with spaces between, and its keywords.
    "key": Column("int64"),
    "terms": Column("string"),
    "keywords": Column("strings"),
}
_METADATA: Final = msgspec.json.Decoder(dict[str, MetadataValue])


class Kept(msgspec.Struct, frozen=True):
    """A document with the number its rows go under."""

    document: Document
    owner: int
    created: int


def columns_of(dimensions: int) -> Columns:
    return _COLUMNS | {"vector": Column("vector", dimensions)} if dimensions else _COLUMNS


def encoded_metadata(document: Document) -> str:
    return msgspec.json.encode(document.metadata).decode()


def document_row(kept: Kept) -> Row:
    return {
        "document": kept.document.id,
        "owner": kept.owner,
        "created": kept.created,
        "name": kept.document.name,
        "metadata": encoded_metadata(kept.document),
        "enabled": kept.document.enabled,
        # Not null, since rows are told apart by them.
        "passage": 0,
        "key": 0,
    }


def passage_rows(document: str, owner: int, passages: Sequence[PreparedPassage]) -> list[Row]:
    rows: list[Row] = []
    for prepared in passages:
        passage = prepared.passage
        number = secrets.randbits(62)
        shown: Row = {
            "body": passage.text,
            "first": passage.start,
            "past": passage.end,
            "answer": passage.answer,
            "heading": passage.heading,
            "keys": passage.keys,
        }
        for key, one in enumerate(prepared.keys):
            searched: Row = {
                "document": document,
                "owner": owner,
                "passage": number,
                "position": passage.position,
                "key": key,
                "terms": one.terms,
                "keywords": one.keywords,
                "vector": one.vector,
            }
            rows.append(searched if key else {**shown, **searched})
    return rows


def read_kept(record: Record) -> Kept:
    document = Document(
        record["document"], record["name"], _METADATA.decode(record["metadata"]), enabled=record["enabled"]
    )
    return Kept(document, record["owner"], record["created"])


def read_passage(record: Record) -> Passage:
    shown = (record["position"], record["body"], record["first"], record["past"])
    return Passage(*shown, tuple(record["keys"] or ()), record["answer"], record["heading"])
