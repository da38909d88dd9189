"""Before full backends stands a short line, the most urgent first; what finds no place in it is refused at once."""

from __future__ import annotations

from seekway.core.errors import Overloaded, RateLimited
from seekway.core.sections.resilience import ResilienceSettings
from tests.fakes.dispatch_bench import Asked, DispatchBench
from tests.fakes.push_backend import whole


def full(*, queue_most: int, queue_wait_s: float = 0.25, after: float = 0.1) -> tuple[DispatchBench, Asked]:
    """One backend that takes one request at a time, and has one."""
    policy = ResilienceSettings(
        concurrency_least=1, concurrency_most=1, queue_most=queue_most, queue_wait_s=queue_wait_s
    )
    bench = DispatchBench((whole("x", after=after),), policy=policy)
    return bench, bench.start()


def refused(asked: Asked) -> bool:
    return bool(asked.heard.errors) and isinstance(asked.heard.error, Overloaded)


def test_without_a_line_a_full_backend_refuses_at_once_and_says_when_to_come_back() -> None:
    bench, first = full(queue_most=0)
    second = bench.ask(seconds=0.0)
    assert refused(second)
    assert second.heard.error.retry_after_s == 1.0
    bench.loop.advance(1.0)
    assert first.heard.ended == 1
    assert (bench.attempts, bench.outstanding) == ([1], 0)


def test_who_waits_is_served_when_there_is_room() -> None:
    bench, _ = full(queue_most=4)
    waiting = [bench.start() for _ in range(2)]
    bench.loop.advance(0.31)
    assert [asked.heard.ended for asked in waiting] == [1, 1]
    assert (bench.attempts, bench.outstanding) == ([3], 0)


def test_the_wait_is_bounded() -> None:
    bench, _ = full(queue_most=4, after=10.0)
    waiting = bench.start()
    bench.loop.advance(0.2)
    assert not waiting.heard.over
    bench.loop.advance(0.1)
    assert refused(waiting)
    assert next(iter(bench.dispatcher.lanes())).shed == 1


def test_the_most_urgent_is_served_first_and_the_least_urgent_gives_up_its_place() -> None:
    bench, _ = full(queue_most=2)
    batch, normal, urgent = (bench.start(priority=priority) for priority in (2, 1, 0))
    # Not within somebody else's start.
    assert not batch.heard.over
    bench.loop.advance(0.0)
    assert refused(batch)
    bench.loop.advance(0.25)
    assert (urgent.heard.ended, normal.heard.ended) == (1, 0)
    bench.loop.advance(0.2)
    assert normal.heard.ended == 1


def test_of_equals_the_first_keeps_its_place() -> None:
    bench, _ = full(queue_most=1)
    earlier, later = bench.start(), bench.start()
    bench.loop.advance(0.0)
    assert (refused(earlier), refused(later)) == (False, True)


def test_who_is_cancelled_leaves_the_line() -> None:
    bench, _ = full(queue_most=1)
    gone = bench.start()
    gone.flow.cancel()
    after = bench.start()
    bench.loop.advance(5.0)
    assert (gone.heard.over, after.heard.ended, bench.attempts) == (False, 1, [2])


def test_the_deadline_holds_in_the_line_too() -> None:
    bench, _ = full(queue_most=1, queue_wait_s=50.0, after=10.0)
    asked = bench.ask(within=1.0)
    assert asked.heard.error.code == "deadline_exceeded"


def test_who_is_late_is_not_let_in_before_the_sweep_that_sees_it() -> None:
    bench, _ = full(queue_most=401, queue_wait_s=50.0, after=2.005)
    bench.start(within=1.99)
    late = [bench.start(within=2.0) for _ in range(400)]
    bench.loop.advance(5.0)
    assert {asked.heard.error.code for asked in late} == {"deadline_exceeded"}
    assert (bench.attempts, bench.dispatcher.watched) == ([1], 0)


def test_a_retry_waits_for_room_as_well() -> None:
    policy = ResilienceSettings(concurrency_least=1, concurrency_most=1)
    bench = DispatchBench((("hang",),), (whole("x", after=0.1),), policy=policy)
    bench.backends[0].will((RateLimited("slow", retry_after_s=5),))
    bench.endpoints[0].heard_of(bench.loop.time(), away=True)
    bench.start()
    bench.endpoints[0].heard_of(bench.loop.time(), away=False)
    asked = bench.start()
    bench.loop.advance(0.05)
    assert (bench.attempts, asked.heard.over) == ([1, 1], False)
    bench.loop.advance(0.2)
    assert (asked.heard.text, bench.attempts) == ("x", [1, 2])


def test_a_retry_that_finds_no_room_tells_why_it_was_needed() -> None:
    policy = ResilienceSettings(concurrency_least=1, concurrency_most=1)
    bench = DispatchBench(((RateLimited("slow", retry_after_s=5),),), (("hang",),), policy=policy)
    bench.endpoints[1].begin()
    assert bench.ask().heard.error.code == "rate_limit_exceeded"


def test_a_retry_that_has_waited_for_room_still_needs_the_budget() -> None:
    policy = ResilienceSettings(concurrency_least=1, concurrency_most=1, retry_share=0.0, retry_minimum=0)
    bench = DispatchBench(((RateLimited("slow", retry_after_s=5),),), (whole("x", after=0.1),), policy=policy)
    bench.endpoints[0].heard_of(bench.loop.time(), away=True)
    bench.start()
    bench.endpoints[0].heard_of(bench.loop.time(), away=False)
    asked = bench.ask(seconds=0.2)
    assert (asked.heard.error.code, bench.attempts) == ("rate_limit_exceeded", [1, 1])
