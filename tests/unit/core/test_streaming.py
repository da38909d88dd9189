"""Deltas that wait for a slow reader are joined, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.streaming import EventBuffer, closing
from seekway.core.types import Event, Finish, ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta, Usage
from tests.fakes.backend import FakeBackend


def drained(*events: Event) -> list[Event]:
    buffer = EventBuffer()
    for event in events:
        buffer.append(event)
    return [buffer.pop() for _ in range(len(events)) if len(buffer)]


def test_waiting_text_is_joined_with_its_log_probabilities() -> None:
    first, second = TokenLogprob("a", -0.1), TokenLogprob("b", -0.2)
    assert drained(TextDelta("a", (first,)), TextDelta("b", (second,))) == [TextDelta("ab", (first, second))]


def test_reasoning_and_text_stay_apart() -> None:
    events: list[Event] = [ReasoningDelta("a"), TextDelta("b"), ReasoningDelta("c"), Usage(1, 1), Finish("stop")]
    assert drained(*events) == events


def test_pieces_of_one_tool_call_are_joined_and_calls_stay_apart() -> None:
    opened = ToolCallDelta(0, "call_0", "weather", "{")
    assert drained(opened, ToolCallDelta(0, arguments="}"), ToolCallDelta(1, "call_1", "time", "{}")) == [
        ToolCallDelta(0, "call_0", "weather", "{}"),
        ToolCallDelta(1, "call_1", "time", "{}"),
    ]


deltas = st.one_of(
    st.builds(TextDelta, st.text(max_size=3)),
    st.builds(ReasoningDelta, st.text(max_size=3)),
    st.builds(ToolCallDelta, st.integers(0, 1), st.none(), st.none(), st.text(max_size=3)),
)


@given(st.lists(deltas))
def test_joining_never_changes_what_is_said_or_its_order(events: list[Event]) -> None:
    def said(given: list[Event]) -> list[tuple[type[Event], int, str]]:
        pieces: list[tuple[type[Event], int, str]] = []
        for event in given:
            if isinstance(event, ToolCallDelta):
                pieces += [(ToolCallDelta, event.index, character) for character in event.arguments]
            elif isinstance(event, (TextDelta, ReasoningDelta)):
                pieces += [(type(event), 0, character) for character in event.text]
        return pieces

    assert said(drained(*events)) == said(events)


def test_an_empty_buffer_has_nothing_to_pop() -> None:
    with pytest.raises(IndexError):
        EventBuffer().pop()


async def test_leaving_closes_the_stream_and_an_iterator_without_aclose_is_left_alone() -> None:
    backend = FakeBackend()

    class Plain:
        def __aiter__(self) -> AsyncIterator[int]:
            return self

        async def __anext__(self) -> int:
            return 1

    async with closing(Plain()) as plain:
        assert await anext(plain) == 1
    assert backend.running == 0
