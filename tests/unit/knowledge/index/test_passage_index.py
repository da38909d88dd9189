"""What every index promises of the documents it was given."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from seekway.core.errors import AlreadyExists, InvalidParameter, NotFound
from seekway.knowledge.index.conditions import Condition, Conditions
from seekway.knowledge.index.passage_index import Dataset, Document, Hit, MatchedKey, PassageIndex, Scope
from seekway.knowledge.passage import Passage
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.unit.knowledge.index.filling import BOOK, TEXTS, all_ways, found_by, passages_of, put


@pytest.fixture
async def filled(index: PassageIndex, embedder: HashedEmbedder) -> PassageIndex:
    await index.create("a", BOOK)
    await put(index, embedder, "rules", *passages_of(*TEXTS))
    return index


@pytest.mark.parametrize(("query", "place"), [("退款", 0), ("delivered parcel", 1), ("保修 發票", 2)])
async def test_each_method_finds_the_passage(
    filled: PassageIndex, embedder: HashedEmbedder, query: str, place: int
) -> None:
    for found in await all_ways(filled, embedder, "a", query):
        assert found[0] == TEXTS[place]


async def test_scores_go_from_0_to_1_and_down(filled: PassageIndex, embedder: HashedEmbedder) -> None:
    scope = Scope(("book",), 5)
    for hits in (
        await filled.by_keyword("a", scope, "退款 delivered 保修"),
        await filled.by_full_text("a", scope, "退款 delivered 保修"),
        await filled.by_vector("a", scope, embedder.vector(TEXTS[0])),
    ):
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)


async def test_the_text_itself_has_a_cosine_of_1(filled: PassageIndex, embedder: HashedEmbedder) -> None:
    hits = await filled.by_vector("a", Scope(("book",), 1), embedder.vector(TEXTS[1]))
    assert hits[0].score == pytest.approx(1.0, abs=0.002)


async def test_tenants_never_see_each_others(filled: PassageIndex, embedder: HashedEmbedder) -> None:
    await filled.create("b", Dataset("book", "Handbook", "hashed", 64))
    await put(filled, embedder, "rules", *passages_of("乙方的秘密退款条款"), tenant="b")
    for tenant, ours in (("a", TEXTS[0]), ("b", "乙方的秘密退款条款")):
        for found in await all_ways(filled, embedder, tenant, "退款"):
            assert found[0] == ours
            assert not {"a": {"乙方的秘密退款条款"}, "b": set(TEXTS)}[tenant] & set(found)


async def test_another_tenants_dataset_is_not_there(filled: PassageIndex, embedder: HashedEmbedder) -> None:
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
    assert await found_by(filled, "a", stolen) == [TEXTS[0]]


async def test_a_hit_made_up_for_another_dataset_loads_nothing(filled: PassageIndex) -> None:
    hits = await filled.by_full_text("a", Scope(("book",), 1), "退款")
    assert await filled.load("a", [Hit("other", hits[0].passage, 1.0, (MatchedKey(1, 1.0),))]) == [None]


async def test_a_document_put_again_takes_the_place_of_the_first(
    filled: PassageIndex, embedder: HashedEmbedder
) -> None:
    await all_ways(filled, embedder, "a", "退款")
    await put(filled, embedder, "rules", *passages_of("Shops open at nine."))
    for found in await all_ways(filled, embedder, "a", "退款 保修"):
        assert found in ([], ["Shops open at nine."])
    assert [one.text for one in await filled.passages("a", "book", "rules")] == ["Shops open at nine."]
    assert len(await filled.documents("a", "book")) == 1


async def test_what_is_added_after_a_search_is_found_by_the_next(
    filled: PassageIndex, embedder: HashedEmbedder
) -> None:
    await all_ways(filled, embedder, "a", "退款")
    await put(filled, embedder, "news", *passages_of("積分可以兌換禮品卡。"))
    for found in await all_ways(filled, embedder, "a", "兌換積分"):
        assert found[0] == "積分可以兌換禮品卡。"


async def test_a_disabled_document_is_not_found_until_it_is_enabled(
    filled: PassageIndex, embedder: HashedEmbedder
) -> None:
    await filled.change("a", "book", Document("rules", "Rules", enabled=False))
    assert await all_ways(filled, embedder, "a", "退款") == [[], [], []]
    await filled.change("a", "book", Document("rules", "Rules", {"year": 2026}))
    assert (await all_ways(filled, embedder, "a", "退款"))[1][0] == TEXTS[0]
    assert await filled.documents("a", "book") == [Document("rules", "Rules", {"year": 2026})]
    with pytest.raises(NotFound):
        await filled.change("a", "book", Document("absent", "x"))


async def test_conditions_keep_every_method_to_the_documents_that_meet_them(
    index: PassageIndex, embedder: HashedEmbedder
) -> None:
    await index.create("a", BOOK)
    for year in (2024, 2025):
        document = Document(f"y{year}", "Rules", {"year": year})
        await put(index, embedder, "", *passages_of(f"{year} 年的退款规定"), document=document)
    scope = Scope(("book",), 5, Conditions((Condition("year", "=", 2024),)))
    assert await all_ways(index, embedder, "a", "退款规定", scope) == [["2024 年的退款规定"]] * 3
    nothing = Scope(("book",), 5, Conditions((Condition("year", "=", 1),)))
    assert await all_ways(index, embedder, "a", "退款规定", nothing) == [[], [], []]


async def test_keys_are_searched_and_their_passage_comes_once(index: PassageIndex, embedder: HashedEmbedder) -> None:
    await index.create("a", BOOK)
    parent = Passage(1, "全文：" + "".join(TEXTS), 0, 60, keys=TEXTS, heading="售后")
    asked = Passage(2, "能开发票吗？", 60, 70, keys=("能开发票吗？",), answer="可以。")
    await put(index, embedder, "doc", parent, asked)
    hits = await index.by_full_text("a", Scope(("book",), 5), "退款 保修")
    assert [hit.passage for hit in hits] == [hits[0].passage]
    found = (await index.load("a", hits))[0]
    assert found is not None
    assert found.passage == parent
    assert set(found.matched) == {TEXTS[0], TEXTS[2]}
    assert await index.by_full_text("a", Scope(("book",), 5), "全文") == []
    assert await found_by(index, "a", await index.by_full_text("a", Scope(("book",), 5), "售后")) == [parent.text]
    assert await index.passages("a", "book", "doc") == [parent, asked]


async def test_several_datasets_are_searched_together(filled: PassageIndex, embedder: HashedEmbedder) -> None:
    await filled.create("a", Dataset("plain", "Plain"))
    await filled.put("a", "plain", Document("p", "p"), passages_of("退款须知"))
    hits = await filled.by_full_text("a", Scope(("book", "plain", "book"), 5), "退款")
    assert {hit.dataset for hit in hits} == {"book", "plain"}
    with pytest.raises(InvalidParameter):
        await filled.by_vector("a", Scope(("plain",), 5), embedder.vector("退款"))


async def test_vectors_that_do_not_suit_are_refused(filled: PassageIndex, embedder: HashedEmbedder) -> None:
    document, passages = Document("x", "x"), passages_of("one", "two")
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


async def test_a_taken_name_or_id_is_refused(filled: PassageIndex) -> None:
    await filled.create("a", Dataset("other", "Other"))
    for dataset in (Dataset("book", "New"), Dataset("new", "Handbook")):
        with pytest.raises(AlreadyExists):
            await filled.create("a", dataset)
    with pytest.raises(AlreadyExists):
        await filled.rename("a", "other", "Handbook")
    await filled.rename("a", "other", "Another")
    assert [one.name for one in await filled.datasets("a")] == ["Another", "Handbook"]


async def test_queries_of_signs_alone_or_of_strange_letters_find_nothing_and_break_nothing(
    filled: PassageIndex,
) -> None:
    scope = Scope(("book",), 5)
    for query in ("", "\" ' OR * -", "🎉", "\x00", "\ud83d", 'a" OR "退款', "NEAR(", "x" * 100_000):
        await filled.by_keyword("a", scope, query)
        await filled.by_full_text("a", scope, query)


async def test_searches_beside_writes_find_whole_documents_only(filled: PassageIndex, embedder: HashedEmbedder) -> None:
    async def write() -> None:
        for turn in range(15):
            await put(filled, embedder, "turning", *passages_of(f"甲 积分 {turn}", f"乙 积分 {turn}"))

    async def search() -> None:
        for _ in range(30):
            hits = await filled.by_vector("a", Scope(("book",), 5), embedder.vector("积分"))
            assert len(hits) in (3, 5)

    async with asyncio.TaskGroup() as group:
        group.create_task(search())
        group.create_task(write())
