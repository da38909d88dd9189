"""A pushed stream is read as it comes, held back when nobody reads and stopped when its reader leaves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from seekway.core.errors import DeadlineExceeded, Overloaded
from seekway.core.types import Event, Finish, TextDelta, Usage
from seekway.pipeline.pulled import PulledStream


class Told:
    """A flow that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def cancel(self) -> None:
        self.told.append("cancel")


async def test_a_reader_that_keeps_up_gets_each_event_and_then_the_end() -> None:
    stream, flow = PulledStream(), Told()
    seen: list[Event] = []
    async with aclosing(stream.read(flow)) as events:
        for event in (TextDelta("a"), TextDelta("b"), Usage(1, 2), Finish("stop")):
            stream.feed((event,))
            seen.append(await anext(events))
        stream.end()
        assert [event async for event in events] == []
    assert seen == [TextDelta("a"), TextDelta("b"), Usage(1, 2), Finish("stop")]
    assert flow.told == []


async def test_what_waits_is_joined_and_holds_the_flow_back_until_it_is_read() -> None:
    stream, flow = PulledStream(most_waiting=3), Told()
    async with aclosing(stream.read(flow)) as events:
        stream.feed((TextDelta("a"),))
        assert await anext(events) == TextDelta("a")
        stream.feed([TextDelta(letter) for letter in "bcdef"])
        stream.feed((TextDelta("g"),))
        assert flow.told == ["pause"]
        assert await anext(events) == TextDelta("bcdefg")
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        assert flow.told == ["pause", "resume"]
        stream.feed((Finish("stop"),))
        assert await waiting == Finish("stop")
        stream.end()


async def test_a_failure_is_raised_after_what_came_before_it() -> None:
    stream, flow = PulledStream(), Told()
    stream.feed((TextDelta("a"),))
    stream.fail(Overloaded("busy"))
    events = stream.read(flow)
    assert await anext(events) == TextDelta("a")
    with pytest.raises(Overloaded):
        await anext(events)
    assert flow.told == []


async def test_breaking_off_stops_the_work_and_wakes_the_reader() -> None:
    stream, flow = PulledStream(), Told()
    waiting = asyncio.ensure_future(anext(stream.read(flow)))
    await asyncio.sleep(0)
    stream.break_off(DeadlineExceeded("late"))
    stream.feed((TextDelta("too late"),))
    with pytest.raises(DeadlineExceeded):
        await waiting
    assert flow.told == ["cancel"]


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_leaving_stops_the_work(way: str) -> None:
    stream, flow = PulledStream(), Told()
    events = stream.read(flow)
    stream.feed((TextDelta("a"),))
    await anext(events)
    if way == "close":
        await events.aclose()
    else:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert flow.told == ["cancel"]
