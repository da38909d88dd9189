"""Questions without what tells only their language."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from seekway.core.errors import StorageUnavailable
from seekway.knowledge.index.passage_index import Dataset, Document
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex
from seekway.knowledge.passage import Passage
from seekway.knowledge.ports import Purpose, Vectors
from seekway.knowledge.retrieval.language_directions import LanguageDirections
from seekway.knowledge.retrieval.parallel_texts import PARALLEL_TEXTS
from seekway.knowledge.retrieval.retriever import Retrieval, Retriever

_HAN = re.compile("[\u4e00-\u9fff]")
_TOPICS = {"退款": 1, "refund": 1, "保修": 2, "warranty": 2}


class _Biased:
    """The first dimension tells the language, loudly; the next two the topic."""

    def __init__(self, loud: float = 2.0) -> None:
        self.loud = loud
        self.asked: list[tuple[str, Purpose]] = []
        self.fails = 0

    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        if self.fails:
            self.fails -= 1
            raise StorageUnavailable("The model is away.")
        self.asked.extend((text, purpose) for text in texts)
        return np.array([self._vector(text) for text in texts], np.float32)

    def _vector(self, text: str) -> Vectors:
        vector = np.array([self.loud if _HAN.search(text) else -self.loud, 0.0, 0.0, 1.0], np.float32)
        for word, place in _TOPICS.items():
            vector[place] += word in text.lower()
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


async def _filled(index: SqlitePassageIndex, embedder: _Biased) -> Retriever:
    await index.create("a", Dataset("d", "D", "biased", 4))
    for text in ("退款七天到账", "保修两年", "A warranty of two years", "Opening hours"):
        document = Document(text, text)
        await index.put("a", "d", document, [Passage(1, text, 0, len(text))], await embedder.embed((text,), "passage"))
    return Retriever(index, {"biased": embedder}.__getitem__)


@pytest.mark.parametrize("across", [True, False])
async def test_what_answers_in_another_language_comes_before_what_is_only_in_the_questions(
    index: SqlitePassageIndex, across: bool
) -> None:
    retriever = await _filled(index, _Biased())
    how = Retrieval(method="semantic", top_k=4, across_languages=across)
    found = [one.text for one in await retriever.retrieve("a", ["d"], "How do I get a refund?", how)]
    assert (found[0] == "退款七天到账") is across


async def test_a_model_is_learnt_once_and_before_the_first_question_where_asked() -> None:
    embedder = _Biased()
    directions = LanguageDirections({"m": embedder}.__getitem__)
    await directions.learn("m")
    assert embedder.asked == [(text, "passage") for pair in PARALLEL_TEXTS for text in pair]
    await directions.without_language("m", np.array([0.6, 0.8, 0, 0], np.float32))
    assert len(embedder.asked) == 2 * len(PARALLEL_TEXTS)


async def test_vectors_stay_of_unit_length() -> None:
    directions = LanguageDirections({"m": _Biased()}.__getitem__)
    left = await directions.without_language("m", np.array([0.6, 0.8, 0, 0], np.float32))
    assert left.dtype == np.float32
    assert left == pytest.approx([0, 1, 0, 0], abs=1e-6)


async def test_a_question_that_is_nothing_but_its_language_stays() -> None:
    directions = LanguageDirections({"m": _Biased()}.__getitem__)
    question = np.array([1, 0, 0, 0], np.float32)
    assert await directions.without_language("m", question) == pytest.approx(question)


async def test_a_model_that_tells_no_languages_apart_changes_nothing() -> None:
    directions = LanguageDirections({"m": _Biased(loud=0.0)}.__getitem__)
    question = np.array([0.6, 0.8, 0, 0], np.float32)
    assert await directions.without_language("m", question) is question


async def test_learning_that_failed_is_tried_again() -> None:
    embedder = _Biased()
    embedder.fails = 1
    directions = LanguageDirections({"m": embedder}.__getitem__)
    with pytest.raises(StorageUnavailable):
        await directions.learn("m")
    assert await directions.learn("m") is not None


def test_the_texts_are_pairs_of_chinese_and_english() -> None:
    assert len(PARALLEL_TEXTS) >= 10
    assert all(_HAN.search(chinese) and not _HAN.search(english) for chinese, english in PARALLEL_TEXTS)
