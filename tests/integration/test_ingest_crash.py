"""A document that was accepted before a kill -9 is found after it, whole, without being added again."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from pathlib import Path

from seekway.knowledge.index.passage_index import Scope
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester
from seekway.knowledge.parsing.reader_process import DocumentReader
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder

_LINES = 40
_PROCESS = """
import asyncio, itertools, sys
from pathlib import Path
from seekway.knowledge.chunking.process_rule import read_process_rule
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.indexing import Indexing
from seekway.knowledge.ingest.ingester import Ingester
from seekway.knowledge.ingest.records import DatasetRecord, NewDocument
from seekway.knowledge.parsing.reader_process import DocumentReader
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder

RULE = read_process_rule('{"mode": "custom", "rules": {"segmentation": {"separator": "\\\\n", "max_tokens": 50}}}')

async def main():
    database = SqliteDatabase(Path(sys.argv[1]), prepare=prepare_connection)
    clock = itertools.count().__next__
    book, index = DocumentBook(database, clock), SqlitePassageIndex(database)
    await book.open()
    await index.open()
    await book.create_dataset(DatasetRecord("t", "d", "D", "", "hashed", 64))
    embedder = HashedEmbedder()
    indexing = Indexing(book, index, DocumentReader(), lambda _: embedder, clock=clock)
    ingester = Ingester(book, indexing, clock=clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(ingester.run())
        for number in range(10_000):
            text = "\\n".join(f"word{number} line{k}" for k in range(int(sys.argv[2])))
            added = await ingester.add("t", "d", NewDocument(f"{number}.txt", text.encode(), rule=RULE))
            print(added.document.id, flush=True)
            if number % 8 == 7:
                await ingester.idle()

asyncio.run(main())
"""


async def _accepted(path: Path, least: int) -> list[str]:
    """Ids that a process told before it was killed amid its work."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROCESS, str(path), str(_LINES)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    found: list[str] = []
    while len(found) < least:
        line = await process.stdout.readline()
        assert line, "the process ended by itself"
        found.append(line.decode().strip())
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    return [*found, *(line.decode() for line in rest.split(b"\n")[:-1])]


async def test_no_accepted_document_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.db"
    accepted = await _accepted(path, 20)
    database = SqliteDatabase(path, prepare=prepare_connection)
    reader = DocumentReader()
    try:
        clock = itertools.count(1_000_000).__next__
        book, index = DocumentBook(database, clock), SqlitePassageIndex(database)
        await book.open()
        await index.open()
        before = await book.documents("t", "d")
        assert [document.id for document in before][: len(accepted)] == accepted
        assert any(document.status != "completed" for document in before), "the process was killed too late"
        embedder = HashedEmbedder()
        ingester = Ingester(book, Indexing(book, index, reader, lambda _: embedder, clock=clock), clock=clock)
        running = asyncio.ensure_future(ingester.run())
        await ingester.idle()
        running.cancel()
        await asyncio.wait([running])
        after = await book.documents("t", "d")
        for document in after:
            assert (document.status, document.segments_done) == ("completed", _LINES)
            texts = [passage.text for passage in await index.passages("t", "d", document.id)]
            assert texts == (await book.file(document.key)).decode().split("\n")
        # Each is found once.
        found = await index.by_full_text("t", Scope(("d",), 2 * _LINES * len(after)), "line7")
        assert len({hit.passage for hit in found}) == len(found) == _LINES * len(after)
    finally:
        await reader.close()
        await database.close()
