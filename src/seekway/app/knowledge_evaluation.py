"""``seekway kb eval``: the sample set, or a person's own questions about a knowledge base."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from seekway.app.knowledge import Knowledge
from seekway.app.knowledge_desk import knowledge_desk
from seekway.app.knowledge_filling import dataset_named
from seekway.core.errors import InvalidRequest
from seekway.core.sections.storage import StorageSettings
from seekway.core.settings import Settings
from seekway.knowledge.evaluation import METHODS, Figures, Question, Relevant, evaluate, read_questions
from seekway.knowledge.index.passage_index import Dataset, Document
from seekway.knowledge.passage import embedded_texts
from seekway.knowledge.ports import Vectors
from seekway.knowledge.retrieval.retriever import Method, Retrieval
from seekway.knowledge.samples.bundled import SamplePassage, sample_passages, sample_questions

Results = dict[str, dict[str, Figures]]
Progress = Callable[[float, float, str], None]

_CUTS = (1, 3, 10)
_SAMPLES = "samples"
_BATCH = 16


async def measure_samples(
    settings: Settings, config: Path | None, methods: Sequence[str], rerank: bool, progress: Progress
) -> Results:
    """In a knowledge base of its own, which is gone afterwards; with the embedding model of the settings."""
    with tempfile.TemporaryDirectory(prefix="seekway-kb-") as folder:
        apart = msgspec.structs.replace(
            settings,
            storage=StorageSettings(folder),
            knowledge=msgspec.structs.replace(settings.knowledge, store_url=None),
        )
        async with knowledge_desk(apart, config) as knowledge:
            passages = sample_passages()
            await _index(knowledge, passages, progress)
            chosen = _methods(knowledge, methods, rerank, embeds=bool(knowledge.base.embedding_model))
            return await _measure(knowledge, "", _SAMPLES, sample_questions(), chosen, progress)


async def measure_own(
    settings: Settings,
    config: Path | None,
    where: tuple[str, str | None],
    file: Path,
    methods: Sequence[str],
    rerank: bool,
    progress: Progress,
) -> Results:
    """``where`` is the tenant and the knowledge base's name."""
    tenant, name = where
    asked = read_questions(await asyncio.to_thread(file.read_text, "utf-8", "replace"), str(file))
    async with knowledge_desk(settings, config) as knowledge:
        dataset = await dataset_named(knowledge, tenant, name)
        documents = await knowledge.base.book.documents(tenant, dataset.id)
        ids = {one.name: one.id for one in documents} | {one.id: one.id for one in documents}
        asked = [_by_id(question, ids, dataset.name) for question in asked]
        chosen = _methods(knowledge, methods, rerank, embeds=bool(dataset.embedding_model))
        return await _measure(knowledge, tenant, dataset.id, asked, chosen, progress)


def show(console: Console, results: Results) -> None:
    """A table for all questions, and one for each kind."""
    kinds = dict.fromkeys(kind for figures in results.values() for kind in figures)
    # With one kind its figures are those of all.
    for kind in kinds if len(kinds) > 2 else [""]:
        questions = next(iter(results.values()))[kind].questions
        title = f"{questions} questions" + (f", {kind.replace('_', ' ')}" if kind else "")
        cuts = (f"recall@{cut}" for cut in _CUTS)
        table = Table(
            "method", *cuts, "MRR", "nDCG@10", title=title, title_justify="left", box=None, header_style="dim"
        )
        for method, figures in results.items():
            one = figures[kind]
            row = (*(one.recall[cut] for cut in _CUTS), one.mrr, one.ndcg)
            table.add_row(method, *(f"{figure:.3f}" for figure in row))
        console.print(table)
        console.print()


async def _index(knowledge: Knowledge, passages: Sequence[SamplePassage], progress: Progress) -> None:
    base = knowledge.base
    texts = [text for one in passages for text in embedded_texts(one.passage)]
    rows: list[Vectors] = []
    for first in range(0, len(texts) if base.embedding_model else 0, _BATCH):
        progress(first, len(texts), "embedding passages")
        rows.append(await base.embedder(base.embedding_model).embed(texts[first : first + _BATCH], "passage"))
    vectors = np.concatenate(rows) if rows else None
    dimensions = 0 if vectors is None else vectors.shape[1]
    await base.index.create("", Dataset(_SAMPLES, _SAMPLES, base.embedding_model, dimensions))
    for at, one in enumerate(passages):
        vector = None if vectors is None else vectors[at : at + 1]
        await base.index.put("", _SAMPLES, Document(one.id, one.title), [one.passage], vector)


async def _measure(
    knowledge: Knowledge,
    tenant: str,
    dataset: str,
    questions: Sequence[Question],
    methods: dict[str, Retrieval],
    progress: Progress,
) -> Results:
    def asked(done: int, total: int) -> None:
        progress(done, total, "asking")

    return await evaluate(knowledge.base.retriever, tenant, [dataset], questions, methods, cuts=_CUTS, progress=asked)


def _methods(knowledge: Knowledge, named: Sequence[str], rerank: bool, *, embeds: bool) -> dict[str, Retrieval]:
    """Without an embedding model those that need none."""
    able: Sequence[Method] = METHODS if embeds else ("keyword", "full_text")
    chosen = {method: Retrieval(method) for method in able if not named or method in named}
    if rerank:
        if not knowledge.base.reranks:
            raise InvalidRequest("There is no reranker; set knowledge.rerank_model.")
        chosen["hybrid, reranked"] = Retrieval("hybrid" if embeds else "full_text", rerank=True)
    if not chosen:
        raise InvalidRequest("There is no embedding model here; choose keyword or full_text.")
    return chosen


def _by_id(question: Question, ids: dict[str, str], dataset: str) -> Question:
    found: list[Relevant] = []
    for one in question.relevant:
        if one.document not in ids:
            raise InvalidRequest(f"{dataset} has no document {one.document!r}, which is relevant to a question.")
        found.append(Relevant(ids[one.document], one.position))
    return msgspec.structs.replace(question, relevant=tuple(found))
