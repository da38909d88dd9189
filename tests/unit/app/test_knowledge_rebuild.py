"""An index that was lost, or whose place another store takes, is made again from what is kept, as people left it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from seekway.app.cli import main
from seekway.app.knowledge import PASSAGES, RECORDS
from seekway.app.knowledge_filling import rebuild_index
from seekway.core.errors import BackendUnavailable
from seekway.core.ports import Backend
from seekway.knowledge.chunking.process_rule import read_process_rule
from seekway.knowledge.index.passage_index import Document, Scope
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument
from seekway.knowledge.segments import editing
from seekway.knowledge.segments.records import NewSegment, SegmentChange
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.unit.app.test_knowledge import World

TOML = '[storage]\ndirectory = "state"\n'
LANCE = TOML + '[knowledge]\nstore = "lance"\n'
_LINES = read_process_rule('{"mode": "custom", "rules": {"segmentation": {"separator": "\\n", "max_tokens": 50}}}')
_NAMED = {"dataset": "d", "name": "Handbook"}


async def _filled(folder: Path) -> tuple[DocumentKey, DocumentKey]:
    """Two documents, of which people changed the first."""
    world = World(folder, TOML)
    world.start()
    base = world.knowledge.base
    await base.book.create_dataset(DatasetRecord("t", "d", "Handbook", "", "hashed", 64))
    text = "\n".join(f"line {number}" for number in range(10)).encode()
    first = (await base.ingester.add("t", "d", NewDocument("a.txt", text, rule=_LINES))).document.key
    second = (await base.ingester.add("t", "d", NewDocument("b.txt", b"other", rule=_LINES))).document.key
    await base.ingester.idle()
    segments = (await base.book.segments.page(first))[0]
    await base.indexing.editing.change(first, segments[0].id, SegmentChange("alpha", keywords=("greek",)))
    await base.indexing.editing.change(first, segments[1].id, SegmentChange(enabled=False))
    await base.indexing.editing.delete(first, segments[2].id)
    await base.indexing.editing.add(first, [NewSegment("beta")])
    await base.indexing.describe(msgspec.structs.replace(await base.book.document(second), enabled=False))
    await world.stop()
    return first, second


async def _settled(world: World) -> None:
    async with asyncio.timeout(30):
        while await world.knowledge.base.book.segments.unsettled_count("t", "d"):  # noqa: ASYNC110 - as another process would see it
            await asyncio.sleep(0.01)


async def _found(world: World, word: str) -> int:
    return len(await world.knowledge.base.index.by_full_text("t", Scope(("d",), 100), word))


async def _as_people_left_it(world: World, keys: tuple[DocumentKey, DocumentKey]) -> None:
    index = world.knowledge.base.index
    texts = [passage.text for passage in await index.passages("t", "d", keys[0].document)]
    assert sorted(texts) == sorted(["alpha", *(f"line {number}" for number in range(3, 10)), "beta"])
    assert [await _found(world, word) for word in ("alpha", "beta", "other")] == [1, 1, 0]
    assert len(await index.by_keyword("t", Scope(("d",), 100), "greek")) == 1
    documents = {document.id: document.enabled for document in await index.documents("t", "d")}
    assert documents == {keys[0].document: True, keys[1].document: False}


@pytest.mark.parametrize("toml", [TOML, LANCE])
async def test_a_lost_index_is_made_again_at_the_next_start(
    tmp_path: Path, toml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "_BATCH", 4)
    keys = await _filled(tmp_path)
    for path in (tmp_path / "state").glob(f"{PASSAGES}*"):
        path.unlink()
    world = World(tmp_path, toml)
    world.start()
    try:
        while not world.told:  # noqa: ASYNC110 - it is told when it begins
            await asyncio.sleep(0.01)
        await _settled(world)
        assert world.told == [("knowledge_index_rebuilt", _NAMED)]
        await _as_people_left_it(world, keys)
    finally:
        await world.stop()


async def test_a_start_finds_nothing_amiss_where_nothing_is(tmp_path: Path) -> None:
    await _filled(tmp_path)
    world = World(tmp_path, TOML)
    world.start()
    try:
        base = world.knowledge.base
        await base.book.create_dataset(DatasetRecord("t", "e", "Empty", "", "hashed", 64))
        await base.ingester.add("t", "e", NewDocument("c.txt", b"gamma", rule=_LINES))
        await base.ingester.idle()
        assert world.told == []
        assert not any("line" in text for text in world.backend.embedded)
    finally:
        await world.stop()


async def test_a_crash_amid_it_is_made_good(tmp_path: Path) -> None:
    keys = await _filled(tmp_path)
    for path in (tmp_path / "state").glob(f"{PASSAGES}*"):
        path.unlink()
    killed = World(tmp_path, TOML)
    base = killed.knowledge.base
    # All was said to be told again, one document's first passages were, and then the process was no more.
    await base.book.segments.unsettle("t", "d")
    some = (await base.book.segments.unsettled(keys[0]))[:3]
    await base.indexing.editing._index_as_kept(keys[0], some)  # pyright: ignore[reportPrivateUsage] - where it dies
    await base.book.segments.settle(keys[0], some)
    await killed.stop()
    world = World(tmp_path, TOML)
    world.start()
    try:
        await _settled(world)
        await _as_people_left_it(world, keys)
    finally:
        await world.stop()


async def test_an_edit_brings_back_a_document_that_the_index_lost(tmp_path: Path) -> None:
    keys = await _filled(tmp_path)
    world = World(tmp_path, TOML)
    try:
        base = world.knowledge.base
        await base.index.delete("t", "d", keys[0].document)
        (segment, *_), _ = await base.book.segments.page(keys[0], keyword="line 9")
        await base.indexing.editing.change(keys[0], segment.id, SegmentChange("line 9"))
        await _as_people_left_it(world, keys)
    finally:
        await world.stop()


async def test_a_rebuilt_index_has_nothing_that_the_book_does_not_know(tmp_path: Path) -> None:
    keys = await _filled(tmp_path)
    world = World(tmp_path, TOML)
    world.start()
    try:
        base = world.knowledge.base
        await base.index.put("t", "d", Document("stray", "stray.txt"), [], np.zeros((0, 64), np.float32))
        assert (
            await rebuild_index(world.knowledge, await base.book.dataset("t", "d"), lambda done, of, what: None) == 11
        )
        assert "alpha" in world.backend.embedded
        await _as_people_left_it(world, keys)
    finally:
        await world.stop()


async def test_without_the_model_nothing_is_begun(tmp_path: Path) -> None:
    await _filled(tmp_path)
    world = World(tmp_path, TOML)

    async def away(model: str) -> tuple[Backend, str]:
        raise BackendUnavailable(f"{model} is not there; start it.")

    world.find = away  # pyright: ignore[reportAttributeAccessIssue] - as found by what is made next
    knowledge = world.made_again()
    try:
        dataset = await knowledge.base.book.dataset("t", "d")
        with pytest.raises(BackendUnavailable):
            await rebuild_index(knowledge, dataset, lambda done, of, what: None)
        assert await knowledge.base.book.segments.unsettled_count("t", "d") == 0
    finally:
        await knowledge.close()
        await world.stop()


async def test_what_waits_is_looked_up_and_not_searched_for(tmp_path: Path) -> None:
    """It is asked every second, however many segments there are."""
    await _filled(tmp_path)
    database = SqliteDatabase(tmp_path / "state" / RECORDS)
    asked = {
        "select 1 from kb_segments where settled < revision and (updated_at < 1 or settled = -2) limit 1": "kb_segments_unsettled",
        "select 1 from kb_documents where undescribed = 1 limit 1": "kb_documents_undescribed",
    }
    try:
        for question, index in asked.items():
            plan = await database.read(lambda connection, q=question: connection.all(f"explain query plan {q}"))
            assert index in str(plan)
    finally:
        await database.close()


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    config = tmp_path / "seekway.toml"
    config.write_text(TOML, "utf-8")
    (tmp_path / "a.txt").write_text("Parcels come on Tuesdays.", "utf-8")

    def kb(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["--config", str(config), "kb", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    kb("create", "notes", "--economy")
    kb("add", "--to", "notes", str(tmp_path / "a.txt"))
    for path in (tmp_path / "state").glob(f"{PASSAGES}*"):
        path.unlink()
    lost = kb("search", "parcels", "--method", "full_text")
    assert "Not all passages of notes are in the index" in lost
    assert "Nothing was found." in lost
    assert "notes: 1 passages indexed again." in kb("rebuild")
    found = kb("search", "parcels", "--method", "full_text")
    assert "Parcels" in found
    assert "Not all" not in found
