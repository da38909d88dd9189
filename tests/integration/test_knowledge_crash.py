"""What was acknowledged before a kill -9 is there after it, whole."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from seekway.knowledge.index.passage_index import Scope
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.fakes.passage_indexes import Store, opened

_WRITER = """
import asyncio, sys
from pathlib import Path
from seekway.knowledge.index.passage_index import Dataset, Document
from seekway.knowledge.passage import Passage
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.fakes.passage_indexes import opened

async def main():
    index, _ = await opened(sys.argv[2], Path(sys.argv[1]))
    await index.create("a", Dataset("d", "D", "hashed", 64))
    embedder = HashedEmbedder()
    for number in range(10_000):
        texts = [f"word{number} passage{k}" for k in range(3)]
        passages = [Passage(k + 1, text, 0, len(text)) for k, text in enumerate(texts)]
        await index.put("a", "d", Document(f"doc{number}", "x"), passages, await embedder.embed(texts, "passage"))
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("store", ["sqlite", "lance"])
async def test_no_acknowledged_document_is_lost_or_broken(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "knowledge"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(path), store, stdout=asyncio.subprocess.PIPE
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
    index, close = await opened(store, path)
    try:
        names = [document.id for document in await index.documents("a", "d")]
        assert names[: acknowledged + 1] == [f"doc{number}" for number in range(acknowledged + 1)]
        embedder, scope = HashedEmbedder(), Scope(("d",), 3)
        for number in range(len(names)):
            assert len(await index.passages("a", "d", names[number])) == 3
            assert len(await index.by_full_text("a", scope, f"word{number}")) == 3
            nearest = await index.by_vector("a", scope, embedder.vector(f"word{number} passage1"))
            assert nearest[0].score > 0.99
    finally:
        await close()
