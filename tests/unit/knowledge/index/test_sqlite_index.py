"""What the SQLite index keeps in its file and in memory, and what it shares with other processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from seekway.core.errors import NotFound
from seekway.knowledge.index.passage_index import Dataset, Document, Scope
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.passage import Passage
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.unit.knowledge.index.filling import BOOK, TEXTS, all_ways, found_by, passages_of, put


def _stands_in(folder: Path, word: bytes) -> bool:
    return any(word in file.read_bytes() for file in folder.iterdir())


@pytest.fixture
async def filled(sqlite_index: SqlitePassageIndex, embedder: HashedEmbedder) -> SqlitePassageIndex:
    await sqlite_index.create("a", BOOK)
    await put(sqlite_index, embedder, "rules", *passages_of(*TEXTS))
    return sqlite_index


@pytest.mark.parametrize("others", [0, 700], ids=["many of few", "few of many"])
async def test_a_deleted_document_leaves_no_trace_in_memory_or_in_the_file(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, database: SqliteDatabase, tmp_path: Path, others: int
) -> None:
    await put(filled, embedder, "others", *passages_of(*(f"Nothing of it, {number}." for number in range(others))))
    await put(filled, embedder, "secret", *passages_of("Zanzibarium ist geheim " * 3, "zanzibarium again"))
    before = await database.read(lambda c: c.all("select * from vectors order by key"))
    await all_ways(filled, embedder, "a", "zanzibarium")
    held = filled.vectors_held
    await filled.delete("a", "book", "secret")
    for found in await all_ways(filled, embedder, "a", "zanzibarium"):
        assert not [text for text in found if "anzib" in text]
    assert filled.vectors_held == held - 2
    with pytest.raises(NotFound):
        await filled.passages("a", "book", "secret")
    assert await database.read(lambda c: c.one("select count(*) from passages_1_terms where term like 'zanzib%'")) == (0,)  # fmt: skip
    assert await database.read(lambda c: c.one("select count(*) from vectors")) == (len(before) - 2,)
    await database.close()
    assert not await asyncio.to_thread(_stands_in, tmp_path, b"anzibarium")


async def test_a_dropped_dataset_leaves_no_rows(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, database: SqliteDatabase
) -> None:
    await all_ways(filled, embedder, "a", "退款")
    await filled.drop("a", "book")
    assert filled.vector_bytes == 0
    for table in ("datasets", "documents", "passages", "keys", "vectors", "keywords"):
        rows = await database.read(lambda c, t=table: c.one(f"select count(*) from {t}"))  # noqa: S608 - from the line above
        assert rows == (0,)
    assert await database.read(lambda c: c.one("select count(*) from sqlite_master where name like 'passages_1%'")) == (
        0,
    )
    await filled.create("a", BOOK)
    assert await all_ways(filled, embedder, "a", "退款") == [[], [], []]


async def test_a_dataset_that_exceeds_the_memory_is_searched_all_the_same(
    filled: SqlitePassageIndex, database: SqliteDatabase, embedder: HashedEmbedder
) -> None:
    small = SqlitePassageIndex(database, vector_bytes=1)
    wide = await filled.by_vector("a", Scope(("book",), 3), embedder.vector("退款"))
    assert await small.by_vector("a", Scope(("book",), 3), embedder.vector("退款")) == wide
    assert small.vector_bytes == 0


async def test_another_process_changes_are_seen(
    filled: SqlitePassageIndex, database: SqliteDatabase, embedder: HashedEmbedder
) -> None:
    other = SqlitePassageIndex(database)
    await all_ways(other, embedder, "a", "退款")
    await put(filled, embedder, "news", *passages_of("会员积分规则"))
    assert (await all_ways(other, embedder, "a", "积分规则"))[2][0] == "会员积分规则"
    await filled.delete("a", "book", "news")
    assert "会员积分规则" not in (await all_ways(other, embedder, "a", "积分规则"))[2]


async def test_words_too_common_to_choose_still_order_what_the_rare_ones_chose(
    sqlite_index: SqlitePassageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_index.create("a", Dataset("plain", "Plain"))
    filler = [
        f"common words number {number}" if number < 30 else f"quite other things {number}" for number in range(100)
    ]
    texts = ["rare thing alone here", "rare thing common words", "rare thing and words", *filler]
    await sqlite_index.put("a", "plain", Document("p", "p"), passages_of(*texts))
    scope = Scope(("plain",), 3)
    everything = await sqlite_index.by_full_text("a", scope, "rare thing common words")
    monkeypatch.setattr("seekway.knowledge.index.full_text._VISITED", 6)
    assert [hit.passage for hit in await sqlite_index.by_full_text("a", scope, "rare thing common words")] == [
        hit.passage for hit in everything
    ]
    assert await found_by(sqlite_index, "a", everything[:1]) == ["rare thing common words"]


async def test_what_another_process_wrote_and_deleted_is_seen(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, tmp_path: Path
) -> None:
    """The other's vectors stand in this one's memory, more of them than candidates are read."""
    many = [Passage(k, f"退款说明 {k}", 0, 9) for k in range(1, 900)]
    await put(filled, embedder, "many", *many)
    asked = embedder.vector("退款说明 77")
    database = SqliteDatabase(tmp_path / "knowledge.db", prepare=prepare_connection)
    try:
        other = SqlitePassageIndex(database)
        assert len(await other.by_vector("a", Scope(("book",), 100), asked)) == 100
        await filled.delete("a", "book", "many")
        found = await found_by(other, "a", await other.by_vector("a", Scope(("book",), 100), asked))
        assert sorted(found) == sorted(
            await found_by(filled, "a", await filled.by_vector("a", Scope(("book",), 100), asked))
        )
        assert found
        assert other.vectors_held == filled.vectors_held
        await put(filled, embedder, "later", Passage(1, "退款说明 77", 0, 9))
        (best, *_) = await found_by(other, "a", await other.by_vector("a", Scope(("book",), 100), asked))
        assert best == "退款说明 77"
    finally:
        await database.close()
