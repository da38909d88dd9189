"""No limit lets more through than it says, a refusal takes nothing, and what is held is given back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.allowance import Allowance
from seekway.core.caller import Caller
from seekway.core.errors import RateLimited
from seekway.core.sections.limits import LimitRule
from seekway.pipeline.quota.buckets import Plan
from seekway.pipeline.quota.local import LocalQuota
from seekway.pipeline.quota.rules import LimitBook
from tests.fakes.clock import SteppedClock

CALLER = Caller("k1", "t1", tags=("gold",))


@dataclass
class Gate:
    clock: SteppedClock
    book: LimitBook
    store: LocalQuota

    def plan(self, caller: Caller = CALLER, user: str | None = None, model: str = "m") -> Plan:
        return self.book.plan(caller, user, model)

    def admits(self, tokens: int = 1, caller: Caller = CALLER, user: str | None = None, model: str = "m") -> bool:
        try:
            self.store.admit(self.plan(caller, user, model), tokens)
        except RateLimited:
            return False
        return True

    def settle(self, held: int, used: int) -> None:
        self.store.settle(self.plan(), held, used)


def gate(*rules: LimitRule) -> Gate:
    clock = SteppedClock()
    return Gate(clock, LimitBook(rules, clock=clock), LocalQuota(clock))


def state(plan: Plan) -> list[tuple[float, float]]:
    return [(bucket.level, bucket.held) for bucket in plan.every]


PER_MINUTE = LimitRule(name="r", requests_per_minute=60)
TOKENS = LimitRule(name="r", tokens_per_minute=600)


@given(
    st.sampled_from([0.5, 1, 3, 7, 200, 500]),
    st.sampled_from([0.1, 1 / 3, 1.0]),
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.3, 1.0]), st.integers(1, 40)), min_size=1, max_size=30
    ),
)
def test_no_window_admits_more_than_the_burst_and_what_flowed_off(
    rate: float, burst: float, arrivals: list[tuple[float, int]]
) -> None:
    one = gate(LimitRule(name="r", requests_per_second=rate, burst=burst))
    admitted: list[float] = []
    for pause, count in arrivals:
        one.clock.advance(pause)
        admitted += [one.clock.now for _ in range(count) if one.admits()]
    most = max(1.0, rate * burst)
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= most + rate * (admitted[last] - start) + 1e-3


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 400), st.floats(0, 1), st.booleans()), max_size=40))
def test_tokens_used_and_under_way_never_pass_the_limit(steps: list[tuple[float, int, float, bool]]) -> None:
    """As long as a request takes no more than was held for it."""
    one = gate(TOKENS)
    running: list[tuple[int, int]] = []
    used: list[tuple[float, int]] = []
    for pause, tokens, share, ends in steps:
        one.clock.advance(pause)
        if ends and running:
            held, real = running.pop(0)
            one.settle(held, real)
            used.append((one.clock.now, real))
        elif one.admits(tokens):
            running.append((tokens, int(tokens * share)))
        (bucket,) = one.plan().tokens
        assert bucket.leak(one.clock.now) + bucket.held <= 600 + 1e-3
        assert bucket.held == sum(held for held, _ in running)
        for first, (start, _) in enumerate(used):
            for last in range(first, len(used)):
                assert sum(n for _, n in used[first : last + 1]) <= 600 + 10 * (used[last][0] - start) + 1e-3


@given(st.integers(0, 600), st.integers(0, 2000))
def test_after_settling_the_limit_holds_what_was_really_used(held: int, used: int) -> None:
    one = gate(TOKENS)
    assert one.admits(held)
    one.settle(held, used)
    assert state(one.plan()) == [(float(used), 0)]


def test_the_whole_limit_is_there_at_once_and_comes_back_evenly() -> None:
    one = gate(PER_MINUTE)
    assert [one.admits() for _ in range(61)] == [True] * 60 + [False]
    one.clock.advance(1)
    assert [one.admits() for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    "figures", [{"requests_per_second": 300}, {"requests_per_minute": 7}, {"tokens_per_minute": 99}]
)
def test_whoever_waits_as_long_as_told_is_admitted_and_no_sooner(figures: dict[str, float]) -> None:
    one = gate(LimitRule(name="r", **figures))  # pyright: ignore[reportArgumentType] - one figure of three
    for _ in range(50):
        while one.admits(33):
            if one.plan().tokens:
                one.settle(33, 33)
        with pytest.raises(RateLimited) as caught:
            one.store.admit(one.plan(), 33)
        wait = caught.value.retry_after_s
        assert wait is not None
        one.clock.advance(wait * 0.99)
        assert not one.admits(33)
        one.clock.advance(wait * 0.01)
        assert one.admits(33)
        if one.plan().tokens:
            one.settle(33, 33)


def test_a_refusal_takes_nothing_from_any_limit() -> None:
    one = gate(
        LimitRule(name="wide", requests_per_second=100, tokens_per_minute=1000, concurrent=9),
        LimitRule(name="narrow", per=("tenant",), concurrent=1),
    )
    assert one.admits(10)
    before = state(one.plan())
    for _ in range(5):
        assert not one.admits(10)
    assert state(one.plan()) == before


def test_a_refusal_names_the_limit_that_takes_longest() -> None:
    one = gate(
        LimitRule(name="fast", requests_per_second=1), LimitRule(name="slow", per=("tenant",), requests_per_minute=1)
    )
    assert one.admits()
    with pytest.raises(RateLimited, match=r"limit slow of 1 requests a minute") as caught:
        one.store.admit(one.plan(), 1)
    assert (caught.value.param, caught.value.retry_after_s) == ("slow.requests_per_minute", pytest.approx(60.0))


def test_no_more_requests_run_at_once_than_allowed() -> None:
    one = gate(LimitRule(name="r", concurrent=2))
    assert [one.admits() for _ in range(3)] == [True, True, False]
    one.settle(0, 0)
    assert [one.admits() for _ in range(2)] == [True, False]


def test_an_answer_longer_than_held_is_owed_and_paid_off() -> None:
    one = gate(TOKENS)
    assert one.admits(100)
    one.settle(100, 1200)
    assert not one.admits(1)
    one.clock.advance(60)
    assert not one.admits(1)
    one.clock.advance(1)
    assert one.admits(1)


def test_a_request_that_never_fits_is_told_so_without_a_time() -> None:
    one = gate(TOKENS)
    with pytest.raises(RateLimited, match="send a shorter one") as caught:
        one.store.admit(one.plan(), 601)
    assert caught.value.retry_after_s is None
    assert one.admits(600)


@pytest.mark.parametrize(
    ("rule", "same", "other"),
    [
        (LimitRule(name="r", concurrent=1), (CALLER, "u2", "m2"), (Caller("k2", "t1"), "u1", "m")),
        (LimitRule(name="r", per=("tenant",), concurrent=1), (Caller("k2", "t1"), "u2", "m2"), (Caller("k1", "t2"), "u1", "m")),
        (LimitRule(name="r", per=("user",), concurrent=1), (Caller("k2", "t1"), "u1", "m2"), (Caller("k1", "t2"), "u1", "m")),
        (LimitRule(name="r", per=("model",), concurrent=1), (Caller("k2", "t2"), "u2", "m"), (CALLER, "u1", "m2")),
        (LimitRule(name="r", per=("key", "model"), concurrent=1), (CALLER, "u2", "m"), (CALLER, "u1", "m2")),
    ],
)  # fmt: skip
def test_each_scope_is_counted_apart(
    rule: LimitRule, same: tuple[Caller, str, str], other: tuple[Caller, str, str]
) -> None:
    one = gate(rule)
    assert one.admits(1, CALLER, "u1", "m")
    assert not one.admits(1, *same)
    assert one.admits(1, *other)


def test_names_cannot_be_made_to_collide() -> None:
    one = gate(LimitRule(name="r", per=("tenant", "user"), concurrent=1))
    assert one.admits(1, Caller("k", "a/1:b"), "c")
    assert one.admits(1, Caller("k2", "a"), "b/1:c")


def test_leaving_the_user_out_is_no_way_around() -> None:
    one = gate(LimitRule(name="r", per=("user",), concurrent=1))
    assert one.admits(1, CALLER, None)
    assert not one.admits(1, CALLER, "")


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        (LimitRule(name="r", concurrent=1, tenants=("t1",)), True),
        (LimitRule(name="r", concurrent=1, tenants=("t2",)), False),
        (LimitRule(name="r", concurrent=1, keys=("k1",)), True),
        (LimitRule(name="r", concurrent=1, keys=("k2",)), False),
        (LimitRule(name="r", concurrent=1, tags=("tin", "gold")), True),
        (LimitRule(name="r", concurrent=1, tags=("tin",)), False),
        (LimitRule(name="r", concurrent=1, users=("u",)), True),
        (LimitRule(name="r", concurrent=1, users=("v",)), False),
        (LimitRule(name="r", concurrent=1, models=("m",)), True),
        (LimitRule(name="r", concurrent=1, models=("n",)), False),
    ],
)
def test_a_rule_holds_for_what_it_names(rule: LimitRule, applies: bool) -> None:
    assert bool(gate(rule).plan(CALLER, "u", "m").every) is applies


def test_a_keys_own_figures_take_the_place_of_the_rules_for_keys() -> None:
    one = gate(LimitRule(name="r", concurrent=1, requests_per_minute=9), LimitRule(name="all", per=(), concurrent=3))
    own = Caller("k9", limits=Allowance(concurrent=2))
    assert [(b.name, b.limit) for b in one.plan(own).every] == [
        ("r.requests_per_minute", 9.0),
        ("all.concurrent", 3.0),
        ("own.concurrent", 2.0),
    ]


def test_new_rules_keep_what_was_taken() -> None:
    one = gate(LimitRule(name="r", requests_per_minute=10), LimitRule(name="gone", concurrent=50))
    assert all(one.admits() for _ in range(8))
    one.book.use([LimitRule(name="r", requests_per_minute=9)])
    assert [one.admits() for _ in range(2)] == [True, False]


def test_a_change_of_a_keys_limits_holds_from_the_next_request() -> None:
    one = gate()
    before, after = (Caller("k", limits=Allowance(concurrent=n)) for n in (2, 3))
    assert [one.admits(1, before) for _ in range(3)] == [True, True, False]
    assert [one.admits(1, after) for _ in range(2)] == [True, False]


def test_users_who_come_and_go_are_forgotten() -> None:
    one = gate(LimitRule(name="r", per=("user",), requests_per_minute=60))
    for number in range(20_000):
        assert one.admits(1, CALLER, f"u{number}")
        one.clock.advance(0.01)
    assert len(one.book) < 20_000 * 60 / 200


def test_the_number_of_plans_is_bounded_however_fast_they_come() -> None:
    clock = SteppedClock()
    book = LimitBook([LimitRule(name="r", per=("user",), requests_per_minute=60)], clock=clock, most_plans=100)
    for number in range(5_000):
        book.plan(CALLER, f"u{number}", "m")
    assert len(book) <= 300


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 30)), min_size=1, max_size=60))
def test_being_forgotten_gives_nothing_back(visits: list[tuple[int, float]]) -> None:
    """The same verdicts as from buckets that are never forgotten."""
    rule = LimitRule(name="r", per=("user",), requests_per_minute=3)
    clock = SteppedClock()
    forgetful = Gate(clock, LimitBook([rule], clock=clock, most_plans=2), LocalQuota(clock))
    keeping = Gate(clock, LimitBook([rule], clock=lambda: 0.0), LocalQuota(clock))
    for user, pause in visits:
        clock.advance(pause)
        for _ in range(2):
            assert forgetful.admits(1, CALLER, f"u{user}") == keeping.admits(1, CALLER, f"u{user}")


@pytest.mark.parametrize(("nodes", "limit"), [(1, 10), (3, 12), (4, 10), (10, 5)])
def test_gateways_that_count_alone_keep_their_shares(nodes: int, limit: int) -> None:
    rules = (LimitRule(name="r", requests_per_minute=limit), LimitRule(name="c", per=("tenant",), concurrent=limit))
    gates = [gate(*rules) for _ in range(nodes)]
    for one in gates:
        one.store.weight = nodes
    admitted = sum(one.admits() for one in gates for _ in range(limit))
    assert nodes <= admitted <= max(limit, nodes)
