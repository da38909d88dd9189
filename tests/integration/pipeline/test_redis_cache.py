"""Answers in a real Redis are shared by gateways, expire, can be cleared by tenant, and are done without when it is away."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from seekway.core.errors import ConfigError
from seekway.core.sections.log import LogSettings
from seekway.observability.cache_figures import CacheCounts
from seekway.observability.logging import make_logger
from seekway.pipeline.cache.redis_client import open_redis
from seekway.pipeline.cache.redis_store import RedisClient, RedisStore
from seekway.pipeline.cache.store import Found
from seekway.pipeline.caller import Caller
from tests.fakes.redis_server import RedisServer
from tests.unit.pipeline.cache.asked import AskedCache, Clock, answer_of

KEY = b"tenant-1" + b"d" * 24
# Seconds, not milliseconds: on a busy machine a slow answer is not an absent one.
PATIENT_S = 10.0


class Gateway:
    """One gateway's cache over the shared Redis."""

    def __init__(self, url: str, timeout_s: float = PATIENT_S) -> None:
        self.client: RedisClient
        self.client, failures = open_redis(url, timeout_s=timeout_s)
        self.clock, self.counts, self.log = Clock(), CacheCounts(), io.StringIO()
        log = make_logger(LogSettings(), self.log)
        self.store = RedisStore(self.client, failures, self.counts, log, timeout_s=timeout_s, wall_clock=self.clock)
        self.cache = AskedCache(store=self.store, counts=self.counts)

    async def close(self) -> None:
        await self.store.close()
        await self.client.aclose()


class Farm:
    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.gateways: list[Gateway] = []

    def gateway(self, timeout_s: float = PATIENT_S) -> Gateway:
        self.gateways.append(Gateway(self.server.url, timeout_s))
        return self.gateways[-1]


@pytest.fixture
async def farm(tmp_path: Path) -> AsyncIterator[Farm]:
    server = RedisServer(tmp_path)
    await server.start()
    made = Farm(server)
    yield made
    server.resume()
    for gateway in made.gateways:
        await gateway.close()
    await server.kill()


async def test_one_gateways_answer_is_anothers_hit(farm: Farm) -> None:
    one, two = farm.gateway(), farm.gateway()
    (await one.cache.ask("q").look()).give(answer_of("Paris."))
    await one.store.written()
    two.clock.now = one.clock.now + 7
    found = await two.cache.ask("q").look()
    assert (found.did, found.text, found.headers[b"age"]) == ("hit", "Paris.", b"7")
    assert (await two.cache.ask("q", caller=Caller("k", "t")).look()).did == "miss"


async def test_redis_is_told_how_long_an_answer_is_good(farm: Farm) -> None:
    gateway = farm.gateway()
    gateway.store.put(KEY, b"answer", 60.0)
    await gateway.store.written()
    async for name in gateway.client.scan_iter(match="seekway:cache:1:*", count=10):
        left_ms = await cast("Any", gateway.client).pttl(name)
        assert 0 < left_ms <= 60_000
        break
    else:
        pytest.fail("nothing was kept")


@pytest.mark.parametrize(("passed", "found"), [(-3600.0, Found(b"a", 0.0, 60.0)), (3600.0, Found(b"a", 60.0, 0.0))])
async def test_a_clock_that_was_moved_makes_no_age_that_cannot_be(farm: Farm, passed: float, found: Found) -> None:
    gateway = farm.gateway()
    gateway.store.put(KEY, b"a", 60.0)
    await gateway.store.written()
    gateway.clock.now += passed
    assert await gateway.store.get(KEY) == found


async def test_a_tenants_answers_can_be_cleared_and_nothing_else(farm: Farm) -> None:
    gateway = farm.gateway()
    for number in range(1200):
        gateway.store.put(b"tenant-1" + b"%024d" % number, b"a", 60.0)
        if number % 50 == 0:
            await gateway.store.written()
    gateway.store.put(b"tenant-2" + b"d" * 24, b"a", 60.0)
    await gateway.store.written()
    await gateway.client.set("other", b"theirs", px=60_000)
    assert not gateway.counts.store_failures
    assert await gateway.store.clear(b"tenant-1") == 1200
    assert await gateway.store.clear(b"") == 1
    assert await gateway.client.get("other") == b"theirs"


async def test_what_others_wrote_there_is_a_miss(farm: Farm) -> None:
    gateway = farm.gateway()
    (await gateway.cache.ask("q").look()).give(answer_of())
    await gateway.store.written()
    async for name in gateway.client.scan_iter(match="seekway:cache:*", count=10):
        await gateway.client.set(name.decode(), b"x" * 40, px=60_000)
        break
    asked = await gateway.cache.ask("q").look()
    assert asked.did == "miss"
    assert gateway.counts.store_failures == 1


async def test_a_redis_that_dies_is_done_without_and_logged_once_each_way(farm: Farm) -> None:
    gateway = farm.gateway()
    (await gateway.cache.ask("q").look()).give(answer_of())
    await gateway.store.written()
    await farm.server.kill()
    for _ in range(3):
        (await gateway.cache.ask("q").look()).give(answer_of())
        await gateway.store.written()
    assert gateway.counts.store_failures == 6
    assert await gateway.store.clear(b"") is None
    assert gateway.log.getvalue().count("cache_store_away") == 1
    await farm.server.start()
    (await gateway.cache.ask("q").look()).give(answer_of())
    await gateway.store.written()
    assert (await gateway.cache.ask("q").look()).did == "hit"
    assert gateway.log.getvalue().count("cache_store_back") == 1


async def test_a_redis_that_does_not_answer_is_not_waited_for(farm: Farm) -> None:
    gateway = farm.gateway(timeout_s=0.05)
    farm.server.pause()
    assert (await gateway.cache.ask("q").look()).did == "miss"
    for number in range(100):
        gateway.store.put(b"%032d" % number, b"a", 60.0)
    # Writes that wait are bounded; what is more is let go.
    assert gateway.counts.store_failures >= 37
    await gateway.store.written()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="address"):
        open_redis("http://127.0.0.1", timeout_s=1.0)
