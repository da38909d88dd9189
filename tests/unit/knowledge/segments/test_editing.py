"""Changes of segments reach the index, also those that a crash or an absent model came between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from seekway.core.errors import BackendUnavailable
from seekway.knowledge.chunking.process_rule import read_process_rule
from seekway.knowledge.index.passage_index import Scope
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument
from seekway.knowledge.knowledge_base import KnowledgeBase
from seekway.knowledge.ports import Purpose, Vectors
from seekway.knowledge.segments.records import NewSegment, SegmentChange
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.fakes.knowledge_base import knowledge_base

_LINES = read_process_rule('{"mode": "custom", "rules": {"segmentation": {"separator": "\\n", "max_tokens": 50}}}')


class _Embedder(HashedEmbedder):
    away = False

    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        if self.away:
            raise BackendUnavailable("The model is not there; start it.")
        return await super().embed(texts, purpose)


@pytest.fixture
def model() -> _Embedder:
    return _Embedder()


@pytest.fixture
async def knowledge(tmp_path: Path, model: _Embedder) -> AsyncIterator[KnowledgeBase]:
    async with knowledge_base(tmp_path, embedder=model) as made:
        await made.book.create_dataset(DatasetRecord("t", "d", "Handbook", "", "hashed", 64))
        yield made


async def _document(knowledge: KnowledgeBase, text: str = "alpha\nbeta") -> DocumentKey:
    key = (await knowledge.ingester.add("t", "d", NewDocument("a.txt", text.encode(), rule=_LINES))).document.key
    await knowledge.ingester.idle()
    return key


async def _found(knowledge: KnowledgeBase, word: str) -> int:
    return len(await knowledge.index.by_full_text("t", Scope(("d",), 100), word))


async def test_only_what_changed_is_embedded_again(knowledge: KnowledgeBase, model: _Embedder) -> None:
    key = await _document(knowledge)
    first = (await knowledge.book.segments.page(key))[0][0]
    model.asked.clear()
    await knowledge.indexing.editing.change(key, first.id, SegmentChange("gamma"))
    assert model.asked == [("gamma", "passage")]
    assert [await _found(knowledge, word) for word in ("alpha", "beta", "gamma")] == [0, 1, 1]


async def test_a_change_is_kept_where_the_model_is_away_and_reaches_the_index_at_the_next(
    knowledge: KnowledgeBase, model: _Embedder
) -> None:
    key = await _document(knowledge)
    model.away = True
    with pytest.raises(BackendUnavailable):
        await knowledge.indexing.editing.add(key, [NewSegment("gamma")])
    assert [one.content for one in await knowledge.book.segments.unsettled(key)] == ["gamma"]
    model.away = False
    await knowledge.indexing.editing.add(key, [NewSegment("delta")])
    assert [await _found(knowledge, word) for word in ("gamma", "delta")] == [1, 1]


async def test_what_a_crash_came_between_is_made_good_at_the_next_start(tmp_path: Path) -> None:
    async with knowledge_base(tmp_path) as before:
        await before.book.create_dataset(DatasetRecord("t", "d", "Handbook", "", "hashed", 64))
        key = await _document(before)
        other = await _document(before, "eta")
        first, second = (await before.book.segments.page(key))[0]
        # Kept, and then the process is no more before the index heard of it.
        await before.book.segments.add(key, [NewSegment("gamma")])
        await before.book.segments.change(key, first.id, SegmentChange("delta"))
        await before.book.segments.mark_deleted(key, second.id)
        await before.book.describe(msgspec.structs.replace(await before.book.document(other), enabled=False))
        assert await _found(before, "eta") == 1
    async with knowledge_base(tmp_path) as after, asyncio.timeout(30):
        await after.ingester.made_good.wait()
        assert [await _found(after, word) for word in ("alpha", "beta", "gamma", "delta", "eta")] == [0, 0, 1, 1, 0]
        assert [one.content for one in (await after.book.segments.page(key))[0]] == ["delta", "gamma"]


async def test_changes_at_once_all_arrive(knowledge: KnowledgeBase) -> None:
    key = await _document(knowledge)
    first, second = (await knowledge.book.segments.page(key))[0]
    editing = knowledge.indexing.editing
    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(editing.change(key, first.id, SegmentChange(f"one word{number}")))
            group.create_task(editing.change(key, second.id, SegmentChange(f"two word{number}")))
            group.create_task(editing.add(key, [NewSegment(f"three word{number}")]))
    kept = {one.content for one in (await knowledge.book.segments.page(key, limit=100))[0]}
    assert {passage.text for passage in await knowledge.index.passages("t", "d", key.document)} == kept
    assert len(kept) == 12
    assert await knowledge.book.segments.unsettled(key) == []


async def test_edits_give_way_to_a_document_that_is_replaced(knowledge: KnowledgeBase) -> None:
    key = await _document(knowledge)
    first = (await knowledge.book.segments.page(key))[0][0]
    await knowledge.indexing.editing.change(key, first.id, SegmentChange("gamma"))
    await knowledge.ingester.replace(key, NewDocument("a.txt", b"delta", rule=_LINES))
    await knowledge.ingester.idle()
    assert [await _found(knowledge, word) for word in ("gamma", "beta", "delta")] == [0, 0, 1]
    assert [one.content for one in (await knowledge.book.segments.page(key))[0]] == ["delta"]
