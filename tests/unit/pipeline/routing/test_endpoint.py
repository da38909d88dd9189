"""An endpoint knows when it may be asked: breaker, ejection, Retry-After, concurrency limit, slow start."""

from __future__ import annotations

import pytest

from seekway.core.sections.resilience import ResilienceSettings
from seekway.pipeline.routing.ejection import Neighbours
from seekway.pipeline.routing.endpoint import Endpoint
from tests.fakes.push_backend import ManualLoop, ScriptedPush, endpoint_of

POLICY = ResilienceSettings(
    breaker_failures=5,
    breaker_open_s=5,
    breaker_open_most_s=15,
    least_requests=10,
    slow_start_s=10,
    concurrency_least=2,
)


def endpoint(policy: ResilienceSettings = POLICY, name: str = "b") -> Endpoint:
    return endpoint_of(name, ScriptedPush(ManualLoop()), policy)


def fail(e: Endpoint, now: float, retry_after_s: float | None = None) -> None:
    probe = e.begin()
    e.failed(now, now, "busy" if retry_after_s is not None else "fault", retry_after_s, probe=probe)


def succeed(e: Endpoint, now: float) -> None:
    probe = e.begin()
    e.first_event(now, now, probe=probe)
    e.succeeded(now)


def broken(now: float) -> Endpoint:
    e = endpoint()
    for _ in range(5):
        fail(e, now)
    return e


def test_failures_in_a_row_open_the_breaker() -> None:
    e = endpoint()
    for _ in range(4):
        fail(e, 0.0)
    succeed(e, 0.0)
    for _ in range(4):
        fail(e, 0.0)
    assert e.available(0.0)
    fail(e, 0.0)
    assert (e.available(0.0), e.breaker.state(0.0), e.wait_s(0.0)) == (False, "open", 5.0)


def test_a_share_of_failures_opens_it_too_once_there_are_enough() -> None:
    e = endpoint()
    for at in range(10):
        assert e.available(0.0)
        succeed(e, 0.0) if at % 2 else fail(e, 0.0)
    fail(e, 0.0)
    assert not e.available(0.0)


def test_failures_are_forgotten_with_the_window() -> None:
    e = endpoint()
    for at in range(9):
        succeed(e, 0.0) if at % 2 else fail(e, 0.0)
    succeed(e, 20.0)
    fail(e, 20.0)
    assert e.available(20.0)


def test_a_half_open_breaker_lets_one_probe_through_whose_success_closes_it() -> None:
    e = broken(0.0)
    assert e.available(5.0)
    probe = e.begin()
    assert probe
    assert (e.available(5.0), e.breaker.state(5.0)) == (False, "half_open")
    e.first_event(6.0, 5.0, probe=probe)
    assert (e.available(6.0), e.breaker.state(6.0)) == (True, "closed")


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_most() -> None:
    e, now = broken(0.0), 5.0
    for opened_for in (10.0, 15.0, 15.0):
        fail(e, now)
        assert not e.available(now + opened_for - 0.1)
        now += opened_for
        assert e.available(now)


def test_a_probe_that_is_cancelled_makes_place_for_the_next() -> None:
    e = broken(0.0)
    probe = e.begin()
    e.cancelled(5.0, 5.0, probe=probe, silent=True)
    assert e.available(5.0)


@pytest.mark.parametrize("verdict", ["busy", "elsewhere", "fine"])
def test_a_probe_never_blocks_the_breaker_however_it_ends(verdict: str) -> None:
    e = broken(0.0)
    probe = e.begin()
    if verdict == "busy":
        e.failed(5.0, 5.0, "busy", 1.0, probe=probe)
    elif verdict == "elsewhere":
        e.failed(5.0, 5.0, "elsewhere", None, probe=probe)
    else:
        e.failed(5.0, 5.0, "fine", None, probe=probe)
    assert (e.available(7.0), e.outstanding) == (True, 0)


def test_requests_from_before_do_not_open_or_close_it_again() -> None:
    e = endpoint()
    old = [e.begin() for _ in range(3)]
    for _ in range(5):
        fail(e, 0.0)
    e.first_event(1.0, 0.0, probe=old[0])
    e.failed(4.9, 0.0, "fault", None, probe=old[1])
    e.cancelled(4.9, 0.0, probe=old[2], silent=True)
    assert not e.available(4.9)
    assert e.available(5.0)
    assert e.breaker.openings == 1


def test_a_backend_that_came_back_starts_slowly() -> None:
    e = broken(0.0)
    succeed(e, 5.0)
    assert [e.weight(now) for now in (5.0, 10.0, 15.0, 16.0)] == [0.1, 0.5, 1.0, 1.0]


def test_one_that_was_away_starts_slowly_and_one_that_never_was_does_not() -> None:
    e = endpoint()
    e.heard_of(0.0, away=False)
    assert e.weight(0.0) == 1.0
    e.heard_of(1.0, away=True)
    assert (e.available(1.0), e.usable(1.0), e.away) == (False, True, True)
    e.heard_of(2.0, away=False)
    assert (e.available(2.0), e.weight(3.0)) == (True, 0.1)


def test_without_a_slow_start_the_weight_is_whole_at_once() -> None:
    e = endpoint(ResilienceSettings(slow_start_s=0))
    e.heard_of(1.0, away=True)
    e.heard_of(2.0, away=False)
    assert e.weight(2.0) == 1.0


def test_retry_after_is_kept_to_and_believed_only_so_far() -> None:
    e = endpoint()
    fail(e, 0.0, retry_after_s=7)
    assert (e.available(6.9), e.available(7.0)) == (False, True)
    fail(e, 10.0, retry_after_s=86_400)
    assert e.wait_s(10.0) == 300.0


def test_a_busy_backend_that_names_no_time_is_left_alone_for_a_second() -> None:
    e = endpoint()
    e.failed(0.0, 0.0, "busy", None, probe=e.begin())
    assert (e.available(0.9), e.available(1.0)) == (False, True)


def test_overload_lowers_the_limit_once_for_all_that_was_sent_before() -> None:
    e = endpoint()
    for _ in range(20):
        e.begin()
    for _ in range(5):
        e.failed(2.0, 1.0, "busy", 0.0, probe=False)
    assert e.limit == 18
    e.begin()
    e.failed(4.0, 3.0, "busy", 0.0, probe=False)
    assert e.limit == 14


def test_the_limit_never_falls_below_the_least_and_a_full_endpoint_is_not_available() -> None:
    e = endpoint()
    for now in range(1, 5):
        e.begin()
        e.failed(now, now, "busy", 0.0, probe=False)
    assert e.limit == 2
    e.begin()
    assert e.available(9.0)
    e.begin()
    assert (e.available(9.0), e.usable(9.0), e.in_service(9.0)) == (False, False, True)


def test_a_slow_first_event_lowers_the_limit_and_quick_ones_raise_it_again() -> None:
    e = endpoint(ResilienceSettings(concurrency_least=2, slow_first_event_s=5))
    for _ in range(10):
        e.begin()
    e.first_event(6.0, 0.0, probe=False)
    assert e.limit == 9
    for _ in range(10):
        e.first_event(8.0, 7.0, probe=False)
    assert e.limit == 10


def test_an_attempt_given_up_in_silence_counts_as_slow_as_it_was() -> None:
    e = endpoint()
    e.begin()
    e.cancelled(9.0, 2.0, probe=False, silent=True)
    assert e.latency.value(9.0) == 7.0
    e.begin()
    e.cancelled(9.0, 8.0, probe=False, silent=True)
    assert e.latency.value(9.0) == 7.0


def neighbourhood(count: int, policy: ResilienceSettings = POLICY) -> list[Endpoint]:
    endpoints = [endpoint(policy, f"b{at}") for at in range(count)]
    Neighbours(policy).update(tuple(endpoints))
    for e in endpoints:
        for _ in range(20):
            succeed(e, 0.0)
    return endpoints


def worsen(e: Endpoint, now: float = 0.0) -> None:
    """Fail a third of the time, never often in a row."""
    for at in range(30):
        fail(e, now) if at % 3 == 0 else succeed(e, now)


def test_an_outlier_is_left_out_and_comes_back_slowly() -> None:
    outlier, other = neighbourhood(2)
    worsen(outlier)
    assert (outlier.available(1.0), outlier.ejected(1.0), outlier.breaker.closed, outlier.usable(1.0)) == (
        False,
        True,
        True,
        True,
    )
    assert other.available(1.0)
    assert (outlier.available(10.0), outlier.weight(10.0)) == (True, 0.1)
    assert outlier.window.counts(10.0) == (0, 0)


def test_a_failure_that_all_share_ejects_nobody() -> None:
    endpoints = neighbourhood(3)
    for at in range(30):
        for e in endpoints:
            fail(e, 0.0) if at % 3 == 0 else succeed(e, 0.0)
    assert not any(e.ejected(0.0) for e in endpoints)


def test_never_more_than_the_set_share_is_left_out_and_one_always_stays() -> None:
    for count, most in ((1, 0), (2, 1), (3, 1), (4, 2), (5, 2)):
        endpoints = neighbourhood(count + 1)[:count] if count == 0 else neighbourhood(count)
        for e in endpoints:
            worsen(e)
        assert sum(e.ejected(0.0) for e in endpoints) <= most


def test_an_endpoint_of_two_models_stays_where_it_is_the_only_one() -> None:
    shared, other = neighbourhood(2)
    Neighbours(POLICY).update((shared,))
    worsen(shared)
    assert not shared.ejected(0.0)
    assert other.available(0.0)


def test_a_repeated_outlier_is_left_out_for_longer_and_a_reformed_one_not() -> None:
    outlier, other = neighbourhood(2)
    worsen(outlier)
    assert outlier.ejection.until == 10.0
    assert outlier.available(11.0)
    for _ in range(20):
        succeed(other, 11.0)
    worsen(outlier, 11.0)
    assert outlier.ejection.until == 31.0
    assert outlier.available(100.0)
    for _ in range(20):
        succeed(other, 100.0)
    worsen(outlier, 100.0)
    assert outlier.ejection.until == 110.0


def test_a_neighbourhood_that_changes_is_left_behind() -> None:
    first, second = endpoint(name="a"), endpoint(name="b")
    group = Neighbours(POLICY)
    group.update((first, second))
    group.update((second,))
    assert (first.neighbours, second.neighbours) == ([], [group])


def test_a_new_configuration_keeps_what_was_learned() -> None:
    old = broken(0.0)
    old.latency.observe(0.0, 3.0)
    for _ in range(20):
        old.begin()
    old.failed(0.0, 0.0, "busy", 2.0, probe=False)
    new = endpoint(ResilienceSettings(concurrency_most=10, concurrency_least=2))
    new.learn_from(old)
    assert (new.available(4.9), new.available(5.0), new.outstanding) == (False, True, 0)
    assert (new.limit, new.latency.value(0.0), new.breaker.openings, new.failures) == (10, 3.0, 1, 6)
    fresh = endpoint(ResilienceSettings(concurrency_most=10_000))
    fresh.learn_from(endpoint())
    assert (fresh.available(0.0), fresh.limit) == (True, 10_000)
