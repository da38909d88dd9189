"""What is known of datasets, documents and files."""

from __future__ import annotations

import pytest

from seekway.core.errors import AlreadyExists, InvalidRequest, NotFound
from seekway.knowledge.chunking.process_rule import read_process_rule
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument

_RULE = read_process_rule('{"mode": "custom", "rules": {"segmentation": {"max_tokens": 77}}}')


async def _dataset(book: DocumentBook, tenant: str = "a", name: str = "handbook") -> None:
    await book.create_dataset(DatasetRecord(tenant, "d", name, "about", "model", 3, '{"x": 1}'))


async def test_datasets_are_kept_by_tenant_and_name(book: DocumentBook) -> None:
    await _dataset(book)
    await _dataset(book, "b")
    with pytest.raises(AlreadyExists):
        await book.create_dataset(DatasetRecord("a", "other", "handbook"))
    assert (await book.dataset("a", "d")).settings == '{"x": 1}'
    assert [one.id for one in await book.datasets("a")] == ["d"]
    with pytest.raises(NotFound):
        await book.dataset("c", "d")


async def test_a_document_is_kept_with_its_rule_and_file(book: DocumentBook) -> None:
    await _dataset(book)
    added = await book.add("a", "d", NewDocument("手册.txt", b"text", "text/plain", rule=_RULE, metadata={"年": 2026}))
    assert not added.known
    document = await book.document(added.document.key)
    assert document == added.document
    assert (document.status, document.position, document.rule, document.metadata) == ("waiting", 1, _RULE, {"年": 2026})
    assert await book.file(document.key) == b"text"
    assert await book.jobs.waiting(9) == [document.key]
    with pytest.raises(NotFound):
        await book.document(document.key._replace(tenant="b"))
    with pytest.raises(NotFound):
        await book.add("b", "d", NewDocument("x.txt", b"text"))


async def test_the_same_file_twice_is_known_unless_it_is_cut_otherwise(book: DocumentBook) -> None:
    await _dataset(book)
    first = await book.add("a", "d", NewDocument("a.txt", b"text"))
    again = await book.add("a", "d", NewDocument("b.txt", b"text"))
    assert (again.known, again.document.id) == (True, first.document.id)
    other = await book.add("a", "d", NewDocument("a.txt", b"text", rule=_RULE))
    assert not other.known
    await book.jobs.step(await book.jobs.claim(first.document.key), "error", error="broken")
    retried = await book.add("a", "d", NewDocument("a.txt", b"text"))
    assert (retried.known, retried.document.status, retried.document.error) == (True, "waiting", None)


async def test_a_file_goes_with_the_last_document_that_has_it(book: DocumentBook) -> None:
    await _dataset(book)
    one = (await book.add("a", "d", NewDocument("a.txt", b"text"))).document.key
    other = (await book.add("a", "d", NewDocument("a.txt", b"text", rule=_RULE))).document.key
    await book.mark_deleted(one)
    await book.purge(one)
    assert await book.file(other) == b"text"
    replaced = await book.replace(other, NewDocument("b.txt", b"new", batch="two"))
    assert (replaced.id, replaced.batch, replaced.status) == (other.document, "two", "waiting")
    assert await book.file(other) == b"new"
    assert [one.id for one in await book.documents("a", "d", batch="two")] == [other.document]
    # The old file is gone with its last document: it comes as a new one.
    assert not (await book.add("a", "d", NewDocument("a.txt", b"text"))).known


async def test_what_is_under_way_waits_again_after_a_crash_and_the_rest_stays(book: DocumentBook) -> None:
    await _dataset(book)
    keys: dict[str, DocumentKey] = {}
    for status in ("parsing", "cleaning", "splitting", "indexing", "completed", "error", "paused"):
        keys[status] = (await book.add("a", "d", NewDocument("a.txt", status.encode()))).document.key
        await book.jobs.step(await book.jobs.claim(keys[status]), status)
    await book.jobs.put_back()
    found = {one.id: one.status for one in await book.documents("a", "d")}
    assert [found[key.document] for key in keys.values()] == ["waiting"] * 4 + ["completed", "error", "paused"]


async def test_pausing_and_resuming_are_refused_where_they_mean_nothing(book: DocumentBook) -> None:
    await _dataset(book)
    key = (await book.add("a", "d", NewDocument("a.txt", b"text"))).document.key
    with pytest.raises(InvalidRequest):
        await book.again(key)
    await book.pause(key)
    assert await book.jobs.waiting(1) == []
    await book.again(key)
    await book.jobs.complete(await book.jobs.claim(key), ())
    with pytest.raises(InvalidRequest):
        await book.pause(key)


async def test_what_is_marked_as_deleted_is_seen_no_more(book: DocumentBook) -> None:
    await _dataset(book)
    key = (await book.add("a", "d", NewDocument("a.txt", b"text"))).document.key
    await book.mark_dataset_deleted("a", "d")
    for asked in (book.document(key), book.dataset("a", "d"), book.documents("a", "d"), book.file(key)):
        with pytest.raises(NotFound):
            await asked
    assert await book.jobs.waiting(1) == []
    assert await book.marked() == ([key], [("a", "d")])
    await book.create_dataset(DatasetRecord("a", "new", "handbook"))
    await book.purge(key)
    await book.purge_dataset("a", "d")
    assert await book.marked() == ([], [])
