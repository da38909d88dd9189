from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from seekway.core.errors import BackendUnavailable, Overloaded
from seekway.engine.admission import Admission


async def _turn_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class _Visitor:
    """Enters when told to start and leaves when told to."""

    def __init__(self, admission: Admission, name: str, log: list[str]) -> None:
        self.leave = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._visit(admission, name, log))

    async def _visit(self, admission: Admission, name: str, log: list[str]) -> None:
        async with admission.slot():
            log.append(name)
            await self.leave.wait()


async def test_at_most_max_running_enter_and_the_rest_wait_in_order() -> None:
    admission, log = Admission(2, 10), list[str]()
    visitors = [_Visitor(admission, str(number), log) for number in range(5)]
    await _turn_the_loop()
    assert (admission.running, admission.queued, log) == (2, 3, ["0", "1"])
    visitors[1].leave.set()
    await _turn_the_loop()
    assert (admission.running, admission.queued, log) == (2, 2, ["0", "1", "2"])
    for visitor in visitors:
        visitor.leave.set()
    await asyncio.gather(*(visitor.task for visitor in visitors))
    assert (admission.running, admission.queued, log) == (0, 0, ["0", "1", "2", "3", "4"])


async def test_one_more_than_the_queue_holds_is_refused_at_once_with_a_hint() -> None:
    admission, log = Admission(1, 1), list[str]()
    visitors = [_Visitor(admission, str(number), log) for number in range(2)]
    await _turn_the_loop()
    with pytest.raises(Overloaded) as refused:
        async with admission.slot():
            pass
    assert refused.value.retry_after_s is not None
    assert 0.1 <= refused.value.retry_after_s <= 60
    for visitor in visitors:
        visitor.leave.set()
    await asyncio.gather(*(visitor.task for visitor in visitors))


async def test_without_a_queue_a_full_engine_refuses() -> None:
    admission = Admission(1, 0)
    async with admission.slot():
        with pytest.raises(Overloaded):
            await AsyncExitStack().enter_async_context(admission.slot())
    async with admission.slot():
        assert admission.running == 1


async def test_the_hint_follows_how_long_slots_are_held() -> None:
    now = 0.0
    admission = Admission(2, 0, clock=lambda: now)
    async with admission.slot():
        now = 8.0
    async with admission.slot(), admission.slot():
        with pytest.raises(Overloaded) as refused:
            await AsyncExitStack().enter_async_context(admission.slot())
    assert refused.value.retry_after_s == 4.0


async def test_a_cancelled_waiter_leaves_the_queue_at_once() -> None:
    admission, log = Admission(1, 5), list[str]()
    first, second, third = (_Visitor(admission, name, log) for name in "abc")
    await _turn_the_loop()
    second.task.cancel()
    await _turn_the_loop()
    assert (admission.running, admission.queued) == (1, 1)
    first.leave.set()
    third.leave.set()
    await third.task
    assert log == ["a", "c"]
    assert (admission.running, admission.queued) == (0, 0)


async def test_a_slot_handed_to_a_task_cancelled_in_the_same_moment_is_passed_on() -> None:
    admission, log = Admission(1, 5), list[str]()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(admission.slot())
        second, third = (_Visitor(admission, name, log) for name in "bc")
        await _turn_the_loop()
    second.task.cancel()
    await _turn_the_loop()
    assert log == ["c"]
    third.leave.set()
    await third.task
    assert (admission.running, admission.queued) == (0, 0)


async def test_closing_refuses_who_waits_and_who_comes_but_not_who_is_inside() -> None:
    admission, log = Admission(1, 5), list[str]()
    inside, waiting = (_Visitor(admission, name, log) for name in "ab")
    await _turn_the_loop()
    admission.close(BackendUnavailable("The engine stops."))
    with pytest.raises(BackendUnavailable, match="stops"):
        await waiting.task
    with pytest.raises(BackendUnavailable, match="stops"):
        await AsyncExitStack().enter_async_context(admission.slot())
    assert admission.running == 1
    inside.leave.set()
    await inside.task
    assert admission.running == 0
