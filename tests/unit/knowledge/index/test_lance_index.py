"""What the Lance index keeps in its files, and what it shares with other processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from seekway.core.errors import AlreadyExists, ConfigError, NotFound, StorageUnavailable
from seekway.knowledge.index.lance.lance_index import LancePassageIndex
from seekway.knowledge.index.lance.tables import Store, Table
from seekway.knowledge.index.passage_index import Dataset, Document, Scope
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex
from seekway.knowledge.passage import Passage
from tests.fakes.hashed_embedder import HashedEmbedder
from tests.unit.knowledge.index.filling import BOOK, TEXTS, all_ways, found_by, passages_of, put

_SECRET = "zanzibarium kept secret"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lance"


@pytest.fixture
async def filled(folder: Path, embedder: HashedEmbedder) -> LancePassageIndex:
    made = LancePassageIndex(str(folder))
    await made.create("a", BOOK)
    await put(made, embedder, "rules", *passages_of(*TEXTS))
    return made


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _tables(folder: Path) -> list[Path]:
    return [table for table in _below(folder) if table.name.startswith("passages-")]


def _files_with(folder: Path, *words: bytes) -> list[str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file.name for file in files if any(word in file.read_bytes() for word in words)]


def _words_indexed(table: Path) -> int:
    """How many words the index of the one table has; it keeps them as a transducer, in which a word is no run of bytes."""
    lance = cast("Any", import_module("lance"))
    (index,) = (table / "_indices").iterdir()
    statistics = lance.dataset(str(table)).stats.index_stats("terms_idx")
    (one,) = statistics["indices"]
    assert index.is_dir()
    return one["num_tokens"]


@pytest.mark.parametrize("removal", ["delete", "put", "drop_passages", "put_passages", "drop"])
async def test_what_is_deleted_or_replaced_is_in_no_file_and_in_no_index(
    filled: LancePassageIndex, embedder: HashedEmbedder, folder: Path, removal: str
) -> None:
    others = passages_of(*(f"Nothing of it, {number}." for number in range(300)))
    await put(filled, embedder, "others", *others)
    secret = Document("secret", "zanzibarium.md", {"place": "zanzibarium"})
    await put(filled, embedder, "", *passages_of("first", _SECRET), document=secret)
    (table,) = _tables(folder)
    await asyncio.to_thread(filled.table("a", "book").settle, "terms")
    vector = embedder.vector(_SECRET).astype("<f2").tobytes()
    assert await asyncio.to_thread(_files_with, folder, b"anzibarium")
    assert await asyncio.to_thread(_files_with, folder, vector)
    before = await asyncio.to_thread(_words_indexed, table)
    plain = Document("secret", "other.md")
    match removal:
        case "delete":
            await filled.delete("a", "book", "secret")
        case "put":
            await put(filled, embedder, "", *passages_of("first"), document=plain)
        case "drop_passages":
            await filled.change("a", "book", plain)
            await filled.drop_passages("a", "book", "secret", [2])
        case "put_passages":
            await filled.change("a", "book", plain)
            again = [Passage(2, "something other", 0, 9)]
            await filled.put_passages(
                "a", "book", "secret", again, await embedder.embed(["something other"], "passage")
            )
        case _:
            await filled.drop("a", "book")
    assert await asyncio.to_thread(_files_with, folder, b"anzibarium", vector) == []
    if removal != "drop":
        # "zanzibarium", "kept" and "secret"; "first" with the document; two others came.
        fewer = {"delete": 4, "put_passages": 1}.get(removal, 3)
        assert await asyncio.to_thread(_words_indexed, table) == before - fewer
        assert len(await filled.passages("a", "book", "others")) == 300
        assert "Nothing of it, 7." in (await all_ways(filled, embedder, "a", "Nothing of it, 7."))[2]


async def test_what_a_killed_process_deleted_and_left_in_the_files_goes_with_the_next_attempt(
    filled: LancePassageIndex, embedder: HashedEmbedder, folder: Path
) -> None:
    await put(filled, embedder, "secret", *passages_of(_SECRET))
    await asyncio.to_thread(filled.table("a", "book").delete, "document = 'secret'")
    assert await asyncio.to_thread(_files_with, folder, b"anzibarium")
    with pytest.raises(NotFound):
        await filled.delete("a", "book", "secret")
    assert await asyncio.to_thread(_files_with, folder, b"anzibarium") == []


async def test_a_dropped_dataset_leaves_no_files(filled: LancePassageIndex, folder: Path) -> None:
    await filled.drop("a", "book")
    assert [file.name for file in _below(folder)] == ["datasets.lance"]
    assert await asyncio.to_thread(_files_with, folder, b"Handbook") == []
    await filled.create("a", BOOK)
    assert await filled.documents("a", "book") == []


async def test_many_small_documents_become_few_files_and_all_are_found(filled: LancePassageIndex, folder: Path) -> None:
    await filled.create("a", Dataset("plain", "Plain"))
    for number in range(150):
        await filled.put("a", "plain", Document(f"d{number}", "x"), passages_of(f"word{number} alike"))
    table = max(_tables(folder), key=lambda one: len(_below(one / "data")))
    assert len(_below(table / "data")) < 100
    assert len(_below(table / "_versions")) < 100
    for number in range(0, 150, 10):
        hits = await filled.by_full_text("a", Scope(("plain",), 3), f"word{number}")
        assert (await found_by(filled, "a", hits))[0] == f"word{number} alike"
    assert [one.id for one in await filled.documents("a", "plain")] == [f"d{number}" for number in range(150)]


async def test_names_with_quotes_are_only_names(filled: LancePassageIndex, embedder: HashedEmbedder) -> None:
    odd = Document("it's \\ \"odd\" ' or 1=1 --", "l'été\n", {"k'ey": "v''al"})
    await put(filled, embedder, "", *passages_of("quoted"), document=odd)
    changed = Document(odd.id, "d'hiver\\", {"k'ey": "o'ther\""})
    await filled.change("a", "book", changed)
    assert (await filled.documents("a", "book"))[-1] == changed
    await filled.rename("a", "book", "l'autre ' livre")
    assert (await filled.dataset("a", "book")).name == "l'autre ' livre"
    assert [one.text for one in await filled.passages("a", "book", odd.id)] == ["quoted"]
    await filled.delete("a", "book", odd.id)
    assert [one.id for one in await filled.documents("a", "book")] == ["rules"]


async def test_two_that_put_one_document_at_once_leave_one(
    filled: LancePassageIndex, embedder: HashedEmbedder, folder: Path
) -> None:
    other = LancePassageIndex(str(folder))

    async def turns(index: LancePassageIndex, name: str) -> None:
        for turn in range(6):
            await put(index, embedder, "both", *passages_of(f"{name} {turn}", f"{name} again {turn}"))

    async with asyncio.TaskGroup() as group:
        group.create_task(turns(filled, "one"))
        group.create_task(turns(other, "other"))
    documents = [one.id for one in await filled.documents("a", "book")]
    assert sorted(documents) == ["both", "rules"]
    passages = [one.text for one in await other.passages("a", "book", "both")]
    assert len(passages) == 2
    assert passages[0].split()[0] == passages[1].split()[0]
    assert len(await filled.by_vector("a", Scope(("book",), 100), embedder.vector("again"))) == 5


async def test_two_that_create_one_name_at_once_make_one(folder: Path) -> None:
    indexes = [LancePassageIndex(str(folder)) for _ in range(4)]
    await indexes[0].create("a", Dataset("first", "First"))
    made = await asyncio.gather(
        *(index.create("a", Dataset(f"id{number}", "Name")) for number, index in enumerate(indexes)),
        return_exceptions=True,
    )
    assert [type(one) for one in made if one is not None] == [AlreadyExists] * 3
    assert len(await indexes[0].datasets("a")) == 2
    assert len(_tables(folder)) == 2


async def test_searches_beside_deletions_of_another_process_go_on(
    filled: LancePassageIndex, embedder: HashedEmbedder, folder: Path
) -> None:
    other = LancePassageIndex(str(folder))
    names = [f"d{number}" for number in range(10)]
    for name in names:
        await put(filled, embedder, name, *passages_of(f"退款 {name}"))

    async def delete() -> None:
        for name in names:
            await filled.delete("a", "book", name)

    async def search() -> None:
        for _ in range(40):
            assert TEXTS[0] in (await all_ways(other, embedder, "a", TEXTS[0], Scope(("book",), 20)))[2]

    async with asyncio.TaskGroup() as group:
        group.create_task(search())
        group.create_task(delete())
    assert len(await other.by_vector("a", Scope(("book",), 20), embedder.vector("退款"))) == len(TEXTS)


async def test_deletions_at_once_are_all_settled(
    filled: LancePassageIndex, embedder: HashedEmbedder, folder: Path
) -> None:
    for number in range(8):
        await put(filled, embedder, f"d{number}", *passages_of(f"anzibarium {number}"))
    await asyncio.gather(*(filled.delete("a", "book", f"d{number}") for number in range(8)))
    assert await asyncio.to_thread(_files_with, folder, b"anzibarium") == []


async def test_what_is_put_into_a_dataset_that_another_process_drops_leaves_nothing(
    filled: LancePassageIndex, embedder: HashedEmbedder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LancePassageIndex(str(folder))
    dropped = asyncio.get_running_loop()
    append = Table.append

    def late(self: Table, rows: Sequence[object]) -> None:
        asyncio.run_coroutine_threadsafe(other.drop("a", "book"), dropped).result()
        append(self, rows)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Table, "append", late)
    with pytest.raises(NotFound):
        await put(filled, embedder, "late", *passages_of(_SECRET))
    assert await asyncio.to_thread(_files_with, folder, b"anzibarium") == []


async def test_both_stores_find_the_same_by_every_method(
    filled: LancePassageIndex, sqlite_index: SqlitePassageIndex, embedder: HashedEmbedder
) -> None:
    await sqlite_index.create("a", BOOK)
    texts = [f"{TEXTS[number % 3]} 第{number}条 rule number{number}" for number in range(60)]
    for index in (filled, sqlite_index):
        await put(index, embedder, "rules", *passages_of(*texts))
    for number in range(0, 60, 7):
        ours = await all_ways(filled, embedder, "a", texts[number])
        theirs = await all_ways(sqlite_index, embedder, "a", texts[number])
        assert [found[0] for found in ours[1:]] == [found[0] for found in theirs[1:]] == [texts[number]] * 2
        assert ours[2] == theirs[2]
    vector = embedder.vector(texts[3])
    scores = [
        [hit.score for hit in await index.by_vector("a", Scope(("book",), 5), vector)]
        for index in (filled, sqlite_index)
    ]
    assert np.allclose(scores[0], scores[1], atol=0.002)


async def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageUnavailable):
        await LancePassageIndex(str(tmp_path / "file")).create("a", BOOK)


def test_without_the_package_the_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(ConfigError, match=r"install seekway\[lance\]"):
        Store("anywhere", {}, 1)
