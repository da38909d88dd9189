"""Searches in a dataset's table, and what their hits mean."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Final

import msgspec

from seekway.core.errors import InvalidParameter
from seekway.knowledge.index.lance.catalog import WORDS, Entry
from seekway.knowledge.index.lance.packages import Record
from seekway.knowledge.index.lance.rows import (
    DOCUMENT_COLUMNS,
    DOCUMENTS,
    KEY_COLUMNS,
    PASSAGE_COLUMNS,
    PASSAGES,
    SEARCHED,
    Kept,
    read_kept,
    read_passage,
)
from seekway.knowledge.index.lance.tables import Snapshot, numbers, text
from seekway.knowledge.index.passage_index import Dataset, Document, Found, Hit, MatchedKey, Scope
from seekway.knowledge.passage import Passage
from seekway.knowledge.ports import Vectors

_KEYS_OF_PASSAGE: Final = 8
"""As in the SQLite index: several keys may be one passage's."""
_MATCHED_KEPT: Final = 8
_MOST_TERMS: Final = 64
_FEW: Final = 1000
_FREQUENCIES_KEPT: Final = 20_000
_MOST_OF_TERM: Final = 2.2
"""What Lance's BM25 gives a term at most, times its weight: k1 is 1.2."""


class _State(msgspec.Struct):
    """What is known of one version of a table; ``frequencies`` may be those of a version with a tenth less or more, of ``counted_at`` searched texts."""

    version: int
    searched: int
    documents: list[Kept]
    counted_at: int
    frequencies: dict[str, int]


class Loaded(msgspec.Struct, frozen=True):
    dataset: Dataset | None
    document: Document
    passage: Passage

    def of(self, dataset: Dataset) -> Loaded:
        return msgspec.structs.replace(self, dataset=dataset)

    def found(self, hit: Hit) -> Found | None:
        if self.dataset is None:
            return None
        keys = self.passage.keys
        matched = tuple(keys[one.key] if 0 <= one.key < len(keys) else self.passage.text for one in hit.matched)
        return Found(self.dataset, self.document, self.passage, matched)


class Searches:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}

    def forget(self, table: str) -> None:
        with self._lock:
            self._states.pop(table, None)

    def by_keyword(self, entry: Entry, snapshot: Snapshot, scope: Scope, asked: Sequence[str], most: int) -> list[Hit]:
        where = _allowed(self._state(entry, snapshot), scope)
        if where == _NOTHING:
            return []
        words = ", ".join(map(text, asked))
        records = snapshot.rows((*KEY_COLUMNS, "keywords"), _both(f"array_has_any(keywords, [{words}])", where))
        wanted = set(asked)
        scored = [(record, min(1.0, len(wanted.intersection(record["keywords"])) / most)) for record in records]
        return _hits(entry, scored, scope.limit)

    def by_full_text(self, entry: Entry, snapshot: Snapshot, scope: Scope, terms: Sequence[str]) -> list[Hit]:
        state = self._state(entry, snapshot)
        where = _allowed(state, scope)
        counts = self._counts(state, snapshot, terms)
        # A term that stands nowhere weighs most, so that the score tells how much of the question was met.
        best = sum(_weight(state.searched, count) * _MOST_OF_TERM for count in counts.values())
        # The rarest say most.
        known = [term for term in terms if counts[term] or state.searched >= _FEW]
        chosen = sorted(known, key=lambda term: counts[term])[:_MOST_TERMS]
        if where == _NOTHING or not chosen:
            return []
        records = snapshot.with_words(WORDS, chosen, scope.limit * _KEYS_OF_PASSAGE, KEY_COLUMNS, where)
        return _hits(entry, [(record, min(1.0, record["_score"] / best)) for record in records], scope.limit)

    def by_vector(self, entry: Entry, snapshot: Snapshot, scope: Scope, vector: Vectors) -> list[Hit]:
        if vector.shape != (entry.dataset.dimensions,):
            raise InvalidParameter(
                f"The dataset {entry.dataset.id} has vectors of {entry.dataset.dimensions} dimensions, and the query's has {vector.shape[0]}; "
                "embed it with the dataset's model, or search by full text.",
                param="embedding_model",
            )
        where = _allowed(self._state(entry, snapshot), scope)
        if where == _NOTHING:
            return []
        records = snapshot.near("vector", vector, scope.limit * _KEYS_OF_PASSAGE, KEY_COLUMNS, where)
        scored = [(record, min(1.0, max(0.0, 1.0 - record["_distance"]))) for record in records]
        return _hits(entry, scored, scope.limit)

    def _state(self, entry: Entry, snapshot: Snapshot) -> _State:
        with self._lock:
            before = self._states.get(entry.table)
        if before is not None and before.version == snapshot.version:
            return before
        documents = [read_kept(record) for record in snapshot.rows(DOCUMENT_COLUMNS, DOCUMENTS)]
        searched = snapshot.count(SEARCHED)
        counted_at, frequencies = searched, dict[str, int]()
        if before is not None and _alike(searched, before.counted_at) and len(before.frequencies) < _FREQUENCIES_KEPT:
            counted_at, frequencies = before.counted_at, before.frequencies
        state = _State(snapshot.version, searched, documents, counted_at, frequencies)
        with self._lock:
            self._states[entry.table] = state
        return state

    def _counts(self, state: _State, snapshot: Snapshot, terms: Sequence[str]) -> dict[str, int]:
        """In how many rows each stands."""
        known = state.frequencies
        for term in terms:
            if term not in known:
                known[term] = _count(state, snapshot, term)
        return {term: known[term] for term in terms}


def _count(state: _State, snapshot: Snapshot, term: str) -> int:
    if state.searched >= _FEW:
        # The few that are not indexed yet hardly matter.
        return snapshot.indexed_with(WORDS, term, state.searched)
    return len(snapshot.with_words(WORDS, (term,), max(1, state.searched), (), None))


def _alike(now: int, before: int) -> bool:
    return min(now, before) >= _FEW and abs(now - before) * 10 <= before


def loaded(snapshot: Snapshot, passages: Sequence[int]) -> dict[int, Loaded]:
    records = snapshot.rows(PASSAGE_COLUMNS, f"{numbers('passage', passages)} and {PASSAGES}")
    owners = list({record["owner"] for record in records})
    kept = map(read_kept, snapshot.rows(DOCUMENT_COLUMNS, f"{numbers('owner', owners)} and {DOCUMENTS}"))
    documents = {one.owner: one.document for one in kept}
    return {
        record["passage"]: Loaded(None, documents[record["owner"]], read_passage(record))
        for record in records
        if record["owner"] in documents
    }


_NOTHING: Final = "false"


def _allowed(state: _State, scope: Scope) -> str | None:
    """What rows of documents that may be found meet, as SQL; None where all do."""
    conditions = scope.conditions
    met = {one.owner for one in state.documents if one.document.enabled and conditions.met(one.document.metadata)}
    others = [one.owner for one in state.documents if one.owner not in met]
    if not others:
        return None
    if len(met) <= len(others):
        return numbers("owner", sorted(met))
    return f"not ({numbers('owner', others)})"


def _both(one: str, other: str | None) -> str:
    return one if other is None else f"{one} and {other}"


def _hits(entry: Entry, scored: Sequence[tuple[Record, float]], limit: int) -> list[Hit]:
    """A passage is as good as its best key, and stands once."""
    keys: dict[int, list[MatchedKey]] = {}
    for record, score in sorted(scored, key=lambda one: -one[1]):
        keys.setdefault(record["passage"], []).append(MatchedKey(record["key"], score))
    hits = [Hit(entry.dataset.id, number, met[0].score, tuple(met[:_MATCHED_KEPT])) for number, met in keys.items()]
    return hits[:limit]


def _weight(total: int, count: int) -> float:
    """Lance's: inverse document frequency."""
    return math.log(1 + (total - count + 0.5) / (count + 0.5)) if count <= total else 0.0
