"""Each strategy sends requests where it says, counted over many with a seeded random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from random import Random
from typing import get_args

import pytest

from seekway.core.sections.routing import RoutingSettings, StrategyName
from seekway.core.types import GenerateRequest, Message
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.strategies import make_strategies
from seekway.pipeline.routing.strategy import Strategy
from tests.fakes.endpoint import FakeEndpoint, fake_endpoints, members, pool_of

REQUEST = GenerateRequest("r", "fake", messages=(Message("user", "Hello"),))
EXCHANGE = Exchange(RequestRecord("r"))
SETTINGS = RoutingSettings(full_at=4)
ALL = get_args(StrategyName)


def strategy(name: StrategyName, seed: int = 7) -> Strategy:
    return make_strategies(SETTINGS, Random(seed))[name]


def counted(
    name: StrategyName, endpoints: dict[str, FakeEndpoint], times: int, *, hold: bool = False, now: float = 100.0
) -> Counter[str]:
    """How often each is chosen; with ``hold`` no request ever ends."""
    chooser, pool, found = strategy(name), pool_of(endpoints), Counter[str]()
    for _ in range(times):
        choice = chooser.pick(pool, REQUEST, EXCHANGE, now, ())
        assert choice is not None
        found[choice.endpoint.name] += 1
        choice.endpoint.outstanding += hold
    return found


def names_of(
    name: StrategyName, endpoints: dict[str, FakeEndpoint], tried: Collection[str] = (), times: int = 200
) -> set[str]:
    chooser, pool = strategy(name), pool_of(endpoints)
    picks = [chooser.pick(pool, REQUEST, EXCHANGE, 100.0, tried) for _ in range(times)]
    return {choice.endpoint.name if choice else "nobody" for choice in picks}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("count", [2, 5, 100])
def test_only_who_is_available_and_untried_is_chosen(name: StrategyName, count: int) -> None:
    endpoints = fake_endpoints(*members(count))
    for at, endpoint in enumerate(endpoints.values()):
        endpoint.up = at == count - 1
    last = f"b{count - 1}"
    assert names_of(name, endpoints) == {last}
    assert names_of(name, endpoints, {last}) == {"nobody"}
    endpoints["b0"].up = True
    assert names_of(name, endpoints, (last,)) == {"b0"}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("count", [1, 2, 4, 5, 50])
def test_nobody_available_is_nobody_and_the_first_to_return_is_found(name: StrategyName, count: int) -> None:
    endpoints = fake_endpoints(*members(count))
    for endpoint in endpoints.values():
        endpoint.up = False
    chooser, pool = strategy(name), pool_of(endpoints)
    assert chooser.pick(pool, REQUEST, EXCHANGE, 100.0, ()) is None
    endpoints["b0"].up = True
    found = chooser.pick(pool, REQUEST, EXCHANGE, 100.2, ())
    assert found is not None
    assert found.endpoint.name == "b0"


@pytest.mark.parametrize("name", ALL)
def test_full_everywhere_is_still_somewhere(name: StrategyName) -> None:
    endpoints = fake_endpoints(*members(6, tiers=(0, 1, 2, 3, 4, 5), costs=(1, 2, 3, 4, 5, 6)))
    for endpoint in endpoints.values():
        endpoint.outstanding = 1000
    assert "nobody" not in names_of(name, endpoints)


def test_weighted_shares_follow_the_weights() -> None:
    found = counted("weighted", fake_endpoints(*members(3, weights=(1, 2, 5))), 16_000)
    assert [round(found[f"b{at}"] / 2000, 1) for at in range(3)] == pytest.approx([1, 2, 5], abs=0.21)


def test_weighted_gives_a_slow_starter_the_share_it_has_now() -> None:
    endpoints = fake_endpoints(*members(3))
    endpoints["b0"].share = 0.2
    found = counted("weighted", endpoints, 11_000)
    assert found["b0"] == pytest.approx(1000, abs=120)
    assert found["b1"] == pytest.approx(5000, abs=250)


def test_weighted_keeps_the_proportions_of_those_left() -> None:
    endpoints = fake_endpoints(*members(12, weights=(100, *[1.0] * 9, 1, 3)))
    for endpoint in endpoints.values():
        endpoint.up = endpoint.name in ("b10", "b11")
    found = counted("weighted", endpoints, 8000)
    assert found["b11"] == pytest.approx(6000, abs=200)


@pytest.mark.parametrize("count", [3, 4])
def test_a_small_pool_is_filled_evenly_to_the_request(count: int) -> None:
    found = counted("least_outstanding", fake_endpoints(*members(count)), 100 * count, hold=True)
    assert set(found.values()) == {100}


def test_a_large_pool_is_filled_nearly_evenly() -> None:
    found = counted("least_outstanding", fake_endpoints(*members(100)), 10_000, hold=True)
    assert min(found[f"b{at}"] for at in range(100)) >= 97
    assert max(found.values()) <= 102


def test_idle_backends_share_requests_that_never_meet() -> None:
    found = counted("least_outstanding", fake_endpoints(*members(3)), 9000)
    assert min(found[f"b{at}"] for at in range(3)) > 2800


def test_outstanding_requests_are_held_by_weight() -> None:
    found = counted("least_outstanding", fake_endpoints(*members(2, weights=(1, 3))), 400, hold=True)
    assert found["b1"] == pytest.approx(300, abs=1)


def test_the_quicker_backend_gets_the_requests() -> None:
    endpoints = fake_endpoints(*members(2))
    endpoints["b0"].latency.observe(99.0, 0.2)
    endpoints["b1"].latency.observe(99.0, 0.1)
    assert counted("latency", endpoints, 100) == {"b1": 100}
    held = counted("latency", endpoints, 300, hold=True)
    assert held["b1"] == pytest.approx(200, abs=2)


def test_the_slowest_of_many_is_left_alone_and_nobody_gets_all() -> None:
    endpoints = fake_endpoints(*members(10))
    for at, endpoint in enumerate(endpoints.values()):
        endpoint.latency.observe(99.0, 1.0 if at == 0 else 0.1 + at / 1000)
    found = counted("latency", endpoints, 10_000)
    assert found["b0"] == 0
    assert max(found.values()) < 2300


def test_a_backend_that_has_answered_nothing_yet_is_asked_but_not_flooded() -> None:
    endpoints = fake_endpoints(*members(2))
    endpoints["b0"].latency.observe(100.0, 0.05)
    found = counted("latency", endpoints, 102, hold=True)
    assert found["b1"] == pytest.approx(100, abs=2)
    assert found["b0"] > 0


def test_the_cheapest_is_used_until_it_is_full_and_again_when_it_is_not() -> None:
    endpoints = fake_endpoints(*members(3, costs=(2.0, 0.5, 1.0)))
    assert counted("cheapest", endpoints, 10, hold=True) == {"b1": 4, "b2": 4, "b0": 2}
    endpoints["b1"].outstanding = 3
    assert names_of("cheapest", endpoints) == {"b1"}
    endpoints["b1"].up = False
    endpoints["b2"].outstanding = 0
    assert names_of("cheapest", endpoints) == {"b2"}


def test_of_many_prices_a_cheap_one_is_used_again_within_a_tenth_of_a_second() -> None:
    endpoints = fake_endpoints(*members(50, costs=tuple(float(at) for at in range(50))))
    pool, chooser = pool_of(endpoints), strategy("cheapest")
    for endpoint in list(endpoints.values())[:40]:
        endpoint.outstanding = 4

    def chosen(now: float) -> str:
        choice = chooser.pick(pool, REQUEST, EXCHANGE, now, ())
        assert choice is not None
        return choice.endpoint.name

    assert [chosen(100.0), chosen(100.05)] == ["b40", "b40"]
    endpoints["b3"].outstanding = 0
    assert chosen(100.11) == "b3"
    endpoints["b3"].outstanding = 4
    assert [chosen(100.12), chosen(100.3)] == ["b40", "b40"]


@pytest.mark.parametrize("large", [1, 10])
def test_a_tier_spills_over_when_it_is_full_and_is_used_again_when_it_is_not(large: int) -> None:
    tiers = tuple([0] * 2 * large + [1] * large + [2])
    endpoints = fake_endpoints(*members(len(tiers), tiers=tiers))
    found = counted("tiers", endpoints, 12 * large + 1, hold=True)
    by_tier = Counter[int]()
    for name, times in found.items():
        by_tier[endpoints[name].tier] += times
    assert by_tier == {0: 8 * large, 1: 4 * large, 2: 1}
    for endpoint in endpoints.values():
        endpoint.outstanding = 3 if endpoint.tier == 0 else 0
    assert {endpoints[name].tier for name in names_of("tiers", endpoints)} == {0}


def test_a_tier_whose_backends_are_all_away_is_passed_over() -> None:
    endpoints = fake_endpoints(*members(20, tiers=(0,) * 19 + (1,)))
    for endpoint in endpoints.values():
        endpoint.up = endpoint.tier == 1
    assert names_of("tiers", endpoints) == {"b19"}


def test_the_same_seed_makes_the_same_choices() -> None:
    picks = [counted("latency", fake_endpoints(*members(9)), 50) for _ in range(2)]
    assert picks[0] == picks[1]
