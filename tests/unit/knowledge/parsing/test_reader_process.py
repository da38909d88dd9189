"""A file that harms its reader harms nothing else."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.reader_process import DocumentReader
from tests.fakes import office_files


@pytest.fixture
async def reader() -> AsyncIterator[DocumentReader]:
    made = DocumentReader(processes=2, seconds=2)
    yield made
    await made.close()


async def test_files_are_read_beside_each_other(reader: DocumentReader) -> None:
    files = {"a.docx": office_files.word(), "b.pdf": office_files.pdf([["第一页"]]), "c.txt": b"text"}
    found = await asyncio.gather(*(reader.read(data, name) for name, data in files.items()))
    assert [parsed.title for parsed in found] == ["员工手册", "b", "c"]


async def test_a_file_that_takes_too_long_ends_only_its_reader(reader: DocumentReader) -> None:
    with pytest.raises(DocumentUnreadable, match=r"deep\.html: It takes longer than 2 s"):
        await reader.read(b"<div>" * 2_000_000, "deep.html")
    assert (await reader.read(b"text", "a.txt")).text == "text"


async def test_a_file_that_takes_too_much_memory_ends_only_its_reader() -> None:
    reader = DocumentReader(memory_mib=160, seconds=20)
    try:
        with pytest.raises(DocumentUnreadable, match=r"big\.txt: "):
            await reader.read(b"\xe4\xb8\xad" * 15_000_000, "big.txt")
        assert (await reader.read(b"text", "a.txt")).text == "text"
    finally:
        await reader.close()


async def test_an_unreadable_file_leaves_its_reader_whole(reader: DocumentReader) -> None:
    for _ in range(3):
        with pytest.raises(DocumentUnreadable, match=r"a\.pdf: The PDF is broken"):
            await reader.read(b"%PDF-", "a.pdf")
    assert (await reader.read(b"text", "a.txt")).text == "text"


async def test_who_leaves_takes_his_reader_along(reader: DocumentReader) -> None:
    reading = asyncio.ensure_future(reader.read(b"<div>" * 2_000_000, "deep.html"))
    await reader.read(b"text", "a.txt")
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await reader.read(b"text", "a.txt")).text == "text"


async def test_a_process_with_nothing_to_read_is_ended_and_the_next_file_has_another() -> None:
    reader = DocumentReader(idle_s=0)
    try:
        first = await read_by(reader)
        assert await asyncio.wait_for(first.wait(), 20) == -signal.SIGKILL
        assert (await read_by(reader)).pid != first.pid
    finally:
        await reader.close()


async def test_files_in_a_row_are_read_by_one_process() -> None:
    reader = DocumentReader(idle_s=600)
    try:
        pids = {(await read_by(reader)).pid for _ in range(3)}
        assert len(pids) == 1
    finally:
        await reader.close()


async def read_by(reader: DocumentReader) -> asyncio.subprocess.Process:
    """The process that has read a file."""
    assert (await reader.read(b"text", "a.txt")).text == "text"
    return reader._idle[-1]._process  # pyright: ignore[reportPrivateUsage] - nobody else is to see it
