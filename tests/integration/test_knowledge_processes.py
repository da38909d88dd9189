"""Several processes on one knowledge base: one indexes, its death is another's turn, and nobody's changes are lost or undone."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seekway.core.errors import NotFound
from seekway.knowledge.chunking.process_rule import read_process_rule
from seekway.knowledge.index.lance.lance_index import LancePassageIndex
from seekway.knowledge.index.passage_index import PassageIndex, Scope
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester
from seekway.knowledge.ingest.lease import LASTS_S, Lease
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument
from seekway.knowledge.ingest.turn import IngestTurn
from seekway.knowledge.parsing.parse import parse
from seekway.knowledge.parsing.parsed import Parsed
from seekway.knowledge.ports import Purpose, Vectors
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.fakes.passage_indexes import Store

RULE = read_process_rule('{"mode": "custom", "rules": {"segmentation": {"separator": "\\n", "max_tokens": 50}}}')


class _Reader:
    async def read(self, data: bytes, filename: str, mime: str | None = None) -> Parsed:
        return parse(data, filename, mime)


class _Embedder(HashedEmbedder):
    """Stops before each batch at a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.embedding = asyncio.Event()

    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        self.embedding.set()
        await self.gate.wait()
        return await super().embed(texts, purpose)


def _hear_nothing(event: str, about: dict[str, str]) -> None:
    assert event
    assert about


class Process:
    """All that one process has of the knowledge base in ``path``; ``now`` is its lease's clock."""

    def __init__(self, path: Path, holder: str, store: Store = "sqlite") -> None:
        self.database = SqliteDatabase(path, prepare=prepare_connection)
        milliseconds = itertools.count(1).__next__
        self.book = DocumentBook(self.database, milliseconds)
        self.sqlite = SqlitePassageIndex(self.database)
        self.index: PassageIndex = self.sqlite if store == "sqlite" else LancePassageIndex(f"{path}.lance")
        self.embedder = _Embedder()
        self.now = 0.0
        indexing = Indexing(self.book, self.index, _Reader(), lambda _: self.embedder, clock=milliseconds)
        self.ingester = Ingester(self.book, indexing, clock=milliseconds)
        self.lease = Lease(self.database, "documents", holder, clock=lambda: self.now)
        self.turn = IngestTurn(self.book, self.index, self.ingester, self.lease, _hear_nothing, there=lambda: True)

    async def open(self) -> None:
        await self.book.open()
        await self.sqlite.open()

    async def add(self, text: str) -> DocumentKey:
        return (await self.ingester.add("t", "d", NewDocument("a.txt", text.encode(), rule=RULE))).document.key

    async def found(self, word: str) -> int:
        return len(await self.index.by_vector("t", Scope(("d",), 100), self.embedder.vector(word)))

    async def until(self, key: DocumentKey, status: str) -> None:
        while (await self.book.document(key)).status != status:  # noqa: ASYNC110 - another process's work shows in its database alone
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        task = asyncio.ensure_future(self.turn.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def process(path: Path, holder: str, store: Store) -> AsyncGenerator[Process]:
    made = Process(path, holder, store)
    await made.open()
    try:
        yield made
    finally:
        await made.database.close()


@pytest.fixture(params=["sqlite", "lance"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.param


@pytest.fixture
async def two(tmp_path: Path, store: Store) -> AsyncIterator[tuple[Process, Process]]:
    path = tmp_path / "knowledge.db"
    async with process(path, "one", store) as one, process(path, "two", store) as other:
        await one.book.create_dataset(DatasetRecord("t", "d", "Handbook", "", "hashed", 64))
        yield one, other


async def _killed(path: Path, store: Store) -> None:
    """A process that has the turn and is amid its work, killed."""
    script = (
        "import asyncio\nfrom pathlib import Path\nfrom tests.integration.test_knowledge_processes import Process\n"
        "async def main():\n"
        f"    made = Process(Path({str(path)!r}), 'killed', {store!r})\n"
        "    await made.open()\n    made.embedder.gate.clear()\n"
        "    async with made.running():\n"
        "        await made.embedder.embedding.wait()\n"
        "        print('working', flush=True)\n        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"working\n"
    child.send_signal(signal.SIGKILL)
    await child.wait()


async def test_what_a_killed_process_was_at_is_another_ones_turn(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "knowledge.db"
    async with process(path, "heir", store) as heir:
        await heir.book.create_dataset(DatasetRecord("t", "d", "Handbook", "", "hashed", 64))
        key = await heir.add("one\ntwo\nthree")
        await _killed(path, store)
        assert (await heir.book.document(key)).status == "indexing"
        assert not await heir.lease.take(), "the dead one may live"
        async with heir.running():
            heir.now = LASTS_S
            await heir.until(key, "completed")
        assert await heir.found("two") == 3


async def test_only_one_indexes_and_what_it_indexed_the_other_finds(two: tuple[Process, Process]) -> None:
    one, other = two
    assert await other.add("nothing")
    one.embedder.gate.clear()
    async with one.running():
        await one.embedder.embedding.wait()
        async with other.running():
            key = await other.add("first line\nsecond line")
            assert not await other.lease.take()
            one.embedder.gate.set()
            await other.until(key, "completed")
    assert await other.found("second") == await one.found("second") == 3
    assert len(one.embedder.asked) + len(other.embedder.asked) == 3, "each text was embedded once"


async def test_a_document_that_another_process_deletes_amid_the_work_leaves_nothing(
    two: tuple[Process, Process],
) -> None:
    one, other = two
    key = await other.add("first line\nsecond line")
    one.embedder.gate.clear()
    async with one.running():
        await one.embedder.embedding.wait()
        await other.ingester.delete(key)
        one.embedder.gate.set()
        later = await other.add("something else")
        await other.until(later, "completed")
    tables = {"kb_documents": 1, "kb_files": 1, "kb_cuts": 0, "kb_embedded": 0}
    for table, count in tables.items():
        (row,) = await one.database.read(lambda c, t=table: c.all(f"select count(*) from {t}"))  # noqa: S608 - names from above
        assert row == (count,), table
    assert [document.id for document in await one.index.documents("t", "d")] == [later.document]
    assert await one.found("line") == 1


async def test_a_dataset_that_another_process_deletes_amid_the_work_leaves_nothing(
    two: tuple[Process, Process],
) -> None:
    one, other = two
    await other.add("first line\nsecond line")
    one.embedder.gate.clear()
    async with one.running():
        await one.embedder.embedding.wait()
        await other.ingester.delete_dataset("t", "d")
        one.embedder.gate.set()
        while await one.book.jobs.due():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    with pytest.raises(NotFound):
        await one.index.dataset("t", "d")


async def test_what_was_overtaken_does_not_undo_what_came_after_it(two: tuple[Process, Process]) -> None:
    """As a process that stood still for long: it has the turn no more, and does not know."""
    one, other = two
    key = await one.add("old line\nsecond old line")
    one.embedder.gate.clear()
    async with one.running():
        await one.embedder.embedding.wait()
        assert not await other.lease.take()
        other.now = LASTS_S
        async with other.running():
            await other.ingester.replace(key, NewDocument("a.txt", b"new line", rule=RULE))
            await other.until(key, "completed")
            one.embedder.gate.set()
            last = await one.add("last")
            await other.until(last, "completed")
    passages = await other.index.passages("t", "d", key.document)
    assert [passage.text for passage in passages] == ["new line"]


async def test_a_pause_of_another_process_holds(two: tuple[Process, Process]) -> None:
    one, other = two
    key = await one.add("first line\nsecond line")
    one.embedder.gate.clear()
    async with one.running():
        await one.embedder.embedding.wait()
        await other.ingester.pause(key)
        one.embedder.gate.set()
        later = await one.add("something else")
        await other.until(later, "completed")
        assert (await other.book.document(key)).status == "paused"
        await other.ingester.again(key)
        await other.until(key, "completed")
