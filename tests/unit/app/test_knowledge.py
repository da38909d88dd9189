"""The knowledge base as a process has it: opened when asked, its sources followed, its files those of the settings."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from seekway.app.knowledge import RECORDS, Knowledge
from seekway.core.errors import BodyTooLarge, ConfigError, StorageUnavailable
from seekway.core.ports import Backend
from seekway.core.settings import Settings, load_settings
from seekway.core.types import EmbedRequest, EmbedResult
from seekway.knowledge.index.passage_index import Dataset
from seekway.knowledge.ingest.records import DatasetRecord, NewDocument
from seekway.knowledge.retrieval.parallel_texts import PARALLEL_TEXTS
from seekway.knowledge.retrieval.retriever import Retrieval
from tests.fakes.backend import FakeBackend
from tests.fakes.hashed_embedder import HashedEmbedder

TOML = """
[storage]
directory = "state"
[knowledge]
max_file_bytes = 2000
[[knowledge.sources]]
name = "handbook"
path = "docs"
"""


class _Backend(FakeBackend):
    def __init__(self) -> None:
        super().__init__()
        self.embedded: list[str] = []

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        self.embedded += request.inputs
        rows = await HashedEmbedder().embed(request.inputs, request.purpose)
        return EmbedResult(tuple(row.astype("<f4").tobytes() for row in rows), rows.shape[1], 1)


class World:
    def __init__(self, folder: Path, toml: str = TOML) -> None:
        self.folder = folder
        self.config = folder / "seekway.toml"
        self.config.write_text(toml, "utf-8")
        self.settings: Settings = load_settings(self.config)
        self.backend = _Backend()
        self.told: list[tuple[str, dict[str, str]]] = []
        self.knowledge = self.made_again()
        self.running: asyncio.Task[None] | None = None

    def made_again(self) -> Knowledge:
        return Knowledge(self.settings, self.config, self.find, lambda event, about: self.told.append((event, about)))

    async def find(self, model: str) -> tuple[Backend, str]:
        return self.backend, model

    def write(self, name: str, text: str) -> None:
        path = self.folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    async def documents(self) -> dict[str, str]:
        book = self.knowledge.base.book
        return {
            one.name: one.status for dataset in await book.datasets("") for one in await book.documents("", dataset.id)
        }

    async def followed(self) -> dict[str, str]:
        """What is there after one look at the sources, when all of it is indexed."""
        await self.knowledge.sources.look()
        while await self.knowledge.base.book.jobs.due():  # noqa: ASYNC110 - as another process would see it
            await asyncio.sleep(0.01)
        return await self.documents()

    def start(self) -> None:
        self.running = asyncio.ensure_future(self.knowledge.turn.run())

    async def stop(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.wait([self.running])
        await self.knowledge.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.start()
    yield made
    await made.stop()


async def test_nothing_is_made_before_it_is_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path, '[storage]\ndirectory = "state"\n')
    running = asyncio.ensure_future(world.knowledge.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not (tmp_path / "state").exists()
    running.cancel()
    await asyncio.wait([running])
    assert await world.knowledge.base.book.datasets("") == []
    assert (tmp_path / "state" / RECORDS).exists()
    await world.knowledge.close()


async def test_what_is_added_is_found_with_the_model_of_the_settings(world: World) -> None:
    base = world.knowledge.base
    dataset = await base.create(DatasetRecord("", "d", "Notes", embedding_model=base.embedding_model))
    assert dataset.dimensions == 64
    await base.ingester.add("", "d", NewDocument("a.txt", b"The warranty is two years."))
    while await base.book.jobs.due():  # noqa: ASYNC110 - as another process would see it
        await asyncio.sleep(0.01)
    (found,) = await base.retriever.retrieve("", ["d"], "How long is the warranty?", Retrieval())
    assert found.text == "The warranty is two years."


async def test_passages_lie_in_lance_tables_where_the_settings_say_so(tmp_path: Path) -> None:
    made = World(tmp_path, '[storage]\ndirectory = "state"\n[knowledge]\nstore = "lance"\nstore_url = "tables"\n')
    made.start()
    try:
        await test_what_is_added_is_found_with_the_model_of_the_settings(made)
    finally:
        await made.stop()
    assert sorted(one.name.partition("-")[0] for one in (tmp_path / "tables").iterdir()) == [
        "datasets.lance",
        "passages",
    ]
    assert [one.name for one in (tmp_path / "state").glob("*.sqlite")] == [RECORDS]


async def test_lance_lies_beside_the_records_where_no_place_is_named(tmp_path: Path) -> None:
    made = World(tmp_path, '[storage]\ndirectory = "state"\n[knowledge]\nstore = "lance"\n')
    assert not (tmp_path / "state").exists()
    await made.knowledge.base.index.create("", Dataset("d", "D"))
    await made.stop()
    assert [one.name for one in (tmp_path / "state").iterdir()] == ["passages.lance"]


def test_lance_without_its_package_or_its_key_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="STORE_KEY"):
        World(tmp_path, '[knowledge]\nstore = "lance"\nstore_options_env = { aws_secret_access_key = "STORE_KEY" }\n')
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(ConfigError, match=r"install seekway\[lance\]"):
        World(tmp_path, '[knowledge]\nstore = "lance"\n')


async def test_the_first_question_waits_for_its_own_vector_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekway.app.knowledge._LOOK_S", 0.01)
    world = World(tmp_path)
    world.write("a.md", "The warranty is two years.")
    running = asyncio.ensure_future(world.knowledge.run())
    learnt = {text for pair in PARALLEL_TEXTS for text in pair}
    while not learnt <= set(world.backend.embedded) or not await world.knowledge.base.index.datasets(""):
        assert not running.done()
        await asyncio.sleep(0.01)
    while set((await world.documents()).values()) != {"completed"}:
        assert not running.done()
        await asyncio.sleep(0.01)
    (dataset,) = await world.knowledge.base.book.datasets("")
    before = len(world.backend.embedded)
    await world.knowledge.base.retriever.retrieve("", [dataset.id], "How long?", Retrieval())
    assert world.backend.embedded[before:] == ["How long?"]
    running.cancel()
    await asyncio.wait([running])
    await world.knowledge.close()


async def test_a_model_that_is_away_leaves_the_work_behind_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekway.app.knowledge._LOOK_S", 0.01)
    monkeypatch.setattr("seekway.app.knowledge._AGAIN_S", 0.01)
    world = World(tmp_path)
    world.write("a.md", "The warranty is two years.")
    world.start()
    await world.followed()
    asked = 0

    async def embed(_: EmbedRequest) -> EmbedResult:
        nonlocal asked
        asked += 1
        raise StorageUnavailable("away")

    monkeypatch.setattr(world.backend, "embed", embed)
    running = asyncio.ensure_future(world.knowledge.run())
    while asked < 3:
        assert not running.done()
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    await world.stop()


async def test_a_source_is_followed(world: World) -> None:
    world.write("a.md", "first")
    world.write("deep/b.txt", "second")
    world.write("picture.png", "no text")
    world.write(".hidden.md", "hidden")
    assert await world.followed() == {"a.md": "completed", "deep/b.txt": "completed"}
    world.write("a.md", "changed, and longer")
    (world.folder / "docs/deep/b.txt").unlink()
    assert await world.followed() == {"a.md": "completed"}
    (dataset,) = await world.knowledge.base.book.datasets("")
    (found, *_) = await world.knowledge.base.retriever.retrieve("", [dataset.id], "changed", Retrieval("full_text"))
    assert found.text == "changed, and longer"


async def test_a_start_knows_what_an_earlier_one_did(world: World, tmp_path: Path) -> None:
    world.write("a.md", "first")
    await world.followed()
    (dataset,) = await world.knowledge.base.book.datasets("")
    (before,) = await world.knowledge.base.book.documents("", dataset.id)
    later = World(tmp_path)
    try:
        await later.knowledge.sources.look()
        assert await later.knowledge.base.book.documents("", dataset.id) == [before]
        (tmp_path / "docs/a.md").unlink()
        await later.knowledge.sources.look()
        assert await later.documents() == {}
    finally:
        await later.stop()


async def test_only_what_a_source_brought_goes_with_its_file(world: World) -> None:
    base = world.knowledge.base
    await base.create(DatasetRecord("", "d", "handbook", embedding_model=base.embedding_model))
    await base.ingester.add("", "d", NewDocument("mine.txt", b"uploaded by a person"))
    world.write("same.txt", "uploaded by a person")
    world.write("own.txt", "of the source")
    await world.followed()
    (world.folder / "docs/same.txt").unlink()
    (world.folder / "docs/own.txt").unlink()
    assert await world.followed() == {"mine.txt": "completed"}


async def test_two_files_of_one_content_are_one_document_until_the_last_is_gone(world: World) -> None:
    world.write("a.txt", "the same")
    world.write("b.txt", "the same")
    assert await world.followed() == {"a.txt": "completed"}
    (world.folder / "docs/a.txt").unlink()
    assert await world.followed() == {"a.txt": "completed"}
    world.write("b.txt", "something else")
    assert await world.followed() == {"b.txt": "completed"}


async def test_a_document_that_a_person_deleted_stays_away_until_its_file_changes(world: World) -> None:
    world.write("a.txt", "first")
    await world.followed()
    (dataset,) = await world.knowledge.base.book.datasets("")
    (one,) = await world.knowledge.base.book.documents("", dataset.id)
    await world.knowledge.base.ingester.delete(one.key)
    world.write("b.txt", "another")
    assert await world.followed() == {"b.txt": "completed"}
    world.write("a.txt", "first again")
    assert await world.followed() == {"a.txt": "completed", "b.txt": "completed"}


async def test_a_file_that_cannot_be_taken_is_told_of_and_the_others_are(world: World) -> None:
    world.write("big.txt", "x" * 3000)
    world.write("small.txt", "x")
    assert await world.followed() == {"small.txt": "completed"}
    ((event, about),) = world.told
    assert event == "source_file_not_taken"
    assert "at most 2000" in about["error"]


async def test_a_folder_that_is_away_takes_nothing_with_it(world: World) -> None:
    world.write("a.txt", "first")
    await world.followed()
    (world.folder / "docs").rename(world.folder / "away")
    await world.knowledge.sources.look()
    assert await world.followed() == {"a.txt": "completed"}
    assert [event for event, _ in world.told] == ["source_not_followed"]


async def test_a_file_over_the_bound_is_refused(world: World) -> None:
    with pytest.raises(BodyTooLarge, match=r"knowledge\.max_file_bytes"):
        world.knowledge.base.check_size("a.pdf", 2001)


async def test_a_folder_that_cannot_be_made_is_said_to_who_asks(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    world = World(tmp_path)
    with pytest.raises(StorageUnavailable, match="state"):
        await world.knowledge.base.book.datasets("")
    await world.knowledge.close()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[storage]\nurl = "postgresql://me:secret@db/x"', "storage.password_env"),
        ('[storage]\nurl = "mysql://db/x"', "postgresql://"),
        ('[[knowledge.sources]]\nname = "a"\npath = "b"\nmax_tokens = 60\noverlap_tokens = 60', "overlap_tokens"),
        ('[[knowledge.sources]]\nname = "a"\npath = "b"\n[[knowledge.sources]]\nname = "a"\npath = "b"', "twice"),
        ("[knowledge]\nmax_file_bytes = 10", "max_file_bytes"),
        ('[knowledge]\nstore = "qdrant"', "store"),
        ('[knowledge]\nstore_url = "tables"', 'knowledge.store = "lance"'),
        ('[knowledge]\nstore = "lance"\nstore_url = "s3://me:secret@bucket"', "store_options_env"),
        ('[knowledge]\nstore = "lance"\nstore_options = { azure_account_key = "secret" }', "store_options_env"),
    ],
)
def test_wrong_settings_say_what_to_do(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "seekway.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as refused:
        load_settings(path, {})
    assert problem in refused.value.message
    assert "secret" not in refused.value.message


def test_each_form_of_a_source_has_its_rule() -> None:
    from seekway.app.knowledge_files import rule_of
    from seekway.core.sections.knowledge import SourceSettings

    plain = SourceSettings("a", "b")
    assert rule_of(plain).mode == rule_of(msgspec.structs.replace(plain, form="question-answer")).mode == "automatic"
    assert rule_of(msgspec.structs.replace(plain, remove_addresses=True)).cleaning == (
        "remove_extra_spaces",
        "remove_urls_emails",
    )
    parents = rule_of(msgspec.structs.replace(plain, form="parent-child", whole_documents=True))
    assert (parents.mode, parents.effective.parent_mode) == ("hierarchical", "full-doc")
    assert rule_of(msgspec.structs.replace(plain, max_tokens=100)).effective.segmentation.max_tokens == 100
