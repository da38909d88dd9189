"""Tags and fields of metadata, on both databases."""

from __future__ import annotations

import msgspec
import pytest

from seekway.core.errors import AlreadyExists, InvalidParameter, NotFound
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, NewDocument
from seekway.knowledge.labels.fields import Field, FieldKind, field_value


async def _dataset(book: DocumentBook, name: str = "d", tenant: str = "t") -> None:
    await book.create_dataset(DatasetRecord(tenant, name, name))


async def test_tags_are_named_once_counted_and_go_with_their_bindings(book: DocumentBook) -> None:
    await _dataset(book)
    red, blue = await book.tags.create("t", "red"), await book.tags.create("t", "blue")
    await book.tags.bind("t", [red.id, blue.id], "d")
    await book.tags.bind("t", [red.id], "d")
    assert [(tag.name, tag.bound) for tag in await book.tags.tags("t")] == [("blue", 1), ("red", 1)]
    with pytest.raises(AlreadyExists):
        await book.tags.create("t", "red")
    with pytest.raises(AlreadyExists):
        await book.tags.rename("t", blue.id, "red")
    assert (await book.tags.rename("t", blue.id, "green")).name == "green"
    await book.tags.unbind("t", [blue.id], "d")
    assert [tag.name for tag in await book.tags.tags("t", "d")] == ["red"]
    assert {name: [tag.name for tag in tags] for name, tags in (await book.tags.bindings("t")).items()} == {
        "d": ["red"]
    }
    await book.tags.delete("t", red.id)
    assert await book.tags.tags("t", "d") == []
    await book.tags.bind("t", [blue.id], "d")
    await book.mark_dataset_deleted("t", "d")
    assert [tag.bound for tag in await book.tags.tags("t")] == [0]
    await book.purge_dataset("t", "d")
    assert await book.tags.bindings("t") == {}


async def test_tags_of_another_tenant_are_not_there(book: DocumentBook) -> None:
    await _dataset(book)
    red = await book.tags.create("t", "red")
    assert await book.tags.tags("u") == []
    assert (await book.tags.create("u", "red")).id != red.id
    for change in (
        book.tags.rename("u", red.id, "x"),
        book.tags.delete("u", red.id),
        book.tags.bind("u", [red.id], "d"),
    ):
        with pytest.raises(NotFound):
            await change
    with pytest.raises(NotFound):
        await book.tags.bind("t", [red.id, "nowhere"], "d")
    assert await book.tags.tags("t", "d") == []


async def _documents(book: DocumentBook) -> list[DocumentKey]:
    made: list[DocumentKey] = []
    for number in range(2):
        document = (await book.add("t", "d", NewDocument("a.txt", str(number).encode()))).document
        await book.describe(msgspec.structs.replace(document, metadata={"year": 2020 + number, "other": "x"}))
        await book.listing.described(await book.document(document.key))
        made.append(document.key)
    return made


async def test_a_field_is_renamed_and_deleted_with_its_values(book: DocumentBook) -> None:
    await _dataset(book)
    keys = await _documents(book)
    made = await book.fields.create("t", "d", "year", "number")
    with pytest.raises(AlreadyExists):
        await book.fields.create("t", "d", "year", "string")
    with pytest.raises(InvalidParameter):
        await book.fields.create("t", "d", "uploader", "string")
    assert await book.fields.fields("t", "d") == [Field(made.id, "year", "number", 2)]
    assert await book.listing.undescribed() == []
    renamed, changed = await book.fields.rename("t", "d", made.id, "Jahr")
    assert (renamed.name, sorted(changed)) == ("Jahr", sorted(key.document for key in keys))
    assert (await book.document(keys[0])).metadata == {"other": "x", "Jahr": 2020}
    # The index is yet to hear of it, also after a crash.
    assert sorted(await book.listing.undescribed()) == sorted(keys)
    await book.listing.described(await book.document(keys[0]))
    assert await book.listing.undescribed() == [keys[1]]
    # Who described it as it was came too late.
    await book.listing.described(msgspec.structs.replace(await book.document(keys[0]), name="old"))
    assert sorted(await book.listing.undescribed()) == sorted(keys)
    await book.fields.delete("t", "d", made.id)
    assert (await book.document(keys[1])).metadata == {"other": "x"}
    assert await book.fields.fields("t", "d") == []
    for change in (book.fields.delete("t", "d", made.id), book.fields.rename("u", "d", made.id, "x")):
        with pytest.raises(NotFound):
            await change
    with pytest.raises(NotFound):
        await book.fields.create("u", "d", "x", "string")


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("string", "x", "x"),
        ("string", 5, "5"),
        ("number", 5, 5),
        ("number", "5.5", 5.5),
        ("time", 1767225600, 1767225600),
        ("time", None, None),
        ("number", "", None),
    ],
)
def test_values_are_kept_by_their_kind(kind: FieldKind, given: object, kept: object) -> None:
    assert field_value(Field("1", "f", kind), given) == kept


@pytest.mark.parametrize(("kind", "given"), [("number", "x"), ("number", True), ("time", "tomorrow"), ("number", [])])
def test_values_of_another_kind_are_refused(kind: FieldKind, given: object) -> None:
    with pytest.raises(InvalidParameter):
        field_value(Field("1", "f", kind), given)
