"""What a question gets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from seekway.core.errors import InvalidParameter, NotFound
from seekway.knowledge.index.conditions import Condition, Conditions
from seekway.knowledge.index.passage_index import Dataset, Document
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex
from seekway.knowledge.passage import Passage, searched_texts
from seekway.knowledge.retrieval.retriever import Fusion, Method, Retrieval, Retriever
from tests.fakes.hashed_embedder import HashedEmbedder

_RULES = ("退款在七天内原路退回。", "包裹三天内送达。", "保修期为两年，凭发票办理。", "会员积分可以兑换礼品卡。")


class _ByLength:
    """Prefers short texts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def rerank(self, query: str, texts: Sequence[str], /) -> Sequence[float]:
        self.asked = list(texts)
        return [1 / (1 + len(text)) for text in texts]


@pytest.fixture
async def filled(index: SqlitePassageIndex, embedder: HashedEmbedder) -> SqlitePassageIndex:
    await index.create("a", Dataset("rules", "Rules", "hashed", 64))
    await index.create("a", Dataset("plain", "Plain"))
    for number, text in enumerate(_RULES):
        passage = Passage(1, text, 0, len(text))
        document = Document(f"r{number}", f"r{number}.md", {"number": number})
        await index.put("a", "rules", document, [passage], await embedder.embed((text,), "passage"))
    await index.put("a", "plain", Document("p", "p.md"), [Passage(1, "退款请联系客服。", 0, 8)])
    return index


def _retriever(index: SqlitePassageIndex, embedder: HashedEmbedder, reranker: _ByLength | None = None) -> Retriever:
    return Retriever(index, {"hashed": embedder}.__getitem__, reranker)


@pytest.mark.parametrize("method", ["keyword", "full_text", "semantic", "hybrid"])
@pytest.mark.parametrize("fusion", ["scaled", "reciprocal_rank", "weighted"])
async def test_each_method_cites_the_best_passage_first(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, method: Method, fusion: Fusion
) -> None:
    how = Retrieval(method=method, fusion=fusion, top_k=2)
    found = await _retriever(filled, embedder).retrieve("a", ["rules"], "保修发票", how)
    first = found[0]
    assert (first.position, first.document_id, first.document_name) == (1, "r2", "r2.md")
    assert (first.dataset_id, first.dataset_name, first.metadata) == ("rules", "Rules", {"number": 2})
    assert (first.text, first.passage.position, first.matched) == (_RULES[2], 1, ())
    assert [one.position for one in found] == list(range(1, len(found) + 1))
    assert len(found) <= 2
    assert all(0 <= one.score <= 1 for one in found)


async def test_the_query_is_embedded_once_as_a_query(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    retriever = _retriever(filled, embedder)
    await retriever.warm_up("hashed")
    embedder.asked.clear()
    await retriever.retrieve("a", ["rules"], "退款", Retrieval())
    assert embedder.asked == [("退款", "query")]


async def test_what_scores_under_the_threshold_is_left_out(
    filled: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    retriever = _retriever(filled, embedder)
    everything = await retriever.retrieve("a", ["rules"], _RULES[0], Retrieval(method="semantic", top_k=4))
    strict = await retriever.retrieve(
        "a", ["rules"], _RULES[0], Retrieval(method="semantic", top_k=4, score_threshold=0.99)
    )
    assert len(everything) == 4
    assert [one.text for one in strict] == [_RULES[0]]


async def test_several_knowledge_bases_are_asked_with_and_without_vectors(
    filled: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    found = await _retriever(filled, embedder).retrieve("a", ["rules", "plain"], "退款", Retrieval(top_k=5))
    assert {"rules", "plain"} == {one.dataset_id for one in found}


async def test_meaning_is_not_asked_of_a_knowledge_base_without_vectors(
    filled: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    with pytest.raises(InvalidParameter, match="full text"):
        await _retriever(filled, embedder).retrieve("a", ["plain"], "退款", Retrieval(method="semantic"))


@pytest.mark.parametrize("method", ["full_text", "hybrid", "semantic", "keyword"])
async def test_an_unknown_knowledge_base_is_told(
    filled: SqlitePassageIndex, embedder: HashedEmbedder, method: Method
) -> None:
    for tenant, dataset in (("a", "absent"), ("b", "rules")):
        with pytest.raises(NotFound):
            await _retriever(filled, embedder).retrieve(tenant, [dataset], "退款", Retrieval(method=method))


async def test_conditions_hold_in_a_hybrid(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    how = Retrieval(top_k=4, conditions=Conditions((Condition("number", "≥", 2),)))
    found = await _retriever(filled, embedder).retrieve("a", ["rules"], "退款", how)
    assert {one.document_id for one in found} == {"r2", "r3"}


async def test_the_reranker_decides_order_and_score(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    reranker = _ByLength()
    how = Retrieval(method="semantic", top_k=2, rerank=True)
    found = await _retriever(filled, embedder, reranker).retrieve("a", ["rules"], "退款", how)
    assert sorted(reranker.asked) == sorted(_RULES)
    assert found[0].text == _RULES[1]
    assert found[0].score == pytest.approx(1 / (1 + len(_RULES[1])))
    with pytest.raises(InvalidParameter, match="reranker"):
        await _retriever(filled, embedder).retrieve("a", ["rules"], "退款", how)


async def test_a_child_is_matched_and_its_parent_comes_once(
    index: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await index.create("a", Dataset("rules", "Rules", "hashed", 64))
    parent = Passage(1, "".join(_RULES), 0, 50, keys=_RULES)
    await index.put("a", "rules", Document("r", "r"), [parent], await embedder.embed(searched_texts(parent), "passage"))
    found = await _retriever(index, embedder).retrieve("a", ["rules"], "积分 退款", Retrieval(top_k=5))
    assert [one.text for one in found] == [parent.text]
    assert {one.text for one in found[0].matched[:2]} == {_RULES[0], _RULES[3]}


async def test_a_question_is_matched_and_its_answer_comes_with_it(
    index: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await index.create("a", Dataset("faq", "FAQ", "hashed", 64))
    pair = Passage(1, "能开发票吗？", 0, 6, keys=("能开发票吗？",), answer="可以，在订单页申请。")
    await index.put("a", "faq", Document("f", "f"), [pair], await embedder.embed(searched_texts(pair), "passage"))
    retriever = _retriever(index, embedder)
    assert await retriever.retrieve("a", ["faq"], "订单页", Retrieval(method="full_text")) == ()
    found = await retriever.retrieve("a", ["faq"], "怎么开发票", Retrieval())
    assert found[0].text == "能开发票吗？\n可以，在订单页申请。"
    assert found[0].matched[0].text == "能开发票吗？"


async def test_an_empty_question_finds_nothing(filled: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    assert await _retriever(filled, embedder).retrieve("a", ["rules"], " \n", Retrieval()) == ()
    assert await _retriever(filled, embedder).retrieve("a", [], "退款", Retrieval()) == ()


@pytest.mark.parametrize("wrong", [{"top_k": 0}, {"top_k": 101}, {"vector_weight": 1.1}, {"score_threshold": -0.1}])
def test_what_is_out_of_bounds_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidParameter):
        Retrieval(**wrong)  # pyright: ignore[reportArgumentType]
