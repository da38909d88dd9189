"""How well questions find their passages.

Formulas as in Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), with a gain of 1 for what is relevant:
recall@k is the share of a question's relevant items among the first k; MRR the mean of 1 / rank of the first relevant one, 0 where none is among the first k;
nDCG@k sums 1 / log2(1 + rank) over the relevant among the first k, over the most that could be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from seekway.core.errors import InvalidParameter
from seekway.knowledge.retrieval.retriever import Citation, Method, Retrieval, Retriever

METHODS: Final[tuple[Method, ...]] = ("keyword", "full_text", "semantic", "hybrid")


class Relevant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document, or one passage of it by its position."""

    document: str
    position: int | None = None


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``kind`` groups the figures, such as ``paraphrase`` or ``other language``."""

    question: str
    relevant: tuple[Relevant, ...]
    kind: str = ""


class Figures(msgspec.Struct, frozen=True):
    """Means over ``questions``; ``recall`` by k, in the order asked for."""

    questions: int
    recall: dict[int, float]
    mrr: float
    ndcg: float


_DECODER: Final = msgspec.json.Decoder(Question)


def read_questions(text: str, source: str) -> list[Question]:
    """From JSON Lines; blank lines are skipped. Raises ``InvalidParameter`` with the number of the line that is none."""
    questions: list[Question] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            question = _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise InvalidParameter(
                f'{source}, line {number}: {error}; write {{"question": …, "relevant": [{{"document": …}}]}}.'
            ) from error
        if not question.question.strip() or not question.relevant:
            raise InvalidParameter(f"{source}, line {number}: a question needs a text and something relevant.")
        questions.append(question)
    if not questions:
        raise InvalidParameter(f"{source} has no questions; write one a line.")
    return questions


def figures(ranked: Sequence[tuple[Question, Sequence[Relevant]]], cuts: Sequence[int]) -> Figures:
    """``ranked`` has what each question found, best first; MRR and nDCG are over the greatest of ``cuts``."""
    most, count = max(cuts), max(len(ranked), 1)
    recall = dict.fromkeys(cuts, 0.0)
    mrr = ndcg = 0.0
    for question, found in ranked:
        ranks = _ranks(question, found[:most])
        total = len(set(question.relevant))
        for cut in cuts:
            recall[cut] += sum(rank <= cut for rank in ranks) / total / count
        mrr += (1 / ranks[0] if ranks else 0.0) / count
        best = sum(1 / math.log2(1 + rank) for rank in range(1, min(total, most) + 1))
        ndcg += sum(1 / math.log2(1 + rank) for rank in ranks) / best / count
    return Figures(len(ranked), recall, mrr, ndcg)


async def evaluate(
    retriever: Retriever,
    tenant: str,
    datasets: Sequence[str],
    questions: Sequence[Question],
    methods: Mapping[str, Retrieval],
    *,
    cuts: Sequence[int] = (1, 3, 10),
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, dict[str, Figures]]:
    """For each method, by its name, the figures of each kind of question, those of all under the empty kind.

    ``progress`` is told how many questions of how many have been asked.
    """
    results: dict[str, dict[str, Figures]] = {}
    total = len(methods) * len(questions)
    for name, how in methods.items():
        deep = msgspec.structs.replace(how, top_k=max(cuts), score_threshold=None)
        ranked: list[tuple[Question, Sequence[Relevant]]] = []
        for question in questions:
            found = await retriever.retrieve(tenant, datasets, question.question, deep)
            ranked.append((question, _named(found)))
            progress(len(results) * len(questions) + len(ranked), total)
        kinds = dict.fromkeys(("", *(question.kind for question in questions)))
        results[name] = {
            kind: figures([one for one in ranked if not kind or one[0].kind == kind], cuts) for kind in kinds
        }
    return results


def _named(citations: Iterable[Citation]) -> list[Relevant]:
    return [Relevant(one.document_id, one.passage.position) for one in citations]


def _ranks(question: Question, found: Sequence[Relevant]) -> list[int]:
    """At which ranks something relevant stands that did not stand before."""
    wanted = set(question.relevant)
    ranks: list[int] = []
    for rank, one in enumerate(found, 1):
        met = {one, Relevant(one.document)} & wanted
        if met:
            ranks.append(rank)
            wanted -= met
    return ranks
