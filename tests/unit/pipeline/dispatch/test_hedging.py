"""A second backend is asked when the first is slower than usual, within a budget, and the quicker one answers."""

from __future__ import annotations

from seekway.core.errors import BackendUnavailable, ContextLengthExceeded, DeadlineExceeded
from seekway.core.sections.resilience import ResilienceSettings
from tests.fakes.dispatch_bench import DispatchBench
from tests.fakes.push_backend import Script, whole

HEDGED = ResilienceSettings(hedge=True, hedge_share=1.0)
QUICK = whole("quick", after=0.1)


def warmed(*backends: tuple[Script, ...], policy: ResilienceSettings = HEDGED) -> DispatchBench:
    """A bench whose first backend has answered often enough in 0.1 s."""
    bench = DispatchBench(*[(QUICK,) for _ in backends], policy=policy)
    for _ in range(40):
        bench.ask(seconds=0.2)
    for backend, scripts in zip(bench.backends, backends, strict=True):
        backend.will(*scripts)
        backend.requests.clear()
    return bench


def test_the_quicker_of_two_answers_and_the_other_is_cancelled() -> None:
    bench = warmed((whole("slow", after=9.0),), (whole("second", after=0.1),))
    asked = bench.ask(seconds=1.0)
    assert (asked.heard.text, asked.heard.ended) == ("second", 1)
    assert (asked.exchange.record.backend, asked.exchange.record.attempts) == ("b1", 2)
    assert (bench.backends[0].cancelled, bench.outstanding) == (1, 0)
    assert (bench.endpoints[1].hedges, bench.endpoints[1].retries) == (1, 0)
    assert next(iter(bench.dispatcher.lanes())).hedges_won == 1


def test_the_first_may_still_win() -> None:
    bench = warmed((whole("first", after=0.2),), (whole("second", after=5.0),))
    asked = bench.ask(seconds=1.0)
    assert asked.heard.text == "first"
    assert (asked.exchange.record.backend, bench.backends[1].cancelled) == ("b0", 1)


def test_a_lost_attempt_is_known_to_be_slow() -> None:
    bench = warmed((whole("slow", after=9.0),), (QUICK,))
    bench.ask(seconds=1.0)
    assert bench.endpoints[0].latency.value(0.0) > 0.15


def test_a_request_answered_in_time_is_not_hedged() -> None:
    bench = warmed((QUICK,), (QUICK,))
    bench.ask()
    assert bench.attempts == [1, 0]


def test_nothing_is_hedged_unless_it_is_set_or_before_the_usual_time_is_known() -> None:
    for policy in (ResilienceSettings(), HEDGED):
        bench = DispatchBench((whole("slow", after=9.0),), (QUICK,), policy=policy)
        assert bench.ask(seconds=10.0).heard.text == "slow"
        assert bench.attempts == [1, 0]


def test_hedges_stay_within_their_share() -> None:
    bench = warmed((whole("slow", after=9.0),), (QUICK,), policy=ResilienceSettings(hedge=True, hedge_share=0.05))
    for _ in range(100):
        bench.start()
    bench.loop.advance(1.0)
    # One that is free, two saved by the forty before, five of these.
    assert bench.attempts == [100, 8]


def test_when_the_first_fails_the_second_goes_on() -> None:
    bench = warmed((QUICK,), (whole("second", after=2.0),))
    bench.backends[0].will((0.3, BackendUnavailable("gone")))
    asked = bench.ask()
    assert (asked.heard.text, asked.exchange.record.backend) == ("second", "b1")


def test_when_both_fail_the_request_is_tried_again() -> None:
    bench = warmed((QUICK,), (QUICK,))
    bench.backends[0].will((0.3, BackendUnavailable("gone")), QUICK)
    bench.backends[1].will((0.4, BackendUnavailable("gone too")))
    asked = bench.ask()
    assert (asked.heard.text, asked.exchange.record.attempts, bench.outstanding) == ("quick", 3, 0)


def test_a_clients_mistake_found_by_one_ends_both() -> None:
    bench = warmed((QUICK,), (QUICK,))
    bench.backends[0].will(("hang",))
    bench.backends[1].will((0.1, ContextLengthExceeded("long")))
    asked = bench.ask()
    assert isinstance(asked.heard.error, ContextLengthExceeded)
    assert (bench.backends[0].cancelled, bench.outstanding) == (1, 0)


def test_the_deadline_ends_both() -> None:
    bench = warmed((QUICK,), (QUICK,))
    for backend in bench.backends:
        backend.will(("hang",))
    assert isinstance(bench.ask(within=1.0).heard.error, DeadlineExceeded)
    assert (bench.outstanding, sum(backend.running for backend in bench.backends)) == (0, 0)


def test_without_a_deadline_a_hedge_is_still_made() -> None:
    bench = warmed((whole("slow", after=9.0),), (QUICK,))
    assert bench.ask(within=None, seconds=1.0).heard.text == "quick"
