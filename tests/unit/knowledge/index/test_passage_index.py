"""What an index promises of the documents it was given."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from seekway.core.errors import AlreadyExists, InvalidParameter, NotFound
from seekway.knowledge.index.conditions import Condition, Conditions
from seekway.knowledge.index.passage_index import Dataset, Document, Hit, MatchedKey, Scope
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.passage import Passage, searched_texts
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder

_BOOK = Dataset("book", "Handbook", "hashed", 64)
_TEXTS = ("退款在七天内原路退回。", "Parcels are delivered within three days.", "保修期为两年，凭发票办理。")


def _passages(*texts: str) -> list[Passage]:
    return [Passage(k, text, 0, len(text)) for k, text in enumerate(texts, 1)]


async def _put(
    index: SqlitePassageIndex,
    embedder: HashedEmbedder,
    name: str,
    *passages: Passage,
    tenant: str = "a",
    document: Document | None = None,
) -> None:
    vectors = await embedder.embed([text for passage in passages for text in searched_texts(passage)], "passage")
    await index.put(tenant, "book", document or Document(name, f"{name}.md"), passages, vectors)


async def _found(index: SqlitePassageIndex, tenant: str, hits: list[Hit]) -> list[str]:
    return [one.passage.text for one in await index.load(tenant, hits) if one is not None]


async def _all_ways(
    index: SqlitePassageIndex, embedder: HashedEmbedder, tenant: str, query: str, scope: Scope | None = None
) -> list[list[str]]:
    scope = scope or Scope(("book",), 5)
    return [
        await _found(index, tenant, await index.by_keyword(tenant, scope, query)),
        await _found(index, tenant, await index.by_full_text(tenant, scope, query)),
        await _found(index, tenant, await index.by_vector(tenant, scope, embedder.vector(query))),
    ]


def _stands_in(folder: Path, word: bytes) -> bool:
    return any(word in file.read_bytes() for file in folder.iterdir())


@pytest.fixture
async def filled(index: SqlitePassageIndex, embedder: HashedEmbedder) -> SqlitePassageIndex:
    await index.create("a", _BOOK)
    await _put(index, embedder, "rules", *_passages(*_TEXTS))
    return index


@pytest.mark.parametrize(("query", "place"), [("退款", 0), ("delivered parcel", 1), ("保修 發票", 2)])
async def test_each_method_finds_the_passage(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, query: str, place: int
) -> None:
    for found in await _all_ways(filled, embedder, "a", query):
        assert found[0] == _TEXTS[place]


async def test_scores_go_from_0_to_1_and_down(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    scope = Scope(("book",), 5)
    for hits in (
        await filled.by_keyword("a", scope, "退款 delivered 保修"),
        await filled.by_full_text("a", scope, "退款 delivered 保修"),
        await filled.by_vector("a", scope, embedder.vector(_TEXTS[0])),
    ):
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)


async def test_the_text_itself_has_a_cosine_of_1(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    hits = await filled.by_vector("a", Scope(("book",), 1), embedder.vector(_TEXTS[1]))
    assert hits[0].score == pytest.approx(1.0, abs=0.002)


async def test_tenants_never_see_each_others(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    await filled.create("b", Dataset("book", "Handbook", "hashed", 64))
    await _put(filled, embedder, "rules", *_passages("乙方的秘密退款条款"), tenant="b")
    for tenant, ours in (("a", _TEXTS[0]), ("b", "乙方的秘密退款条款")):
        for found in await _all_ways(filled, embedder, tenant, "退款"):
            assert found[0] == ours
            assert not {"a": {"乙方的秘密退款条款"}, "b": set(_TEXTS)}[tenant] & set(found)


async def test_another_tenants_dataset_is_not_there(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    stolen = await filled.by_full_text("a", Scope(("book",), 1), "退款")
    scope = Scope(("book",), 3)
    for attempt in (
        filled.dataset("b", "book"),
        filled.by_keyword("b", scope, "退款"),
        filled.by_full_text("b", scope, "退款"),
        filled.by_vector("b", scope, embedder.vector("退款")),
        filled.documents("b", "book"),
        filled.passages("b", "book", "rules"),
        filled.put("b", "book", Document("rules", "x"), [], np.empty((0, 64), np.float32)),
        filled.change("b", "book", Document("rules", "x")),
        filled.delete("b", "book", "rules"),
        filled.rename("b", "book", "x"),
        filled.drop("b", "book"),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await filled.datasets("b") == []
    assert await filled.load("b", stolen) == [None]
    assert await _found(filled, "a", stolen) == [_TEXTS[0]]


async def test_a_hit_made_up_for_another_dataset_loads_nothing(filled: SqlitePassageIndex) -> None:
    hits = await filled.by_full_text("a", Scope(("book",), 1), "退款")
    assert await filled.load("a", [Hit("other", hits[0].passage, 1.0, (MatchedKey(1, 1.0),))]) == [None]


async def test_a_document_put_again_takes_the_place_of_the_first(
    filled: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await _all_ways(filled, embedder, "a", "退款")
    await _put(filled, embedder, "rules", *_passages("Shops open at nine."))
    for found in await _all_ways(filled, embedder, "a", "退款 保修"):
        assert found in ([], ["Shops open at nine."])
    assert [one.text for one in await filled.passages("a", "book", "rules")] == ["Shops open at nine."]
    assert len(await filled.documents("a", "book")) == 1


async def test_what_is_added_after_a_search_is_found_by_the_next(
    filled: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await _all_ways(filled, embedder, "a", "退款")
    await _put(filled, embedder, "news", *_passages("積分可以兌換禮品卡。"))
    for found in await _all_ways(filled, embedder, "a", "兌換積分"):
        assert found[0] == "積分可以兌換禮品卡。"


@pytest.mark.parametrize("others", [0, 700], ids=["many of few", "few of many"])
async def test_a_deleted_document_leaves_no_trace_in_memory_or_in_the_file(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, database: SqliteDatabase, tmp_path: Path, others: int
) -> None:
    await _put(filled, embedder, "others", *_passages(*(f"Nothing of it, {number}." for number in range(others))))
    await _put(filled, embedder, "secret", *_passages("Zanzibarium ist geheim " * 3, "zanzibarium again"))
    before = await database.read(lambda c: c.all("select * from vectors order by key"))
    await _all_ways(filled, embedder, "a", "zanzibarium")
    held = filled.vectors_held
    await filled.delete("a", "book", "secret")
    for found in await _all_ways(filled, embedder, "a", "zanzibarium"):
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
    await _all_ways(filled, embedder, "a", "退款")
    await filled.drop("a", "book")
    assert filled.vector_bytes == 0
    for table in ("datasets", "documents", "passages", "keys", "vectors", "keywords"):
        rows = await database.read(lambda c, t=table: c.one(f"select count(*) from {t}"))  # noqa: S608 - from the line above
        assert rows == (0,)
    assert await database.read(lambda c: c.one("select count(*) from sqlite_master where name like 'passages_1%'")) == (
        0,
    )
    await filled.create("a", _BOOK)
    assert await _all_ways(filled, embedder, "a", "退款") == [[], [], []]


async def test_a_disabled_document_is_not_found_until_it_is_enabled(
    filled: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await filled.change("a", "book", Document("rules", "Rules", enabled=False))
    assert await _all_ways(filled, embedder, "a", "退款") == [[], [], []]
    await filled.change("a", "book", Document("rules", "Rules", {"year": 2026}))
    assert (await _all_ways(filled, embedder, "a", "退款"))[1][0] == _TEXTS[0]
    assert await filled.documents("a", "book") == [Document("rules", "Rules", {"year": 2026})]
    with pytest.raises(NotFound):
        await filled.change("a", "book", Document("absent", "x"))


async def test_conditions_keep_every_method_to_the_documents_that_meet_them(
    index: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await index.create("a", _BOOK)
    for year in (2024, 2025):
        document = Document(f"y{year}", "Rules", {"year": year})
        await _put(index, embedder, "", *_passages(f"{year} 年的退款规定"), document=document)
    scope = Scope(("book",), 5, Conditions((Condition("year", "=", 2024),)))
    assert await _all_ways(index, embedder, "a", "退款规定", scope) == [["2024 年的退款规定"]] * 3
    nothing = Scope(("book",), 5, Conditions((Condition("year", "=", 1),)))
    assert await _all_ways(index, embedder, "a", "退款规定", nothing) == [[], [], []]


async def test_keys_are_searched_and_their_passage_comes_once(
    index: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await index.create("a", _BOOK)
    parent = Passage(1, "全文：" + "".join(_TEXTS), 0, 60, keys=_TEXTS, heading="售后")
    asked = Passage(2, "能开发票吗？", 60, 70, keys=("能开发票吗？",), answer="可以。")
    await _put(index, embedder, "doc", parent, asked)
    hits = await index.by_full_text("a", Scope(("book",), 5), "退款 保修")
    assert [hit.passage for hit in hits] == [hits[0].passage]
    found = (await index.load("a", hits))[0]
    assert found is not None
    assert found.passage == parent
    assert set(found.matched) == {_TEXTS[0], _TEXTS[2]}
    assert await index.by_full_text("a", Scope(("book",), 5), "全文") == []
    assert await _found(index, "a", await index.by_full_text("a", Scope(("book",), 5), "售后")) == [parent.text]
    assert await index.passages("a", "book", "doc") == [parent, asked]


async def test_several_datasets_are_searched_together(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    await filled.create("a", Dataset("plain", "Plain"))
    await filled.put("a", "plain", Document("p", "p"), _passages("退款须知"))
    hits = await filled.by_full_text("a", Scope(("book", "plain", "book"), 5), "退款")
    assert {hit.dataset for hit in hits} == {"book", "plain"}
    with pytest.raises(InvalidParameter):
        await filled.by_vector("a", Scope(("plain",), 5), embedder.vector("退款"))


async def test_vectors_that_do_not_suit_are_refused(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    document, passages = Document("x", "x"), _passages("one", "two")
    good = await embedder.embed(("one", "two"), "passage")
    for vectors in (None, good[:1], good[:, :32], good * 2, good * np.nan):
        with pytest.raises(InvalidParameter):
            await filled.put("a", "book", document, passages, vectors)
    with pytest.raises(InvalidParameter):
        await filled.put("a", "book", document, [passages[0], passages[0]], good)
    await filled.create("a", Dataset("plain", "Plain"))
    with pytest.raises(InvalidParameter):
        await filled.put("a", "plain", document, passages, good)
    with pytest.raises(InvalidParameter):
        await filled.create("a", Dataset("half", "Half", "model", 0))
    assert [one.id for one in await filled.documents("a", "book")] == ["rules"]


async def test_a_taken_name_or_id_is_refused(filled: SqlitePassageIndex) -> None:
    await filled.create("a", Dataset("other", "Other"))
    for dataset in (Dataset("book", "New"), Dataset("new", "Handbook")):
        with pytest.raises(AlreadyExists):
            await filled.create("a", dataset)
    with pytest.raises(AlreadyExists):
        await filled.rename("a", "other", "Handbook")
    await filled.rename("a", "other", "Another")
    assert [one.name for one in await filled.datasets("a")] == ["Another", "Handbook"]


async def test_queries_of_signs_alone_or_of_strange_letters_find_nothing_and_break_nothing(
    filled: SqlitePassageIndex,
) -> None:
    scope = Scope(("book",), 5)
    for query in ("", "\" ' OR * -", "🎉", "\x00", "\ud83d", 'a" OR "退款', "NEAR(", "x" * 100_000):
        await filled.by_keyword("a", scope, query)
        await filled.by_full_text("a", scope, query)


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
    await _all_ways(other, embedder, "a", "退款")
    await _put(filled, embedder, "news", *_passages("会员积分规则"))
    assert (await _all_ways(other, embedder, "a", "积分规则"))[2][0] == "会员积分规则"
    await filled.delete("a", "book", "news")
    assert "会员积分规则" not in (await _all_ways(other, embedder, "a", "积分规则"))[2]


async def test_searches_beside_writes_find_whole_documents_only(
    filled: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    async def write() -> None:
        for turn in range(15):
            await _put(filled, embedder, "turning", *_passages(f"甲 积分 {turn}", f"乙 积分 {turn}"))

    async def search() -> None:
        for _ in range(30):
            hits = await filled.by_vector("a", Scope(("book",), 5), embedder.vector("积分"))
            assert len(hits) in (3, 5)

    async with asyncio.TaskGroup() as group:
        group.create_task(search())
        group.create_task(write())


async def test_words_too_common_to_choose_still_order_what_the_rare_ones_chose(
    index: SqlitePassageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index.create("a", Dataset("plain", "Plain"))
    filler = [
        f"common words number {number}" if number < 30 else f"quite other things {number}" for number in range(100)
    ]
    texts = ["rare thing alone here", "rare thing common words", "rare thing and words", *filler]
    await index.put("a", "plain", Document("p", "p"), _passages(*texts))
    scope = Scope(("plain",), 3)
    everything = await index.by_full_text("a", scope, "rare thing common words")
    monkeypatch.setattr("seekway.knowledge.index.full_text._VISITED", 6)
    assert [hit.passage for hit in await index.by_full_text("a", scope, "rare thing common words")] == [
        hit.passage for hit in everything
    ]
    assert await _found(index, "a", everything[:1]) == ["rare thing common words"]


async def test_what_another_process_wrote_and_deleted_is_seen(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, tmp_path: Path
) -> None:
    """The other's vectors stand in this one's memory, more of them than candidates are read."""
    many = [Passage(k, f"退款说明 {k}", 0, 9) for k in range(1, 900)]
    await _put(filled, embedder, "many", *many)
    asked = embedder.vector("退款说明 77")
    database = SqliteDatabase(tmp_path / "knowledge.db", prepare=prepare_connection)
    try:
        other = SqlitePassageIndex(database)
        assert len(await other.by_vector("a", Scope(("book",), 100), asked)) == 100
        await filled.delete("a", "book", "many")
        found = await _found(other, "a", await other.by_vector("a", Scope(("book",), 100), asked))
        assert sorted(found) == sorted(
            await _found(filled, "a", await filled.by_vector("a", Scope(("book",), 100), asked))
        )
        assert found
        assert other.vectors_held == filled.vectors_held
        await _put(filled, embedder, "later", Passage(1, "退款说明 77", 0, 9))
        (best, *_) = await _found(other, "a", await other.by_vector("a", Scope(("book",), 100), asked))
        assert best == "退款说明 77"
    finally:
        await database.close()
