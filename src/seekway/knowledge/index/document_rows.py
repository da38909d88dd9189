"""A document's rows: written all at once, and taken away without a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

import msgspec
import numpy as np

from seekway.core.errors import InvalidParameter
from seekway.knowledge.index import full_text
from seekway.knowledge.index.passage_index import Dataset, Document
from seekway.knowledge.index.terms.analysis import keywords, terms
from seekway.knowledge.index.vectors import to_blob
from seekway.knowledge.passage import Passage, searched_texts
from seekway.knowledge.ports import Vectors
from seekway.storage.sql.database import Connection

KEYWORDS_OF_KEY: Final = 10
_UNIT: Final = 0.01


class PreparedKey(msgspec.Struct, frozen=True):
    """``body`` is None where it is the passage's own text."""

    body: str | None
    terms: str
    keywords: tuple[str, ...]
    vector: bytes | None


class PreparedPassage(msgspec.Struct, frozen=True):
    passage: Passage
    keys: tuple[PreparedKey, ...]


def prepare(passages: Sequence[Passage], vectors: Vectors | None) -> list[PreparedPassage]:
    """All that needs no database; seconds of a core for a long document, so not on the event loop."""
    blobs: Iterator[bytes | None] = iter(()) if vectors is None else map(to_blob, vectors)
    return [_prepared(passage, blobs) for passage in passages]


def _prepared(passage: Passage, blobs: Iterator[bytes | None]) -> PreparedPassage:
    given = tuple(chain.from_iterable(keywords(word, KEYWORDS_OF_KEY) for word in passage.keywords))
    return PreparedPassage(
        passage, tuple(_key(passage, text, next(blobs, None), given) for text in searched_texts(passage))
    )


def check(dataset: Dataset, passages: Sequence[Passage], vectors: Vectors | None) -> None:
    """Raises ``InvalidParameter``."""
    if len({passage.position for passage in passages}) < len(passages):
        raise InvalidParameter("Two passages have the same position; number them from 1 on.", param="position")
    if dataset.dimensions == 0:
        if vectors is not None:
            raise InvalidParameter("This dataset keeps no vectors; put the passages without any.", param="vectors")
        return
    wanted = (sum(len(searched_texts(passage)) for passage in passages), dataset.dimensions)
    if vectors is None or vectors.shape != wanted:
        given = "none" if vectors is None else f"{vectors.shape}"
        raise InvalidParameter(
            f"This dataset needs vectors of the shape {wanted}, one for each text that is searched, and was given {given}; "
            f"embed with {dataset.embedding_model}.",
            param="vectors",
        )
    lengths = np.linalg.norm(vectors, axis=1)
    if not bool(np.all(np.abs(lengths - 1.0) < _UNIT)):
        raise InvalidParameter("A vector is not of unit length; divide each by its length.", param="vectors")


def insert_document(connection: Connection, dataset: int, document: Document, now: int) -> int:
    row = connection.one(
        "insert into documents (dataset, id, name, enabled, metadata, created_at) values (?, ?, ?, ?, ?, ?) returning number",
        *(dataset, document.id, document.name, int(document.enabled)),
        *(msgspec.json.encode(document.metadata).decode(), now),
    )
    return _number(row)


def insert_passages(connection: Connection, dataset: int, document: int, passages: Sequence[PreparedPassage]) -> None:
    indexed: list[tuple[int, str]] = []
    vectors: list[tuple[int, int, int, int, bytes]] = []
    words: list[tuple[int, str, int]] = []
    for prepared in passages:
        passage = prepared.passage
        number = _number(
            connection.one(
                "insert into passages (document, position, body, first, past, answer, heading) values (?, ?, ?, ?, ?, ?, ?) returning number",
                *(
                    document,
                    passage.position,
                    passage.text,
                    passage.start,
                    passage.end,
                    passage.answer,
                    passage.heading,
                ),
            )
        )
        for key in prepared.keys:
            made = _number(
                connection.one("insert into keys (passage, body) values (?, ?) returning number", number, key.body)
            )
            indexed.append((made, key.terms))
            if key.vector is not None:
                vectors.append((made, dataset, document, number, key.vector))
            words += [(dataset, word, made) for word in key.keywords]
    full_text.insert(connection, dataset, indexed)
    connection.run_many("insert into vectors (key, dataset, document, passage, vector) values (?, ?, ?, ?, ?)", vectors)
    connection.run_many("insert into keywords (dataset, keyword, key) values (?, ?, ?)", words)
    total = _number(
        connection.one(
            "update datasets set searched = searched + ? where number = ? returning searched", len(indexed), dataset
        )
    )
    full_text.settle(connection, dataset, len(indexed), total)


def delete_document(connection: Connection, dataset: int, document: int) -> None:
    rows = connection.all(
        "select k.number from keys k join passages p on p.number = k.passage where p.document = ?", document
    )
    _unindex(connection, dataset, [_number(row) for row in rows])
    # The rest goes with it by its foreign keys.
    connection.run("delete from documents where number = ? and dataset = ?", document, dataset)


def delete_passages(connection: Connection, dataset: int, document: int, positions: Sequence[int]) -> None:
    """Those of these positions, as far as there are any."""
    wanted = msgspec.json.encode(positions).decode()
    rows = connection.all(
        "select k.number from keys k join passages p on p.number = k.passage "
        "where p.document = ? and p.position in (select value from json_each(?))",
        *(document, wanted),
    )
    _unindex(connection, dataset, [_number(row) for row in rows])
    connection.run(
        "delete from passages where document = ? and position in (select value from json_each(?))", document, wanted
    )


def _unindex(connection: Connection, dataset: int, keys: Sequence[int]) -> None:
    total = _number(connection.one("select searched from datasets where number = ?", dataset))
    full_text.delete(connection, dataset, keys, total)
    connection.run("update datasets set searched = searched - ? where number = ?", len(keys), dataset)


def _key(passage: Passage, text: str, vector: bytes | None, given: Sequence[str]) -> PreparedKey:
    # The titles above a text belong to what it is about, though they are not shown with it.
    found = chain(terms(passage.heading), terms(text), given) if passage.heading or given else terms(text)
    words = tuple(dict.fromkeys((*given, *keywords(text, KEYWORDS_OF_KEY))))
    return PreparedKey(text if passage.keys else None, " ".join(found), words, vector)


def _number(row: Sequence[object] | None) -> int:
    assert row is not None  # noqa: S101 - `returning` gives a row or raises
    number = row[0]
    assert isinstance(number, int)  # noqa: S101 - the column is an integer
    return number
