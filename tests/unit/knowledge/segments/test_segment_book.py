"""Segments are rows of their own, on both databases."""

from __future__ import annotations

import pytest

from seekway.core.errors import InvalidRequest, NotFound
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.job_book import Superseded
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument
from seekway.knowledge.passage import Passage
from seekway.knowledge.segments.records import NewSegment, Segment, SegmentChange, SegmentKey


async def _document(book: DocumentBook, *passages: Passage) -> DocumentKey:
    await book.create_dataset(DatasetRecord("t", "d", "Handbook"))
    key = (await book.add("t", "d", NewDocument("a.txt", b"text"))).document.key
    if passages:
        await _complete(book, key, *passages)
    return key


async def _complete(book: DocumentBook, key: DocumentKey, *passages: Passage) -> None:
    await book.jobs.do_again(key)
    await book.jobs.complete(await book.jobs.claim(key), passages)


async def _all(book: DocumentBook, key: DocumentKey) -> list[Segment]:
    return (await book.segments.page(key))[0]


_TWO = (Passage(1, "Alpha", 0, 5, heading="Title"), Passage(2, "Beta", 6, 10, keys=("be", "ta")))


async def test_a_document_that_is_indexed_has_its_passages_as_segments(book: DocumentBook) -> None:
    key = await _document(book, *_TWO)
    found = await _all(book, key)
    assert [one.passage for one in found] == list(_TWO)
    assert len({one.id for one in found}) == 2
    assert await _all(book, key) == found
    document = await book.document(key)
    assert (document.status, document.segments, document.segments_done) == ("completed", 2, 2)
    await _complete(book, key, *_TWO[:1])
    again = await _all(book, key)
    assert [one.passage for one in again] == [_TWO[0]]
    assert again[0].id != found[0].id


async def test_what_is_added_changed_or_deleted_is_unsettled_until_the_index_has_it(book: DocumentBook) -> None:
    key = await _document(book, *_TWO)
    assert await book.segments.unsettled(key) == []
    (added,) = await book.segments.add(key, [NewSegment("Gamma", keywords=("g",), children=("ga", "mma"))])
    assert (added.position, added.keywords, [child.content for child in added.children]) == (3, ("g",), ["ga", "mma"])
    first, second, _ = await _all(book, key)
    changed = await book.segments.change(key, first.id, SegmentChange("New", enabled=False, children=("n",)))
    assert (changed.content, changed.enabled, changed.answer) == ("New", False, None)
    assert changed.disabled_at is not None
    await book.segments.mark_deleted(key, second.id)
    unsettled = await book.segments.unsettled(key)
    assert [one.position for one in unsettled] == [1, 2, 3]
    assert await book.segments.unsettled_documents() == [key]
    again = await book.segments.change(key, first.id, SegmentChange("Newer"))
    await book.segments.settle(key, unsettled)
    # What was changed meanwhile is not taken for settled, what was deleted is gone.
    assert [one.id for one in await book.segments.unsettled(key)] == [again.id]
    await book.segments.settle(key, await book.segments.unsettled(key))
    assert await book.segments.unsettled_documents() == []
    assert [one.content for one in await _all(book, key)] == ["Newer", "Gamma"]
    assert (await book.document(key)).segments == 2


async def test_what_two_told_the_index_at_once_is_told_again(book: DocumentBook) -> None:
    key = await _document(book, *_TWO)
    first = (await _all(book, key))[0]
    await book.segments.change(key, first.id, SegmentChange("New"))
    one, other = await book.segments.unsettled(key), await book.segments.unsettled(key)
    # Which of the two was the last at the index is not known, whoever is through first.
    await book.segments.settle(key, one)
    await book.segments.settle(key, other)
    (again,) = await book.segments.unsettled(key)
    await book.segments.settle(key, [again])
    assert await book.segments.unsettled(key) == []


async def test_a_document_that_was_indexed_anew_under_an_edit_is_indexed_once_more(book: DocumentBook) -> None:
    key = await _document(book, *_TWO)
    first = (await _all(book, key))[0]
    await book.segments.change(key, first.id, SegmentChange("New"))
    told = await book.segments.unsettled(key)
    await book.replace(key, NewDocument("b.txt", b"other"))
    claimed = await book.jobs.claim(key)
    # The index may have been told in between of what is no more: the work on the new file begins again.
    assert not await book.segments.settle(key, told)
    with pytest.raises(Superseded):
        await book.jobs.complete(claimed, _TWO)
    await book.jobs.complete(await book.jobs.claim(key), _TWO)
    assert not await book.segments.settle(key, told)
    assert await book.jobs.waiting(9) == [key]


async def test_children_are_added_changed_and_taken_away(book: DocumentBook) -> None:
    key = await _document(book, *_TWO)
    parent = (await _all(book, key))[1]
    made = await book.segments.add_child(key, parent.id, "more")
    assert [child.content for child in (await book.segments.segment(key, parent.id)).children] == ["be", "ta", "more"]
    await book.segments.change_child(key, parent.id, made, "other")
    await book.segments.change_child(key, parent.id, parent.children[0].id, None)
    changed = await book.segments.segment(key, parent.id)
    assert [(child.content, child.custom) for child in changed.children] == [("ta", False), ("other", True)]
    assert changed.revision == 3
    with pytest.raises(NotFound):
        await book.segments.change_child(key, parent.id, "nowhere", None)


async def test_segments_are_changed_only_where_the_document_is_whole(book: DocumentBook) -> None:
    key = await _document(book)
    with pytest.raises(InvalidRequest):
        await book.segments.add(key, [NewSegment("x")])
    await _complete(book, key, *_TWO)
    first = (await _all(book, key))[0]
    for other in (key._replace(tenant="u"), key._replace(dataset="e"), key._replace(document="f")):
        assert (await book.segments.page(other))[1] == 0
        with pytest.raises(NotFound):
            await book.segments.segment(other, first.id)
        with pytest.raises(NotFound):
            await book.segments.change(other, first.id, SegmentChange("x"))
        with pytest.raises(NotFound):
            await book.segments.mark_deleted(other, first.id)
    with pytest.raises(NotFound):
        await book.segments.change(key, "nowhere", SegmentChange("x"))


async def test_pages_are_searched_by_what_is_written(book: DocumentBook) -> None:
    texts = ("100% sure", "100 sure", "a_b", "AXB", "手册", "why!")
    key = await _document(book, *(Passage(place, text, 0, 1) for place, text in enumerate(texts, 1)))
    for keyword, expected in (("100%", ["100% sure"]), ("A_B", ["a_b"]), ("手", ["手册"]), ("y!", ["why!"])):
        found, total = await book.segments.page(key, keyword=keyword)
        assert ([one.content for one in found], total) == (expected, 1)
    found, total = await book.segments.page(key, page=2, limit=4)
    assert ([one.content for one in found], total) == (["手册", "why!"], 6)


async def test_hits_are_counted_where_they_were(book: DocumentBook) -> None:
    key = await _document(book, *_TWO)
    places = [SegmentKey("d", key.document, 2), SegmentKey("d", key.document, 9), SegmentKey("e", key.document, 1)]
    await book.segments.count_hits("t", places)
    await book.segments.count_hits("u", places)
    assert [one.hits for one in await _all(book, key)] == [0, 1]
    found = await book.segments.at("t", places)
    assert [one.content if one else None for one in found] == ["Beta", None, None]
    assert await book.segments.at("u", places) == [None, None, None]
    figures = (await book.listing.document_figures("t", "d", [key.document]))[key.document]
    assert (figures.segments, figures.characters, figures.hits) == (2, 9, 1)


async def test_nothing_is_left_of_the_segments_of_a_document_that_is_purged(book: DocumentBook) -> None:
    key = await _document(book, *_TWO)
    await book.mark_deleted(key)
    await book.purge(key)
    assert (await book.segments.page(key))[1] == 0
