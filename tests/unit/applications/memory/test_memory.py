"""What a conversation is remembered by: its end as it was, and a summary of the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from seekway.applications.definition import Definition, Memory
from seekway.applications.events import Ended
from seekway.applications.memory.window import turn_tokens, window
from seekway.applications.records import Turn
from seekway.core.types import GenerateRequest, TextDelta
from tests.fakes.app_models import AWAY
from tests.fakes.backend import Step, reply
from tests.unit.applications.house import House

LONG = "word " * 100
TIGHT = Definition("chat", memory=Memory(max_tokens=500))


def turns_of(*answers: str) -> list[Turn]:
    return [Turn(at, f"Q{at}", answer) for at, answer in enumerate(answers, 1)]


@given(st.lists(st.text(max_size=60), max_size=12), st.floats(0, 400), st.integers(0, 14))
def test_the_window_is_the_newest_that_fits(answers: list[str], tokens: float, most: int) -> None:
    turns = turns_of(*answers)
    kept = window(turns, tokens, most)
    assert len(kept) <= most
    assert [turn.position for turn in kept] == [turn.position for turn in turns[len(turns) - len(kept) :]]
    assert sum(map(turn_tokens, kept)) <= tokens + 1
    dropped = turns[: len(turns) - len(kept)]
    if dropped and len(kept) < most and kept and kept == turns[len(turns) - len(kept) :]:
        assert turn_tokens(dropped[-1]) + sum(map(turn_tokens, kept)) > tokens


def test_of_a_last_answer_that_is_too_long_its_end_is_remembered() -> None:
    (kept,) = window(turns_of("short", "a" * 2000 + "the end"), 100, 10)
    assert kept.answer.endswith("the end")
    assert kept.answer.startswith("…")
    assert turn_tokens(kept) <= 100


async def test_what_falls_out_is_summed_up_behind_the_answer(house: House) -> None:
    def summed(request: GenerateRequest) -> Sequence[Step]:
        return reply(f"Summary {len(house.models.asked('summary'))}.")

    house.models.script = reply(LONG)
    house.models.beside["summary"] = summed
    app = await house.app(TIGHT)
    one = await house.answer(app, "Q1")
    for number in range(2, 5):
        await house.answer(app, f"Q{number}", conversation=one.conversation)
        await house.service.settled()
    kept = await house.store.conversations.conversation(app.id, one.user, one.conversation)
    assert kept.summary.startswith("Summary")
    assert 0 < kept.summed_up < 4
    house.models.requests.clear()
    await house.answer(app, "Q5", conversation=one.conversation)
    messages = house.models.asked()[0].messages
    assert messages[0].role == "system"
    assert "<summary>\nSummary" in str(messages[1].content)
    questions = [message.content for message in messages[2:] if message.role == "user"]
    assert questions == [f"Q{number}" for number in range(kept.summed_up + 1, 6)]


async def test_a_summary_that_fails_is_made_the_next_time_and_delays_nobody(house: House) -> None:
    house.models.script = reply(LONG)
    house.models.beside["summary"] = [AWAY]
    app = await house.app(TIGHT)
    one = await house.answer(app, "Q1")
    for _ in range(4):
        await house.answer(app, "Q", conversation=one.conversation)
    await house.service.settled()
    kept = await house.store.conversations.conversation(app.id, one.user, one.conversation)
    assert (kept.summary, kept.summed_up) == ("", 0)
    wait = asyncio.Event()
    house.models.beside["summary"] = [wait, *reply("At last.")]
    await house.answer(app, "Q", conversation=one.conversation)
    # The next question does not wait for it either, nor does a second one begin.
    house.models.requests.clear()
    last = await house.answer(app, "Q", conversation=one.conversation)
    assert last.status == "normal"
    wait.set()
    await house.service.settled()
    assert len(house.models.asked("summary")) <= 1
    kept = await house.store.conversations.conversation(app.id, one.user, one.conversation)
    assert kept.summary == "At last."


async def test_without_summaries_the_rest_is_left_out(house: House) -> None:
    house.models.script = reply(LONG)
    app = await house.app(Definition("chat", memory=Memory(max_tokens=400, summarise=False)))
    one = await house.answer(app, "Q0")
    for number in range(1, 5):
        await house.answer(app, f"Q{number}", conversation=one.conversation)
    await house.service.settled()
    assert house.models.asked("summary") == []
    assert len(house.models.asked()[-1].messages) < 2 * 4


async def test_a_long_conversation_of_short_turns_is_remembered_whole(house: House) -> None:
    house.models.script = reply("a")
    app = await house.app(Definition("chat", memory=Memory(max_tokens=100_000, summarise=False)))
    one = await house.answer(app, "Q0")
    for number in range(1, 70):
        await house.answer(app, f"Q{number}", conversation=one.conversation)
    assert len(house.models.asked()[-1].messages) == 2 * 69 + 1


async def test_a_stopped_thought_is_not_remembered(house: House) -> None:
    house.models.script = [TextDelta("<think>\nI think"), *reply()]
    app = await house.app(Definition("chat", thoughts="drop"))
    events = await house.ask(app)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.message.answer == ""
    house.models.script = reply("Fine")
    await house.answer(app, conversation=ended.message.conversation)
    assert [message.content for message in house.models.asked()[-1].messages] == ["Hi?"]
