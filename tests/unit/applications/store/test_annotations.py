from __future__ import annotations

import pytest

from seekway.applications.records import Upload
from seekway.applications.store.app_store import AppStore
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Database
from tests.unit.applications.store.conftest import rows


async def test_annotations_are_paged_and_searched_in_question_and_answer(store: AppStore) -> None:
    made = [await store.annotations.add("app", f"Q{n} 100%", f"Answer_{n}") for n in range(5)]
    await store.annotations.add("other", "Q1", "x")
    page, total = await store.annotations.page("app", page=2, limit=2)
    assert ([one.id for one in page], total) == ([made[2].id, made[1].id], 5)
    assert await store.annotations.page("app", keyword="answer_3") == ([made[3]], 1)
    assert await store.annotations.page("app", keyword="q4 100%") == ([made[4]], 1)
    assert (await store.annotations.page("app", keyword="Q%1"))[1] == 0


async def test_a_vector_is_of_the_question_that_stands(store: AppStore) -> None:
    one = await store.annotations.add("app", "Old?", "a")
    assert await store.annotations.without_vector("app", "m", 9) == [one]
    await store.annotations.keep_vector(one, "m", b"\x00\x01")
    assert await store.annotations.vectors("app", "m") == [(one.id, b"\x00\x01")]
    assert await store.annotations.vectors("app", "n") == []
    answered = await store.annotations.change("app", one.id, "Old?", "b")
    assert await store.annotations.vectors("app", "m") == [(one.id, b"\x00\x01")]
    asked = await store.annotations.change("app", one.id, "New?", "b")
    assert await store.annotations.vectors("app", "m") == []
    # Made of the question that was, by someone who began before the change.
    await store.annotations.keep_vector(answered, "m", b"\x00")
    assert await store.annotations.without_vector("app", "m", 9) == [asked]


async def test_hits_are_counted_and_deleted_annotations_are_gone(store: AppStore, database: Database) -> None:
    one = await store.annotations.add("app", "Q?", "a")
    assert (await store.annotations.hit("app", one.id)).hit_count == 1
    assert (await store.annotations.hit("app", one.id)).hit_count == 2
    await store.annotations.keep_vector(one, "m", b"1")
    for app in ("other", "app"):
        if app == "other":
            with pytest.raises(NotFound):
                await store.annotations.delete(app, one.id)
        else:
            await store.annotations.delete(app, one.id)
    with pytest.raises(NotFound):
        await store.annotations.annotation("app", one.id)
    assert set((await rows(database)).values()) == {0}


async def test_a_file_is_its_users(store: AppStore) -> None:
    made = Upload("app", "f1", "u1", "图.png", 3, "png", "image/png", 5)
    await store.uploads.keep(made, b"\x00\xff\x01")
    assert await store.uploads.upload("app", "u1", "f1") == made
    assert await store.uploads.body("app", "f1") == (made, b"\x00\xff\x01")
    for app, user in (("app", "u2"), ("other", "u1")):
        with pytest.raises(NotFound):
            await store.uploads.upload(app, user, "f1")
    with pytest.raises(NotFound):
        await store.uploads.body("other", "f1")
