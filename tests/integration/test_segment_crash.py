"""A change of a segment that was acknowledged before a kill -9 is there after it, in the book and in the index, and what was deleted is nowhere."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from tests.fakes.knowledge_base import knowledge_base

_LEAST = 60
_PROCESS = """
import asyncio, sys
from pathlib import Path
from seekway.knowledge.ingest.records import DatasetRecord, NewDocument
from seekway.knowledge.segments.records import NewSegment, SegmentChange
from tests.fakes.knowledge_base import knowledge_base

async def main():
    async with knowledge_base(Path(sys.argv[1])) as knowledge:
        await knowledge.book.create_dataset(DatasetRecord("t", "d", "D", "", "hashed", 64))
        key = (await knowledge.ingester.add("t", "d", NewDocument("a.txt", b"first"))).document.key
        await knowledge.ingester.idle()
        print(key.document, flush=True)
        editing = knowledge.indexing.editing
        for number in range(100_000):
            (made,) = await editing.add(key, [NewSegment(f"added{number}")])
            print(f"added{number}", flush=True)
            if number % 3 == 1:
                await editing.change(key, made.id, SegmentChange(f"changed{number}"))
                print(f"changed{number}", flush=True)
            if number % 3 == 2:
                await editing.delete(key, made.id)
                print(f"deleted{number}", flush=True)

asyncio.run(main())
"""


async def test_no_acknowledged_change_is_lost(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROCESS, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    told: list[str] = []
    while len(told) < _LEAST:
        line = await process.stdout.readline()
        assert line, "the process ended by itself"
        told.append(line.decode().strip())
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    told += [line.decode() for line in rest.split(b"\n")[:-1]]
    due, gone = {"first"}, set[str]()
    for one in told[1:]:
        number = one.lstrip("abcdefghijklmnopqrstuvwxyz")
        if one.startswith("added"):
            due.add(one)
        else:
            due.discard(f"added{number}")
            (gone if one.startswith("deleted") else due).add(f"added{number}" if one.startswith("deleted") else one)
    async with knowledge_base(tmp_path) as knowledge, asyncio.timeout(60):
        await knowledge.ingester.idle()
        key = (await knowledge.book.documents("t", "d"))[0].key
        kept = {one.content for one in (await knowledge.book.segments.page(key, limit=100_000))[0]}
        # One more may have been kept whose acknowledgement was not written any more.
        assert len(due - kept) <= 1
        assert all(one.removeprefix("added") == told[-1].removeprefix("added") for one in due - kept)
        assert not gone & kept
        indexed = {passage.text for passage in await knowledge.index.passages("t", "d", key.document)}
        assert indexed == kept
