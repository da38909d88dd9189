"""Documents are indexed in the background, and each fails for itself."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from seekway.core.errors import BackendUnavailable, NotFound
from seekway.knowledge.chunking.process_rule import read_process_rule
from seekway.knowledge.index.passage_index import Scope
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument
from seekway.knowledge.parsing.parse import parse
from seekway.knowledge.parsing.parsed import Parsed
from seekway.knowledge.ports import Purpose, Vectors
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder

_LINES = read_process_rule('{"mode": "custom", "rules": {"segmentation": {"separator": "\\n", "max_tokens": 50}}}')
_CHILDREN = read_process_rule(
    '{"mode": "hierarchical", "rules": {"segmentation": {"separator": "\\n\\n", "max_tokens": 100},'
    ' "subchunk_segmentation": {"separator": "\\n", "max_tokens": 50}}}'
)


def _lines(number: int, word: str = "line") -> bytes:
    return "\n".join(f"{word} {k}" for k in range(number)).encode()


class _Reader:
    """Reads here, and stops at a gate."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.two = asyncio.Event()
        self.at_once = self.most_at_once = 0

    async def read(self, data: bytes, filename: str, mime: str | None = None) -> Parsed:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.at_once == 2:
            self.two.set()
        try:
            await self.gate.wait()
            if data == b"bug":
                raise ZeroDivisionError
            return parse(data, filename, mime)
        finally:
            self.at_once -= 1


class _Embedder(HashedEmbedder):
    """Fails at the calls whose numbers are in ``fails``; stops before each at a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: set[int] = set()
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.embedding = asyncio.Event()

    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        self.calls += 1
        if self.calls in self.fails:
            raise BackendUnavailable("The model is not there; start it.")
        self.embedding.set()
        await self.gate.wait()
        return await super().embed(texts, purpose)


class _World:
    """One process: all that works on the files of one folder."""

    def __init__(self, database: SqliteDatabase) -> None:
        clock = itertools.count(1_000).__next__
        self.book = DocumentBook(database, clock)
        self.index = SqlitePassageIndex(database)
        self.reader = _Reader()
        self.embedder = _Embedder()
        self.paused: list[float] = []
        indexing = self.indexing = Indexing(self.book, self.index, self.reader, lambda _: self.embedder, clock=clock)
        self.ingester = Ingester(self.book, indexing, clock=clock, at_once=2, pause=self._pause)
        self.running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.book.open()
        await self.index.open()

    async def start(self) -> None:
        self.running = asyncio.ensure_future(self.ingester.run())

    async def stop(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.wait([self.running])

    async def add(self, data: bytes, name: str = "a.txt", form: str = "text_model") -> DocumentKey:
        rule = _CHILDREN if form == "hierarchical_model" else _LINES
        new = NewDocument(name, data, rule=rule, form=form)  # pyright: ignore[reportArgumentType] - one of three, from the tests
        return (await self.ingester.add("t", "d", new)).document.key

    async def found(self, word: str) -> int:
        return len(await self.index.by_full_text("t", Scope(("d",), 100), word))

    async def _pause(self, seconds: float) -> None:
        self.paused.append(seconds)


@pytest.fixture
async def world(database: SqliteDatabase) -> AsyncIterator[_World]:
    made = _World(database)
    await made.open()
    await made.book.create_dataset(DatasetRecord("t", "d", "Handbook", "", "hashed", 64))
    yield made
    await made.stop()


async def test_a_document_comes_to_be_found(world: _World) -> None:
    key = await world.add(_lines(3))
    await world.start()
    await world.ingester.idle()
    document = await world.book.document(key)
    assert (document.status, document.segments, document.segments_done, document.error) == ("completed", 3, 3, None)
    moments = [document.started_at, document.parsed_at, document.cleaned_at, document.split_at, document.completed_at]
    assert moments == sorted(moment for moment in moments if moment is not None)
    assert await world.found("line") == 3
    assert await world.book.jobs.cut(key) == (None, [])
    assert (await world.index.dataset("t", "d")).name == "Handbook"


async def test_a_parent_is_found_by_its_children(world: _World) -> None:
    key = await world.add(b"first child\nsecond child\n\nother", form="hierarchical_model")
    await world.start()
    await world.ingester.idle()
    passages = await world.index.passages("t", "d", key.document)
    assert [passage.keys for passage in passages] == [("first child", "second child"), ("other",)]
    assert world.embedder.asked[0] == ("first child", "passage")


async def test_pairs_are_found_by_their_questions(world: _World) -> None:
    key = await world.add("问题,答案\n怎么退货,七天内\n".encode(), "a.csv", "qa_model")
    await world.start()
    await world.ingester.idle()
    (passage,) = await world.index.passages("t", "d", key.document)
    assert (passage.text, passage.answer) == ("怎么退货", "七天内")


async def test_each_failure_is_its_documents_own_and_says_why(world: _World) -> None:
    keys = [
        await world.add(b"%PDF-", "broken.pdf"),
        await world.add(b"bug"),
        await world.add(b"text", "questions.txt", "qa_model"),
        await world.add(_lines(2)),
    ]
    await world.start()
    await world.ingester.idle()
    documents = [await world.book.document(key) for key in keys]
    assert [document.status for document in documents] == ["error", "error", "error", "completed"]
    assert str(documents[0].error).startswith("broken.pdf: The PDF is broken")
    assert "ZeroDivision" not in str(documents[1].error)
    assert "of which there is none" in str(documents[2].error)
    assert documents[0].stopped_at is not None


async def test_no_more_are_worked_on_at_once_than_may_be(world: _World) -> None:
    world.reader.gate.clear()
    for number in range(6):
        await world.add(_lines(number + 1))
    await world.start()
    await world.reader.two.wait()
    world.reader.gate.set()
    await world.ingester.idle()
    assert world.reader.most_at_once == 2
    assert {one.status for one in await world.book.documents("t", "d")} == {"completed"}


async def test_a_model_that_is_away_is_asked_again_from_where_it_was(world: _World) -> None:
    key = await world.add(_lines(100))
    world.embedder.fails = {2, 3}
    await world.start()
    await world.ingester.idle()
    assert (await world.book.document(key)).status == "completed"
    assert world.paused == [1.0, 2.0]
    assert len(world.embedder.asked) == 100


async def test_a_model_that_stays_away_fails_the_document_which_goes_on_later(world: _World) -> None:
    key = await world.add(_lines(100))
    world.embedder.fails = set(range(3, 99))
    await world.start()
    await world.ingester.idle()
    failed = await world.book.document(key)
    assert (failed.status, failed.error) == ("error", "The model is not there; start it.")
    assert failed.segments_done == 64
    world.embedder.fails = set()
    await world.ingester.again(key)
    await world.ingester.idle()
    assert (await world.book.document(key)).status == "completed"
    assert len(world.embedder.asked) == 100


async def test_a_paused_document_waits_and_goes_on(world: _World) -> None:
    world.embedder.gate.clear()
    key = await world.add(_lines(2))
    await world.start()
    await world.embedder.embedding.wait()
    await world.ingester.pause(key)
    paused = await world.book.document(key)
    assert (paused.status, paused.paused_at is not None) == ("paused", True)
    await world.ingester.idle()
    world.embedder.gate.set()
    await world.ingester.again(key)
    await world.ingester.idle()
    assert (await world.book.document(key)).status == "completed"


async def test_a_document_that_is_deleted_while_it_is_worked_on_leaves_nothing(
    world: _World, database: SqliteDatabase
) -> None:
    world.embedder.gate.clear()
    key = await world.add(_lines(100))
    await world.start()
    await world.embedder.embedding.wait()
    await world.ingester.delete(key)
    world.embedder.gate.set()
    await world.ingester.idle()
    with pytest.raises(NotFound):
        await world.book.document(key)
    tables = ("kb_documents", "kb_files", "kb_cuts", "kb_embedded", "documents", "passages", "vectors")
    counts = await database.read(
        lambda connection: [connection.one(f"select count(*) from {table}") for table in tables]  # noqa: S608 - names from above
    )
    assert counts == [(0,)] * len(tables)


async def test_a_dataset_that_is_deleted_leaves_nothing_and_its_name_is_free(world: _World) -> None:
    await world.add(_lines(2))
    await world.start()
    await world.ingester.idle()
    await world.ingester.delete_dataset("t", "d")
    with pytest.raises(NotFound):
        await world.index.dataset("t", "d")
    assert await world.book.marked() == ([], [])
    await world.book.create_dataset(DatasetRecord("t", "e", "Handbook", "", "hashed", 64))


async def test_a_replaced_document_is_found_by_its_old_text_until_it_has_the_new(world: _World) -> None:
    key = await world.add(_lines(2, "old"))
    await world.start()
    await world.ingester.idle()
    world.embedder.gate.clear()
    world.embedder.embedding.clear()
    await world.ingester.replace(key, NewDocument("b.txt", _lines(3, "new"), rule=_LINES))
    await world.embedder.embedding.wait()
    assert (await world.found("old"), await world.found("new")) == (2, 0)
    world.embedder.gate.set()
    await world.ingester.idle()
    assert (await world.found("old"), await world.found("new")) == (0, 3)


async def test_another_process_goes_on_with_what_one_left(tmp_path: Path, world: _World) -> None:
    world.embedder.fails = set()
    key = await world.add(_lines(100))
    other = await world.add(_lines(1, "deleted"))
    await world.start()
    await world.ingester.idle()
    # As a crash leaves them: amid embedding, and amid a deletion.
    world.embedder.gate.clear()
    world.embedder.embedding.clear()
    await world.ingester.replace(key, NewDocument("b.txt", _lines(100, "new"), rule=_LINES))
    await world.embedder.embedding.wait()
    await world.stop()
    await world.book.mark_deleted(other)
    later = _World(SqliteDatabase(tmp_path / "knowledge.db", prepare=prepare_connection))
    await later.open()
    try:
        await later.start()
        await later.ingester.idle()
        assert (await later.book.document(key)).status == "completed"
        assert (await later.found("new"), await later.found("deleted")) == (100, 0)
        assert await later.book.marked() == ([], [])
    finally:
        await later.stop()


async def test_what_is_changed_while_it_is_worked_on_is_what_is_indexed(world: _World) -> None:
    world.embedder.gate.clear()
    key = await world.add(_lines(2))
    await world.start()
    await world.embedder.embedding.wait()
    document = await world.book.document(key)
    await world.indexing.describe(msgspec.structs.replace(document, name="新.txt", metadata={"a": "b"}, enabled=False))
    world.embedder.gate.set()
    await world.ingester.idle()
    (indexed,) = await world.index.documents("t", "d")
    assert (indexed.name, indexed.metadata, indexed.enabled) == ("新.txt", {"a": "b"}, False)


async def test_a_file_with_nothing_left_after_cleaning_says_so(world: _World) -> None:
    rule = read_process_rule(
        '{"mode": "custom", "rules": {"pre_processing_rules": [{"id": "remove_urls_emails", "enabled": true}]}}'
    )
    key = (await world.ingester.add("t", "d", NewDocument("a.txt", b"https://example.com", rule=rule))).document.key
    await world.start()
    await world.ingester.idle()
    assert "nothing is left" in str((await world.book.document(key)).error)
