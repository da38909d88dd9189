"""Full text in SQLite's FTS5 (https://sqlite.org/fts5.html), a table for each dataset.

So a dataset's statistics, speed and score do not depend on what others hold, and dropping it drops its table.
The table keeps the terms as text beside its index, which a row needs to be taken out of the index to the last byte (``secure-delete``).

Common words cost most and say least: BM25 must visit every passage that holds any word.
So in a large dataset the query's rarest terms choose, as many as reach :data:`_VISITED` passages together, and the others only reorder what these found.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

import msgspec

from seekway.storage.sql.database import Connection

_VISITED: Final = 10_000
_REWRITTEN_FROM: Final = 300
"""More than one key in so many."""
_SETTLED_UP_TO: Final = 1_000
"""Keys; 10 ms at most."""
_GROWTH: Final = 1.25
_ALWAYS: Final = 2
_MOST_TERMS: Final = 64
_FREQUENCIES_KEPT: Final = 20_000
_REORDERED: Final = 100
_K1: Final = 1.2
_B: Final = 0.75
"""Both as in FTS5."""
_SATURATION: Final = _K1 + 1
"""What a term's weight grows to at most with its count."""


class Scored(NamedTuple):
    key: int
    score: float


def create_table(connection: Connection, dataset: int) -> None:
    connection.run(f"create virtual table passages_{dataset} using fts5(terms, tokenize = 'ascii')")
    connection.run(f"insert into passages_{dataset} (passages_{dataset}, rank) values ('secure-delete', 1)")  # noqa: S608 - our own number
    connection.run(f"create virtual table passages_{dataset}_terms using fts5vocab(passages_{dataset}, row)")


def drop_table(connection: Connection, dataset: int) -> None:
    connection.run(f"drop table passages_{dataset}_terms")
    connection.run(f"drop table passages_{dataset}")


def insert(connection: Connection, dataset: int, rows: Iterable[tuple[int, str]]) -> None:
    """Rows of key number and terms with spaces between."""
    connection.run_many(f"insert into passages_{dataset} (rowid, terms) values (?, ?)", rows)  # noqa: S608 - our own number


def settle(connection: Connection, dataset: int, added: int, total: int) -> None:
    """Write the index anew when ``added`` of now ``total`` keys call for it: some 10 µs a key.

    Each document is a piece of the index of its own at first, and a question must look into all pieces, for each of its terms:
    five times as long for a handbook of thirty documents. A large dataset is settled each time it has grown by a quarter.
    """
    if not added:
        return
    before = total - added
    if total <= _SETTLED_UP_TO or before <= 0 or int(math.log(total, _GROWTH)) > int(math.log(before, _GROWTH)):
        table = f"passages_{dataset}"
        connection.run(f"insert into {table} ({table}) values ('optimize')")  # noqa: S608 - our own number


def delete(connection: Connection, dataset: int, keys: Sequence[int], total: int) -> None:
    """Of ``total`` keys; nothing of them stays in the index.

    A few are taken out each from every term's list (some 3 ms a key); many are marked and the whole index written anew (some 10 µs for each key of the dataset).
    """
    rewritten = len(keys) * _REWRITTEN_FROM > total
    table = f"passages_{dataset}"
    secure = f"insert into {table} ({table}, rank) values ('secure-delete', ?)"  # noqa: S608 - our own number
    if rewritten:
        connection.run(secure, 0)
    connection.run_many(f"delete from {table} where rowid = ?", ((key,) for key in keys))  # noqa: S608 - our own number
    if rewritten:
        connection.run(f"insert into {table} ({table}) values ('optimize')")  # noqa: S608 - our own number
        connection.run(secure, 1)


class Frequencies:
    """In how many keys of each dataset a term stands; counted when first asked, and again when the dataset has grown or shrunk by a tenth."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, tuple[int, dict[str, int]]] = {}

    def of(self, connection: Connection, dataset: int, total: int, terms: Sequence[str]) -> list[int]:
        with self._lock:
            counted, known = self._known.get(dataset, (0, {}))
            if abs(total - counted) * 10 > counted or total < 1000 or len(known) > _FREQUENCIES_KEPT:
                known = {}
                self._known[dataset] = (total, known)
        for term in terms:
            if term not in known:
                row = connection.one(f"select doc from passages_{dataset}_terms where term = ?", term)  # noqa: S608 - our own number
                known[term] = int(row[0] or 0) if row else 0
        return [known[term] for term in terms]

    def forget(self, dataset: int) -> None:
        with self._lock:
            self._known.pop(dataset, None)


def search(
    connection: Connection,
    dataset: int,
    terms: Sequence[str],
    counts: Sequence[int],
    total: int,
    *,
    limit: int,
    documents: str | None,
) -> list[Scored]:
    """The best keys of a dataset of ``total`` keys, ``counts`` of which hold each term; ``documents`` is a JSON array of the only numbers allowed."""
    best = sum(_weight(total, count) * _SATURATION for count in counts)
    chosen = _chosen(terms, counts)
    if not chosen:
        return []
    left = {
        term: _weight(total, count) for term, count in zip(terms, counts, strict=True) if term not in chosen and count
    }
    match = " OR ".join(f'"{term}"' for term in chosen)
    table = f"passages_{dataset}"
    if documents is None:
        sql = f"select rowid, rank from {table} where {table} match ? order by rank limit ?"  # noqa: S608 - our own number
        rows = connection.all(sql, match, limit)
    else:
        sql = (
            f"select f.rowid, f.rank from {table} f join keys k on k.number = f.rowid join passages p on p.number = k.passage "  # noqa: S608 - our own number
            f"where f.{table} match ? and p.document in (select value from json_each(?)) order by f.rank limit ?"
        )
        rows = connection.all(sql, match, documents, limit)
    found = [(cast("int", key), -cast("float", rank)) for key, rank in rows]
    if left:
        found = _with_common_terms(connection, table, found, left)
    return [Scored(key, min(1.0, score / best)) for key, score in found]


def _with_common_terms(
    connection: Connection, table: str, found: list[tuple[int, float]], weights: dict[str, float]
) -> list[tuple[int, float]]:
    """The best in a new order, with what the terms that did not choose add to their BM25; the others follow."""
    best = dict(found[:_REORDERED])
    rows = connection.all(
        f"select rowid, terms from {table} where rowid in (select value from json_each(?))",  # noqa: S608 - our own number
        msgspec.json.encode(list(best)).decode(),
    )
    # Two spaces between, so that a term that stands twice in a row is counted twice; counting so is much quicker than over a list of terms.
    texts = [(cast("int", key), f" {cast('str', terms).replace(' ', '  ')} ") for key, terms in rows]
    lengths = [text.count("  ") + 1 for _, text in texts]
    mean = sum(lengths) / max(len(lengths), 1)
    for (key, text), length in zip(texts, lengths, strict=True):
        damping = _K1 * (1 - _B + _B * length / mean)
        for term, weight in weights.items():
            count = text.count(f" {term} ")
            best[key] += weight * count * _SATURATION / (count + damping)
    return [*sorted(best.items(), key=lambda one: -one[1]), *found[_REORDERED:]]


def _chosen(terms: Sequence[str], counts: Sequence[int]) -> list[str]:
    """The rarest that stand anywhere."""
    chosen: list[str] = []
    visited = 0
    for count, term in sorted(zip(counts, terms, strict=True)):
        if count == 0:
            continue
        visited += count
        if len(chosen) >= _MOST_TERMS or (len(chosen) >= _ALWAYS and visited > _VISITED):
            break
        chosen.append(term)
    return chosen


def _weight(total: int, count: int) -> float:
    """FTS5's: inverse document frequency, never quite nothing."""
    return max(math.log((total - count + 0.5) / (count + 0.5)) if count < total else 0.0, 1e-6)
