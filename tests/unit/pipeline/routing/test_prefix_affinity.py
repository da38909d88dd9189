"""Prompts that begin alike stay together, within the load bound, and move only when they must."""

from __future__ import annotations

import subprocess
import sys
from math import ceil
from random import Random

import pytest

from seekway.core.types import GenerateRequest, ImagePart, Message, TextPart
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.hash_ring import HashRing
from seekway.pipeline.routing.least_outstanding import LeastOutstanding
from seekway.pipeline.routing.pool import Pool
from seekway.pipeline.routing.prefix_affinity import PrefixAffinity
from seekway.pipeline.routing.prompt_prefix import MOST, PLACES, prefixes
from tests.fakes.endpoint import FakeEndpoint, fake_endpoints, members, pool_of

EXCHANGE = Exchange(RequestRecord("r"))


def affinity(*, slack: int = 2, remembered: int = 1 << 14) -> PrefixAffinity:
    return PrefixAffinity(LeastOutstanding(Random(3)), 1.25, slack, remembered)


def chat(*texts: str) -> GenerateRequest:
    """A system prompt, then user and assistant in turn."""
    roles = ("user", "assistant")
    turns = (Message(roles[at % 2], text) for at, text in enumerate(texts[1:]))
    return GenerateRequest("r", "fake", messages=(Message("system", texts[0]), *turns))


def chosen(strategy: PrefixAffinity, pool: Pool[FakeEndpoint], request: GenerateRequest) -> FakeEndpoint:
    choice = strategy.pick(pool, request, EXCHANGE, 100.0, ())
    assert choice is not None
    return choice.endpoint


def homes(count: int, names: dict[str, FakeEndpoint]) -> list[str]:
    """Where ``count`` applications with a prompt of their own live, by a strategy that remembers none of them."""
    strategy, pool = affinity(), pool_of(names)
    return [chosen(strategy, pool, chat(f"You are application {at}.", "Hi")).name for at in range(count)]


def test_requests_that_share_a_system_prompt_go_to_one_backend() -> None:
    strategy, pool = affinity(), pool_of(fake_endpoints(*members(20)))
    for app in range(50):
        system = f"You are application {app}. " + "Be brief. " * 100
        assert len({chosen(strategy, pool, chat(system, f"Question {at}")).name for at in range(5)}) == 1


def test_applications_spread_over_the_backends() -> None:
    found = homes(4000, fake_endpoints(*members(10)))
    shares = [found.count(f"b{at}") for at in range(10)]
    assert min(shares) > 200
    assert max(shares) < 800


def test_two_gateways_agree_without_telling_each_other() -> None:
    endpoints = fake_endpoints(*members(10))
    assert homes(200, endpoints) == homes(200, endpoints)
    program = (
        "from seekway.pipeline.routing.hash_ring import HashRing;"
        "print(*HashRing({f'b{at}': 1.0 for at in range(10)}).walk(12345678, 9))"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert there.stdout.split() == list(HashRing({f"b{at}": 1.0 for at in range(10)}).walk(12345678, 9))


def test_a_conversation_stays_where_it_had_to_go() -> None:
    endpoints = fake_endpoints(*members(10))
    strategy, pool = affinity(), pool_of(endpoints)
    home = chosen(strategy, pool, chat("You help.", "Hi"))
    home.outstanding = 50
    other = chosen(strategy, pool, chat("You help.", "Another question"))
    assert other is not home
    home.outstanding = 0
    assert chosen(strategy, pool, chat("You help.", "Another question", "An answer", "And then?")) is other


def test_what_is_remembered_is_bounded_and_a_forgotten_prefix_goes_home() -> None:
    endpoints = fake_endpoints(*members(10))
    strategy, pool = affinity(remembered=1), pool_of(endpoints)
    home = chosen(strategy, pool, chat("You help."))
    home.outstanding = 50
    assert chosen(strategy, pool, chat("You help.")) is not home
    home.outstanding = 0
    for at in range(100):
        chosen(strategy, pool, chat(f"Someone else {at}."))
    assert chosen(strategy, pool, chat("You help.")) is home


@pytest.mark.parametrize("count", [2, 10, 100])
def test_one_hot_prefix_stays_within_the_load_bound(count: int) -> None:
    endpoints = fake_endpoints(*members(count))
    strategy, pool = affinity(), pool_of(endpoints)
    held: list[FakeEndpoint] = []
    random = Random(5)
    for at in range(60 * count):
        endpoint = chosen(strategy, pool, chat("You are the one that everybody asks.", f"Question {at}"))
        endpoint.outstanding += 1
        held.append(endpoint)
        if at > 30 * count:
            held.pop(random.randrange(len(held))).outstanding -= 1
        average = len(held) / count
        assert endpoint.outstanding <= max(3, ceil(1.25 * (average + 1)))


def test_a_quiet_pool_keeps_a_prefix_together_up_to_the_slack() -> None:
    endpoints = fake_endpoints(*members(10))
    strategy, pool = affinity(slack=4), pool_of(endpoints)
    found: list[str] = []
    for at in range(8):
        endpoint = chosen(strategy, pool, chat("You help.", f"Question {at}"))
        endpoint.outstanding += 1
        found.append(endpoint.name)
    assert len(set(found[:4])) == 1
    assert len(set(found)) == 2


def test_a_light_backend_is_bounded_by_its_weight() -> None:
    endpoints = fake_endpoints(*members(2, weights=(1, 4)))
    strategy, pool = affinity(slack=1), pool_of(endpoints)
    for at in range(500):
        chosen(strategy, pool, chat("You help.", f"Question {at}")).outstanding += 1
    assert endpoints["b0"].outstanding <= ceil(1.25 * 501 / 5)


def test_taking_a_backend_away_moves_only_its_share() -> None:
    endpoints = fake_endpoints(*members(10))
    before = homes(2000, endpoints)
    rest = {name: endpoint for name, endpoint in endpoints.items() if name != "b4"}
    after = homes(2000, rest)
    moved = [old for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"b4"}
    assert len(set(after)) == 9


def test_a_backend_that_comes_back_gets_its_own_again() -> None:
    endpoints = fake_endpoints(*members(10))
    strategy = affinity(remembered=1)
    whole = pool_of(endpoints)
    apps = [chat(f"You are application {at}.") for at in range(300)]
    before = [chosen(strategy, whole, app).name for app in apps]
    without = pool_of({name: endpoint for name, endpoint in endpoints.items() if name != "b4"})
    assert "b4" not in {chosen(strategy, without, app).name for app in apps}
    assert [chosen(strategy, pool_of(endpoints), app).name for app in apps] == before


def test_who_joins_takes_only_its_share() -> None:
    endpoints = fake_endpoints(*members(11))
    strategy = affinity(remembered=1)
    apps = [chat(f"You are application {at}.") for at in range(1000)]
    few = pool_of({name: endpoint for name, endpoint in endpoints.items() if name != "b3"})
    before = [chosen(strategy, few, app).name for app in apps]
    after = [chosen(strategy, pool_of(endpoints), app).name for app in apps]
    assert {new for old, new in zip(before, after, strict=True) if old != new} == {"b3"}
    assert after == [chosen(affinity(remembered=1), pool_of(endpoints), app).name for app in apps]


def test_a_prefix_whose_home_is_away_goes_to_one_neighbour() -> None:
    endpoints = fake_endpoints(*members(10))
    strategy, pool = affinity(), pool_of(endpoints)
    home = chosen(strategy, pool, chat("You help."))
    home.up = False
    assert len({chosen(strategy, pool, chat("You help.", f"Question {at}")).name for at in range(20)}) == 1


def test_a_request_without_a_prompt_goes_somewhere() -> None:
    pool = pool_of(fake_endpoints(*members(3)))
    assert chosen(affinity(), pool, GenerateRequest("r", "fake"))


def test_a_longer_conversation_begins_with_the_prefixes_of_the_shorter() -> None:
    short = prefixes(chat("You help.", "Hi", "Hello!"), 1)
    assert prefixes(chat("You help.", "Hi", "Hello!", "And then?"), 1)[: len(short)] == short


def test_long_messages_share_their_beginning_up_to_the_next_place() -> None:
    book = "It was the best of times. " * 2000
    one, two = prefixes(chat(book + "Who?"), 1), prefixes(chat(book + "Where?"), 1)
    assert one[: len(PLACES)] == two[: len(PLACES)]
    assert one[-1] != two[-1]


@pytest.mark.parametrize(
    "other",
    [
        chat("You help", ".Hi"),
        chat("You help.", "Ho"),
        chat("You help.Hi"),
        GenerateRequest("r", "fake", prompt="You help.Hi"),
        GenerateRequest("r", "fake", messages=(Message("user", (TextPart("Hi"), ImagePart("https://x/1.png"))),)),
    ],
)
def test_other_prompts_have_other_prefixes(other: GenerateRequest) -> None:
    assert prefixes(chat("You help.", "Hi"), 1)[-1] != prefixes(other, 1)[-1]


def test_the_work_is_bounded_and_any_text_is_hashed() -> None:
    assert len(prefixes(chat(*(["你好" * 50_000] * 30)), 1)) == MOST
    assert prefixes(chat("\ud800 broken"), 1)
    assert prefixes(GenerateRequest("r", "m", prompt=tuple(range(200_000))), 1)
    parts = (TextPart("Look:"), ImagePart("data:image/png;base64," + "A" * 10_000))
    assert prefixes(GenerateRequest("r", "m", messages=(Message("user", parts),)), 1)


def test_models_are_kept_apart() -> None:
    assert prefixes(chat("You help."), 1) != prefixes(chat("You help."), 2)


def test_a_lighter_backend_has_a_smaller_part_of_the_ring() -> None:
    ring = HashRing({"light": 1.0, "heavy": 4.0})
    random = Random(1)
    found = [next(ring.walk(random.getrandbits(32), 1)) for _ in range(4000)]
    assert found.count("light") == pytest.approx(800, abs=350)
