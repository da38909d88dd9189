"""What was acknowledged before a kill -9 is there after it, whole."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from seekway.knowledge.index.passage_index import Scope
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder

_WRITER = """
import asyncio, sys
from pathlib import Path
from seekway.knowledge.index.passage_index import Dataset, Document
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.knowledge.passage import Passage
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.hashed_embedder import HashedEmbedder

async def main():
    index = SqlitePassageIndex(SqliteDatabase(Path(sys.argv[1]), prepare=prepare_connection))
    await index.open()
    await index.create("a", Dataset("d", "D", "hashed", 64))
    embedder = HashedEmbedder()
    for number in range(10_000):
        texts = [f"word{number} passage{k}" for k in range(3)]
        passages = [Passage(k + 1, text, 0, len(text)) for k, text in enumerate(texts)]
        await index.put("a", "d", Document(f"doc{number}", "x"), passages, await embedder.embed(texts, "passage"))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_no_acknowledged_document_is_lost_or_broken(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = -1
    while acknowledged < 40:
        line = await process.stdout.readline()
        assert line, "the writer ended by itself"
        acknowledged = int(line)
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    acknowledged = max([acknowledged, *(int(line) for line in rest.split(b"\n")[:-1])])
    database = SqliteDatabase(path, prepare=prepare_connection)
    try:
        index = SqlitePassageIndex(database)
        await index.open()
        names = [document.id for document in await index.documents("a", "d")]
        assert names[: acknowledged + 1] == [f"doc{number}" for number in range(acknowledged + 1)]
        embedder, scope = HashedEmbedder(), Scope(("d",), 3)
        for number in range(len(names)):
            assert len(await index.passages("a", "d", names[number])) == 3
            assert len(await index.by_full_text("a", scope, f"word{number}")) == 3
            nearest = await index.by_vector("a", scope, embedder.vector(f"word{number} passage1"))
            assert nearest[0].score > 0.99
    finally:
        await database.close()
