from __future__ import annotations

import msgspec
import pytest

from seekway.applications.records import Conversation, Message, MessageFile, Thought, Upload, Variable
from seekway.applications.store.app_store import AppStore
from seekway.applications.store.stops import Stop
from seekway.core.errors import AlreadyExists, NotFound
from seekway.storage.sql.database import Database
from tests.unit.applications.store.conftest import an_app, rows


async def test_an_application_comes_back_as_it_was_kept(store: AppStore) -> None:
    made = await store.apps.create(an_app())
    assert made.id
    assert await store.apps.by_slug("", "helper") == made == await store.apps.by_id("", made.id)
    changed = await store.apps.change(msgspec.structs.replace(made, name="001", enabled=False))
    assert changed == await store.apps.by_slug("", "helper")
    assert (changed.name, changed.enabled, changed.created_at) == ("001", False, made.created_at)
    assert changed.updated_at > made.updated_at


async def test_tenants_have_their_own_slugs_and_see_no_other(store: AppStore) -> None:
    ours, theirs = await store.apps.create(an_app()), await store.apps.create(an_app(tenant="b"))
    with pytest.raises(AlreadyExists):
        await store.apps.create(an_app())
    with pytest.raises(NotFound):
        await store.apps.by_id("", theirs.id)
    with pytest.raises(NotFound):
        await store.apps.by_slug("c", "helper")
    assert await store.apps.all("b") == [theirs]
    assert {app.id for app in await store.apps.all()} == {ours.id, theirs.id}


async def test_what_is_not_there_cannot_be_changed(store: AppStore) -> None:
    with pytest.raises(NotFound):
        await store.apps.change(msgspec.structs.replace(an_app(), id="nobody"))


async def test_deleting_an_application_leaves_no_trace_and_no_other_touched(
    store: AppStore, database: Database
) -> None:
    gone, stays = await store.apps.create(an_app("gone")), await store.apps.create(an_app("stays"))
    for app in (gone, stays):
        user = await store.conversations.user("", app.id, "u")
        conversation = Conversation(app.id, f"c-{app.slug}", user.id, "One")
        file = MessageFile("1", "document", "local_file", upload=f"f-{app.slug}")
        message = Message(app.id, conversation.id, f"m-{app.slug}", user.id, 0, "secret", files=(file,))
        begun = await store.messages.begin(message, conversation)
        await store.messages.end(
            msgspec.structs.replace(begun, answer="a", status="normal"), (Thought(begun.id, f"t-{app.slug}", 1),)
        )
        await store.conversations.add_variable(Variable(conversation.id, "", "v", "string", "x"))
        await store.messages.rate(app.id, user.id, begun.id, "like")
        annotation = await store.annotations.add(app.id, "q", "a")
        await store.annotations.keep_vector(annotation, "m", b"1234")
        await store.uploads.keep(Upload(app.id, f"f-{app.slug}", user.id, "a.txt", 1, "txt", "text/plain"), b"x")
        await store.stops.wish(Stop(app.id, f"task-{app.slug}", "u"))
    await store.apps.delete("", "gone")
    counts = await rows(database)
    assert set(counts.values()) == {1}, counts
    assert await store.apps.all() == [stays]
