from __future__ import annotations

import asyncio

import msgspec
import pytest

from seekway.applications.records import Conversation, Cost, Message, MessageFile, Source, Thought, Variable
from seekway.applications.store.app_store import AppStore
from seekway.core.errors import AlreadyExists, NotFound
from seekway.storage.sql.database import Database
from tests.unit.applications.store.conftest import rows


async def _conversation(store: AppStore, name: str, user: str = "u1") -> Conversation:
    """Begun with one message."""
    made = Conversation("app", name, user, name, {"n": 1, "list": ["甲"]}, created_at=1, updated_at=1)
    await store.messages.begin(Message("app", name, f"{name}-m", user, 0, "Hello?"), made)
    return made


async def test_a_user_is_made_once_however_many_ask_at_once(store: AppStore) -> None:
    made = await asyncio.gather(*(store.conversations.user("", "app", "alice") for _ in range(8)))
    assert len({user.id for user in made}) == 1
    other = await store.conversations.user("", "other", "alice")
    assert other.id != made[0].id
    assert await store.conversations.user_by_id("", "app", made[0].id) == made[0]
    with pytest.raises(NotFound):
        await store.conversations.user_by_id("b", "app", made[0].id)


async def test_a_conversation_is_its_users_alone(store: AppStore) -> None:
    await _conversation(store, "c1")
    assert (await store.conversations.conversation("app", "u1", "c1")).inputs == {"n": 1, "list": ["甲"]}
    for app, user, conversation in (("app", "u2", "c1"), ("b", "u1", "c1"), ("app", "u1", "c2")):
        with pytest.raises(NotFound):
            await store.conversations.conversation(app, user, conversation)
        with pytest.raises(NotFound):
            await store.conversations.delete(app, user, conversation)
        with pytest.raises(NotFound):
            await store.conversations.rename(app, user, conversation, "mine")
        with pytest.raises(NotFound):
            await store.messages.messages(app, user, conversation)


@pytest.mark.parametrize("order", ["created_at", "-created_at", "updated_at", "-updated_at"])
async def test_conversations_come_page_by_page_each_once(store: AppStore, order: str) -> None:
    for name in ("c1", "c2", "c3", "c4", "c5"):
        await _conversation(store, name)
    await _conversation(store, "other", "u2")
    seen: list[str] = []
    after: str | None = None
    while True:
        page, more = await store.conversations.conversations("app", "u1", after=after, limit=2, order=order)  # pyright: ignore[reportArgumentType] - one of the four
        seen += [one.id for one in page]
        if not more:
            break
        after = page[-1].id
    # All have one moment of making, so that the id decides; each was changed later than the one before.
    assert seen == sorted(seen, reverse=order.startswith("-"))
    assert len(seen) == 5
    with pytest.raises(NotFound):
        await store.conversations.conversations("app", "u1", after="other")


async def test_renaming_and_summing_up(store: AppStore) -> None:
    await _conversation(store, "c1")
    renamed = await store.conversations.rename("app", "u1", "c1", "Other")
    assert renamed == await store.conversations.conversation("app", "u1", "c1")
    await store.conversations.sum_up("c1", "of four", 4)
    await store.conversations.sum_up("c1", "late, of two", 2)
    kept = await store.conversations.conversation("app", "u1", "c1")
    assert (kept.summary, kept.summed_up) == ("of four", 4)


async def test_positions_count_within_a_conversation_also_when_asked_at_once(store: AppStore) -> None:
    await _conversation(store, "c1")
    await asyncio.gather(
        *(store.messages.begin(Message("app", "c1", f"m{n}", "u1", 0, f"{n}?"), None) for n in range(6))
    )
    page, more = await store.messages.messages("app", "u1", "c1", limit=4)
    assert [message.position for message in page] == [7, 6, 5, 4]
    assert more
    older, more = await store.messages.messages("app", "u1", "c1", before=page[-1].id, limit=4)
    assert [message.position for message in older] == [3, 2, 1]
    assert not more
    with pytest.raises(NotFound, match="First Message"):
        await store.messages.messages("app", "u1", "c1", before="nothing")


async def test_an_answer_comes_back_as_it_was_kept_and_history_has_answered_messages_only(store: AppStore) -> None:
    await _conversation(store, "c1")
    begun = await store.messages.begin(Message("app", "c1", "m2", "u1", 0, "Who?", {"n": 1}), None)
    answered = msgspec.structs.replace(
        begun,
        answer="I, 我.",
        reasoning="hm",
        status="normal",
        files=(MessageFile("f", "image", "remote_url", "http://127.0.0.1/a.png"),),
        sources=(Source(1, "d", "D", "x", "X", "s", 3, 0.5, "text", metadata={"year": 2020}),),
        cost=Cost(3, 4, total_price="0.0000012"),
        model="deepseek-chat",
    )
    ended = await store.messages.end(answered, (Thought("m2", "t2", 2), Thought("m2", "t1", 1, "look", "time")))
    assert await store.messages.message("app", "u1", "m2") == ended
    assert [one.id for one in (await store.messages.thoughts(["m2", "c1-m"]))["m2"]] == ["t1", "t2"]
    assert await store.messages.history("c1", 10) == [ended]
    assert await store.messages.history("c1", 10, after=2) == []
    assert await store.messages.thoughts([]) == {}


async def test_an_answer_with_nul_is_kept_without_it(store: AppStore) -> None:
    await _conversation(store, "c1")
    begun = await store.messages.message("app", "u1", "c1-m")
    answered = msgspec.structs.replace(begun, answer="a\x00b", status="normal")
    await store.messages.end(answered, (Thought("c1-m", "t1", 1, observation="\x00"),))
    assert (await store.messages.message("app", "u1", "c1-m")).answer == "ab"


async def test_what_a_dead_process_left_unfinished_is_told(store: AppStore) -> None:
    await _conversation(store, "c1")
    assert await store.messages.break_off_running("The process ended.") == 1
    left = await store.messages.message("app", "u1", "c1-m")
    assert (left.status, left.error) == ("error", "The process ended.")


async def test_an_opinion_is_one_and_can_be_taken_back(store: AppStore) -> None:
    await _conversation(store, "c1")
    await store.messages.rate("app", "u1", "c1-m", "like", "good")
    await store.messages.rate("app", "u1", "c1-m", "dislike")
    found = await store.messages.feedbacks("app")
    assert [(one.rating, one.content, one.conversation) for one in found] == [("dislike", "", "c1")]
    assert (await store.messages.ratings("u1", ["c1-m"]))["c1-m"] == found[0]
    assert await store.messages.ratings("u2", ["c1-m"]) == {}
    await store.messages.rate("app", "u1", "c1-m", None)
    assert await store.messages.feedbacks("app") == []
    with pytest.raises(NotFound):
        await store.messages.rate("app", "u2", "c1-m", "like")


async def test_variables_belong_to_their_conversation(store: AppStore) -> None:
    await _conversation(store, "c1")
    made = [
        await store.conversations.add_variable(Variable("c1", "", name, "object", {"n": [n]}))
        for n, name in enumerate(("a", "b", "c"))
    ]
    with pytest.raises(AlreadyExists):
        await store.conversations.add_variable(Variable("c1", "", "a", "string", ""))
    page, more = await store.conversations.variables("c1", limit=2)
    assert (page, more) == (made[:2], True)
    assert await store.conversations.variables("c1", after=page[-1].id) == (made[2:], False)
    assert await store.conversations.variables("c1", name="b") == ([made[1]], False)
    changed = await store.conversations.set_variable("c1", made[0].id, "001")
    assert (await store.conversations.variables("c1", name="a"))[0] == [changed]
    assert changed.value == "001"
    with pytest.raises(NotFound):
        await store.conversations.set_variable("c2", made[0].id, 1)


async def test_a_deleted_conversation_leaves_no_trace_and_takes_no_message(store: AppStore, database: Database) -> None:
    await _conversation(store, "c1")
    begun = await store.messages.begin(Message("app", "c1", "m2", "u1", 0, "Who?"), None)
    await store.messages.rate("app", "u1", "m2", "like")
    await store.conversations.add_variable(Variable("c1", "", "a", "string", ""))
    await store.conversations.delete("app", "u1", "c1")
    # An answer that was under way is kept nowhere.
    await store.messages.end(msgspec.structs.replace(begun, answer="late"), (Thought("m2", "t1", 1),))
    assert set((await rows(database)).values()) == {0}
    with pytest.raises(NotFound):
        await store.messages.begin(Message("app", "c1", "m3", "u1", 0, "Again?"), None)
