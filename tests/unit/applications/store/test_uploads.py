"""Files stay as long as a message has them or may still come with them."""

from __future__ import annotations

import itertools

import pytest

from seekway.applications.records import Conversation, Message, MessageFile, Upload
from seekway.applications.store.app_store import PART, AppStore
from seekway.applications.store.uploads import UNUSED_MS
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database
from seekway.storage.sql.migrations import migrate, read_migrations
from tests.unit.applications.store.conftest import rows


async def _kept(store: AppStore, name: str, created_at: int = 1_000) -> None:
    await store.uploads.keep(Upload("app", name, "u1", "a.txt", 1, "txt", "text/plain", created_at), b"x")


async def _asked(store: AppStore, conversation: str, *uploads: str) -> Message:
    files = tuple(MessageFile(f"f-{one}", "document", "local_file", upload=one) for one in uploads)
    made = Conversation("app", conversation, "u1", "", {}, created_at=1, updated_at=1)
    return await store.messages.begin(
        Message("app", conversation, f"{conversation}-m", "u1", 0, "Look", files=files), made
    )


async def test_the_files_of_a_deleted_conversation_go_with_it(store: AppStore, database: Database) -> None:
    for name in ("own", "shared", "waiting"):
        await _kept(store, name)
    await _asked(store, "c1", "own", "shared", "own")
    await _asked(store, "c2", "shared")
    await store.conversations.delete("app", "u1", "c1")
    with pytest.raises(NotFound):
        await store.uploads.body("app", "own")
    assert not await store.messages.carries("app", "own")
    assert await store.messages.carries("app", "shared")
    for name in ("shared", "waiting"):
        assert (await store.uploads.body("app", name))[1] == b"x"
    await store.conversations.delete("app", "u1", "c2")
    assert {name: count for name, count in (await rows(database)).items() if count} == {
        "uploads": 1,
        "upload_bodies": 1,
    }


async def test_a_file_that_nobody_asked_about_goes_after_a_week(database: Database) -> None:
    now = [0]
    store = AppStore(database, lambda: now[0])
    await store.open()
    await _kept(store, "asked", 0)
    await _asked(store, "c1", "asked")
    await _kept(store, "forgotten", 0)
    now[0] = UNUSED_MS
    await _kept(store, "young", UNUSED_MS)
    await store.uploads.upload("app", "u1", "forgotten")
    now[0] += 1
    await _kept(store, "another", now[0])
    await store.uploads.upload("app", "u1", "forgotten")  # the last look is not an hour ago
    now[0] += 3_600_000
    await _kept(store, "new", now[0])
    with pytest.raises(NotFound):
        await store.uploads.body("app", "forgotten")
    for name in ("asked", "young", "another", "new"):
        await store.uploads.upload("app", "u1", name)
    assert (await rows(database))["upload_bodies"] == 4


async def test_a_file_of_another_application_is_not_carried(store: AppStore) -> None:
    await _kept(store, "a")
    await _asked(store, "c1", "a")
    assert await store.messages.carries("app", "a")
    assert not await store.messages.carries("other", "a")


async def test_what_messages_came_with_before_is_still_known(database: Database) -> None:
    """A database of the version before the table of messages with files."""
    before = [step for step in read_migrations("seekway.applications.store") if step.number < 4]
    await migrate(database, PART, before)

    def work(connection: Connection) -> None:
        for name in ("a", "b"):
            connection.run(
                "insert into app_uploads values (?, ?, ?, ?, ?, ?, ?, ?)",
                *("app", name, "u1", "a.txt", 1, "txt", "text/plain", 1),
            )
        connection.run(
            "insert into app_messages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *("app", "c", "m", "u1", 1, "Look", "{}", "", "", "normal", ""),
            *('[{"id":"f","kind":"document","method":"local_file","upload":"a"}]', "[]", "{}", "", "", 1, 1),
        )

    await database.write(work)
    store = AppStore(database, itertools.count(1_000).__next__)
    await store.open()
    assert await store.messages.carries("app", "a")
    assert not await store.messages.carries("app", "b")
