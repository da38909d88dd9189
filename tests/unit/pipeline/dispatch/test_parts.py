"""The dispatcher's small parts: budget, times, sweep, line, verdicts, figures."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from seekway.core.errors import ERRORS, BackendUnavailable, Overloaded, RateLimited
from seekway.pipeline.dispatch.budget import Budget
from seekway.pipeline.dispatch.figures import ResilienceFigures
from seekway.pipeline.dispatch.first_event_times import FirstEventTimes
from seekway.pipeline.dispatch.sweep import QUANTUM_S, Sweep
from seekway.pipeline.dispatch.verdict import verdict_of, with_retry_after
from seekway.pipeline.dispatch.waiting_line import WaitingLine
from seekway.pipeline.routing.outcome_window import OutcomeWindow
from tests.fakes.dispatch_bench import DispatchBench
from tests.fakes.push_backend import ManualLoop, whole


def test_a_budget_is_its_share_of_the_requests_and_a_minimum_that_comes_back() -> None:
    budget = Budget(0.2, 10)
    assert sum(budget.take(0.0) for _ in range(20)) == 10
    for _ in range(100):
        budget.request()
    assert sum(budget.take(0.0) for _ in range(100)) == 20
    assert sum(budget.take(5.0) for _ in range(100)) == 5
    assert budget.refused == 10 + 80 + 95


def test_a_quiet_time_saves_no_storm() -> None:
    budget = Budget(0.2, 0)
    for _ in range(100_000):
        budget.request()
    assert sum(budget.take(0.0) for _ in range(1000)) == 250


def test_a_quantile_is_near_the_true_one_and_follows_a_change() -> None:
    times, dice = FirstEventTimes(0.95), random.Random(1)
    assert times.quantile() is None
    for _ in range(3000):
        times.observe(dice.uniform(0.0, 1.0))
    assert times.quantile() == pytest.approx(0.95, rel=0.25)
    for _ in range(20_000):
        times.observe(dice.uniform(0.0, 0.1))
    assert times.quantile() == pytest.approx(0.095, rel=0.25)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9])
def test_times_that_cannot_be_are_counted_at_the_edges(seconds: float) -> None:
    times = FirstEventTimes(0.95)
    for _ in range(40):
        times.observe(seconds)
    assert times.quantile() is not None


def test_a_window_forgets_what_is_older() -> None:
    window = OutcomeWindow(10.0)
    for second in range(20):
        window.failed(float(second)) if second < 10 else window.succeeded(float(second))
    assert window.counts(19.0) == (10, 0)
    assert window.counts(100.0) == (0, 0)


class Item:
    def __init__(self, loop: ManualLoop) -> None:
        self.loop = loop
        self.called: list[float] = []

    def due(self, now: float) -> None:
        assert now == self.loop.time()
        self.called.append(now - 1000.0)


def test_a_sweep_calls_what_is_due_and_sleeps_when_nothing_waits() -> None:
    loop = ManualLoop()
    sweep, item, other = Sweep(loop), Item(loop), Item(loop)
    sweep.watch(item, 1003.0)
    sweep.watch(other, 1001.0)
    sweep.forget(other)
    assert loop.timers == 1
    loop.advance(10.0)
    assert (item.called, other.called, loop.timers, len(sweep)) == ([3.0], [], 0, 0)


def test_what_is_forgotten_while_a_sweep_runs_is_not_called() -> None:
    loop = ManualLoop()
    sweep, second = Sweep(loop), Item(loop)

    class First(Item):
        def due(self, now: float) -> None:
            super().due(now)
            sweep.forget(second)

    sweep.watch(First(loop), 1001.0)
    sweep.watch(second, 1001.0)
    loop.advance(2.0)
    assert second.called == []


def test_a_sweep_runs_no_more_often_than_its_quantum() -> None:
    loop = ManualLoop()
    sweep = Sweep(loop)
    items = [Item(loop) for _ in range(100)]
    for at, item in enumerate(items):
        sweep.watch(item, 1001.0 + at * 0.001)
    loop.advance(10.0)
    times = sorted({when for item in items for when in item.called})
    assert len(times) <= 6
    assert all(later - earlier >= QUANTUM_S - 1e-9 for earlier, later in pairwise(times))
    assert all(item.called[0] >= 1.0 + at * 0.001 - 1e-9 for at, item in enumerate(items))


def test_a_line_is_ordered_by_urgency_then_arrival_and_bounded() -> None:
    line = WaitingLine[str](3)
    assert [line.join(name, priority) for name, priority in (("b", 1), ("a", 0), ("c", 1))] == [None, None, None]
    assert line.join("late", 1) == "late"
    assert line.join("urgent", 0) == "c"
    order: list[str] = []
    while (first := line.first()) is not None:
        order.append(first)
        line.leave(first)
    assert order == ["a", "urgent", "b"]
    line.leave("nobody")


def test_every_error_has_a_verdict_and_only_the_clients_own_is_fine() -> None:
    fine = {code for code, error in ERRORS.items() if verdict_of(error("x")) == "fine"}
    assert fine == {
        "invalid_json",
        "not_cached",
        "permission_denied",
        "invalid_request_error",
        "unsupported_parameter",
        "context_length_exceeded",
        "content_filter",
        "already_exists",
        "document_unreadable",
        "app_unavailable",
        "invalid_api_key",
        "not_found",
        "method_not_allowed",
        "request_timeout",
        "body_too_large",
        "invalid_parameter",
    }
    assert verdict_of(Overloaded("x", retry_after_s=1)) == "busy"
    assert verdict_of(Overloaded("x")) == "fault"


def test_a_later_time_is_told_on_a_copy() -> None:
    error = RateLimited("slow", param="p", retry_after_s=1)
    told = with_retry_after(error, 3.0)
    assert (type(told), told.message, told.param, told.retry_after_s, error.retry_after_s) == (
        RateLimited,
        "slow",
        "p",
        3.0,
        1,
    )


def test_the_figures_tell_what_happened() -> None:
    bench = DispatchBench(((BackendUnavailable("gone"),),), (whole("x"),))
    for _ in range(6):
        bench.ask(seconds=0.0)
    registry = CollectorRegistry()
    registry.register(ResilienceFigures(lambda: bench.endpoints, bench.dispatcher.lanes, bench.loop.time))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("seekway_backend_attempts_total", backend="b0") == 5
    assert value("seekway_backend_failures_total", backend="b0") == 5
    assert value("seekway_backend_retries_total", backend="b1") == 5
    assert value("seekway_backend_breaker_openings_total", backend="b0") == 1
    assert value("seekway_backend_breaker_state", backend="b0") == 2
    assert value("seekway_backend_available", backend="b0") == 0
    assert value("seekway_backend_outstanding", backend="b1") == 0
    assert value("seekway_pool_requests_total", pool="m") == 6
    assert value("seekway_pool_shed_total", pool="m") == 0
