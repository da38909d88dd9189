"""Limits are one limit for all gateways over a real Redis, and are kept without it too."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from seekway.core.caller import Caller
from seekway.core.errors import RateLimited
from seekway.core.sections.limits import LimitRule
from seekway.pipeline.quota.local import LocalQuota
from seekway.pipeline.quota.rules import LimitBook
from seekway.pipeline.quota.shared import SharedQuota, script_source
from seekway.storage.redis_script import RedisScript
from tests.fakes.clock import SteppedClock
from tests.fakes.redis_server import RedisServer

CALLER = Caller("k1", "t1")
MINUTE = LimitRule(name="r", requests_per_minute=60)
SLOTS = LimitRule(name="r", concurrent=6)
TOKENS = LimitRule(name="r", tokens_per_minute=600)


class Gateway:
    """One gateway's limits; its calls to Redis are made when the test says so."""

    def __init__(self, url: str, clock: SteppedClock, *rules: LimitRule) -> None:
        self.clock = clock
        self.book = LimitBook(rules, clock=clock)
        self.local = LocalQuota(clock)
        # Seconds, not milliseconds: on a busy machine a slow answer is not an absent one.
        self.script = RedisScript(url, script_source(), timeout_s=5.0)
        self.store = SharedQuota(
            *(self.book, self.local, self.script),
            log=structlog.get_logger(),
            prefix="test",
            clock=clock,
            server_clock=clock,
        )

    async def admits(self, count: int = 1, tokens: int = 1) -> int:
        """How many of ``count`` requests at once are let in."""
        plan = self.book.plan(CALLER, None, "m")

        async def one() -> bool:
            try:
                waiting = self.store.admit(plan, tokens)
                if waiting is not None:
                    await waiting
            except RateLimited:
                return False
            return True

        asking = [asyncio.ensure_future(one()) for _ in range(count)]
        await asyncio.sleep(0)
        while not all(task.done() for task in asking):
            await self.store.exchange()
            await asyncio.sleep(0)
        return sum(task.result() for task in asking)

    async def settle(self, held: int = 0, used: int = 0) -> None:
        self.store.settle(self.book.plan(CALLER, None, "m"), held, used)
        await self.store.exchange()


class Farm:
    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.clock = SteppedClock(1_795_000_000.0)
        self.gateways: list[Gateway] = []

    async def gateway(self, *rules: LimitRule) -> Gateway:
        made = Gateway(self.server.url, self.clock, *rules)
        self.gateways.append(made)
        await self.beat()
        await self.beat()
        return made

    async def beat(self) -> None:
        for gateway in self.gateways:
            await gateway.store.beat()


@pytest.fixture
async def farm(tmp_path: Path) -> AsyncIterator[Farm]:
    server = RedisServer(tmp_path)
    await server.start()
    made = Farm(server)
    yield made
    for gateway in made.gateways:
        await gateway.store.close()
    server.resume()
    await server.kill()


async def test_all_gateways_together_keep_one_limit(farm: Farm) -> None:
    gateways = [await farm.gateway(MINUTE) for _ in range(3)]
    assert sum([await gateway.admits(30) for gateway in gateways]) == 60
    farm.clock.advance(5)
    assert sum([await gateway.admits(30) for gateway in gateways]) == 5


async def test_no_order_of_arrivals_lets_more_through(farm: Farm) -> None:
    gateways = [await farm.gateway(LimitRule(name="r", requests_per_second=10)) for _ in range(3)]
    dice, admitted, started = random.Random(7), 0, farm.clock.now
    for _ in range(120):
        farm.clock.advance(dice.random() * 0.2)
        admitted += await dice.choice(gateways).admits(dice.randrange(5))
        assert admitted <= 10 + 10 * (farm.clock.now - started) + 1e-3
    assert admitted > 80


async def test_a_refusal_takes_nothing_and_tells_the_time(farm: Farm) -> None:
    one = await farm.gateway(MINUTE, LimitRule(name="narrow", per=("tenant",), requests_per_minute=1))
    assert await one.admits(5) == 1
    assert [bucket.level for bucket in one.book.plan(CALLER, None, "m").every] == [1.0, 1.0]
    waiting = one.store.admit(one.book.plan(CALLER, None, "m"), 1)
    assert waiting is not None
    await one.store.exchange()
    with pytest.raises(RateLimited, match="narrow") as caught:
        await waiting
    assert caught.value.retry_after_s == pytest.approx(60)
    farm.clock.advance(60)
    assert await one.admits() == 1


async def test_tokens_under_way_and_used_are_everybodys(farm: Farm) -> None:
    one, other = await farm.gateway(TOKENS), await farm.gateway(TOKENS)
    assert await one.admits(1, 500) == 1
    assert await other.admits(1, 101) == 0
    await one.settle(500, 50)
    assert await other.admits(1, 550) == 1
    assert await one.admits(1, 1) == 0
    await other.settle(550, 1200)
    farm.clock.advance(60)
    assert await one.admits(1, 1) == 0
    farm.clock.advance(6)
    assert await one.admits(1, 1) == 1


async def test_a_request_that_never_fits_is_told_so(farm: Farm) -> None:
    one = await farm.gateway(TOKENS)
    waiting = one.store.admit(one.book.plan(CALLER, None, "m"), 601)
    assert waiting is not None
    await one.store.exchange()
    with pytest.raises(RateLimited, match="shorter"):
        await waiting


async def test_running_requests_of_a_gateway_that_died_are_given_back(farm: Farm) -> None:
    dead, alive = await farm.gateway(SLOTS), await farm.gateway(SLOTS)
    assert await dead.admits(6) == 6
    assert await alive.admits() == 0
    farm.clock.advance(3.5)
    await alive.store.beat()
    assert alive.store.gateways == 1
    assert await alive.admits(7) == 6


async def test_a_gateway_that_was_slow_says_again_what_runs(farm: Farm) -> None:
    slow, other = await farm.gateway(SLOTS), await farm.gateway(SLOTS)
    assert await slow.admits(4) == 4
    farm.clock.advance(3.5)
    await other.store.beat()
    assert await other.admits(1) == 1
    await slow.store.beat()
    await slow.store.exchange()
    assert await other.admits(5) == 1


async def test_a_client_that_leaves_while_redis_is_asked_takes_nothing(farm: Farm) -> None:
    one = await farm.gateway(SLOTS)
    plan = one.book.plan(CALLER, None, "m")
    for _ in range(3):
        waiting = asyncio.ensure_future(one.store.admit(plan, 1) or asyncio.sleep(0))
        asking = asyncio.ensure_future(one.store.exchange())
        await asyncio.sleep(0)
        waiting.cancel()
        await asking
        await one.store.exchange()
    assert await one.admits(7) == 6


async def test_without_redis_gateways_keep_the_limit_in_shares(farm: Farm) -> None:
    gateways = [await farm.gateway(MINUTE) for _ in range(3)]
    await farm.server.kill()
    with capture_logs() as logs:
        admitted = [await gateway.admits(60) for gateway in gateways]
        await farm.beat()
    assert admitted == [20, 20, 20]
    assert [entry["event"] for entry in logs] == ["limits_alone"] * 3
    assert [gateway.store.outages for gateway in gateways] == [1, 1, 1]


async def test_neither_losing_redis_nor_getting_it_back_gives_a_burst(farm: Farm) -> None:
    gateways = [await farm.gateway(MINUTE) for _ in range(3)]
    assert sum([await gateway.admits(15) for gateway in gateways]) == 45
    for gateway in gateways:
        await gateway.admits(0)
    await farm.server.kill()
    away = sum([await gateway.admits(60) for gateway in gateways])
    # Each knows how full the limit was when it last asked: 15, 30 and 45 of 60.
    assert away == (60 - 15) // 3 + (60 - 30) // 3 + (60 - 45) // 3
    await farm.server.start()
    await farm.beat()
    assert all(gateway.store.connected for gateway in gateways)
    assert sum([await gateway.admits(60) for gateway in gateways]) == 0
    farm.clock.advance(60)
    await farm.beat()
    assert 0 < sum([await gateway.admits(60) for gateway in gateways]) <= 60


async def test_what_runs_is_counted_through_an_outage(farm: Farm) -> None:
    one, other = await farm.gateway(SLOTS), await farm.gateway(SLOTS)
    assert await one.admits(4) == 4
    await farm.server.kill()
    await one.settle()
    assert await one.admits(1) == 0  # its share is 3, and 3 run
    await one.settle()
    assert await one.admits(2) == 1
    await farm.server.start()
    # The other finds out that its connection is gone, and is back a beat later.
    await farm.beat()
    await farm.beat()
    await one.store.exchange()
    assert await other.admits(9) == 3
    for _ in range(3):
        await one.settle()
    assert await other.admits(9) == 3


async def test_a_redis_that_hangs_is_left_within_its_time(farm: Farm) -> None:
    one = Gateway(farm.server.url, farm.clock, MINUTE)
    one.store._script = RedisScript(farm.server.url, script_source(), timeout_s=0.05)  # pyright: ignore[reportPrivateUsage]
    farm.gateways.append(one)
    # A machine this busy may miss so short a time now and then, which is no failure here.
    for _ in range(100):
        await one.store.beat()
        if one.store.connected:
            break
    farm.server.pause()
    assert await one.admits(61) == 60
    assert not one.store.connected
    farm.server.resume()


async def test_the_background_work_serves_and_ends(farm: Farm) -> None:
    one = Gateway(farm.server.url, farm.clock, MINUTE)
    farm.gateways.append(one)
    working = asyncio.ensure_future(one.store.run())
    async with asyncio.timeout(30):
        while not one.store.connected:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        plan = one.book.plan(CALLER, None, "m")
        verdicts = [one.store.admit(plan, 1) for _ in range(500)]
        results = await asyncio.gather(*(v for v in verdicts if v is not None), return_exceptions=True)
    assert [isinstance(result, RateLimited) for result in results].count(False) == 60
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_call_that_is_cancelled_ends(farm: Farm) -> None:
    one = await farm.gateway(MINUTE)
    for turns in range(12):
        calling = asyncio.ensure_future(one.store.beat())
        for _ in range(turns % 4):
            await asyncio.sleep(0)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
