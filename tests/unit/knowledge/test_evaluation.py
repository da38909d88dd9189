"""Figures of retrieval, and the questions they are taken over."""

from __future__ import annotations

import math

import pytest

from seekway.core.errors import InvalidParameter
from seekway.knowledge.evaluation import Question, Relevant, evaluate, figures, read_questions
from seekway.knowledge.index.passage_index import Dataset, Document
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex
from seekway.knowledge.passage import Passage
from seekway.knowledge.retrieval.retriever import Retrieval, Retriever
from tests.fakes.hashed_embedder import HashedEmbedder


def _at(*positions: int) -> list[Relevant]:
    return [Relevant("d", position) for position in positions]


def test_figures_are_those_of_their_formulas() -> None:
    question = Question("?", tuple(_at(1, 2)))
    found = figures([(question, _at(9, 1, 8, 2))], (1, 2, 4))
    assert found.recall == {1: 0.0, 2: 0.5, 4: 1.0}
    assert found.mrr == 0.5
    assert found.ndcg == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3)))


def test_a_perfect_ranking_scores_1_and_an_empty_one_0() -> None:
    question = Question("?", tuple(_at(1, 2)))
    best, worst = figures([(question, _at(2, 1))], (2,)), figures([(question, [])], (2,))
    assert (best.recall[2], best.mrr, best.ndcg) == (1.0, 1.0, pytest.approx(1.0))
    assert (worst.recall[2], worst.mrr, worst.ndcg) == (0.0, 0.0, 0.0)


def test_a_document_counts_once_however_many_of_its_passages_come() -> None:
    found = figures([(Question("?", (Relevant("d"),)), _at(3, 4, 5))], (3,))
    assert (found.recall[3], found.ndcg) == (1.0, pytest.approx(1.0))


def test_questions_are_read_from_lines() -> None:
    text = '{"question": "几天？", "relevant": [{"document": "d", "position": 2}], "kind": "zh"}\n\n{"question": "q", "relevant": [{"document": "e"}]}\n'
    assert read_questions(text, "q.jsonl") == [
        Question("几天？", (Relevant("d", 2),), "zh"),
        Question("q", (Relevant("e"),)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"question": "q"}',
        '{"question": " ", "relevant": [{"document": "d"}]}',
        '{"question": "q", "relevant": []}',
        '{"question": "q", "relevant": [{"documents": "d"}]}',
        '"\ud800"',
    ],
)
def test_a_broken_line_is_told_by_its_number(line: str) -> None:
    good = '{"question": "q", "relevant": [{"document": "e"}]}'
    with pytest.raises(InvalidParameter, match=r"q\.jsonl, line 2"):
        read_questions(f"{good}\n{line}\n{good}", "q.jsonl")


def test_a_file_without_questions_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="no questions"):
        read_questions("\n\n", "q.jsonl")


async def test_each_method_is_judged_by_kind(index: SqlitePassageIndex, embedder: HashedEmbedder) -> None:
    await index.create("a", Dataset("d", "D", "hashed", 64))
    texts = ("退款在七天内退回。", "Parcels come in three days.")
    for number, text in enumerate(texts):
        vectors = await embedder.embed((text,), "passage")
        await index.put("a", "d", Document(f"d{number}", "x"), [Passage(1, text, 0, len(text))], vectors)
    questions = [Question("退款", (Relevant("d0"),), "zh"), Question("parcel", (Relevant("d1", 1),), "en")]
    retriever = Retriever(index, {"hashed": embedder}.__getitem__)
    methods = {"words": Retrieval(method="full_text"), "both": Retrieval()}
    found = await evaluate(retriever, "a", ["d"], questions, methods)
    assert list(found) == ["words", "both"]
    assert list(found["words"]) == ["", "zh", "en"]
    assert found["words"][""].questions == 2
    assert found["words"]["zh"].recall[1] == found["words"]["en"].mrr == 1.0
