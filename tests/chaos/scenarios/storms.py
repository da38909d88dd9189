"""Backends answer 429 or 503, with and without ``Retry-After``; first one of two, then all there are."""

from __future__ import annotations

from tests.chaos.fault_proxy import NO_FAULT, Fault
from tests.chaos.scenario import Promise, Scenario
from tests.chaos.stage import Stage


def _one(name: str, fault: Fault, *, short: bool = False) -> Scenario:
    async def play(stage: Stage) -> None:
        a, b = await stage.proxied("a"), await stage.proxied("b")
        stage.write(a, b)
        async with stage.under_load(await stage.gateway()) as load:
            await load.answered(stage.some(150))
            a.fault = fault
            await load.answered(stage.some(600))
            a.fault = NO_FAULT
            await load.reaches(a)
            await load.answered(stage.some(150))
        stage.note(f"{a.hits} requests met the storm")

    return Scenario(name, play, short=short)


async def _everywhere(stage: Stage) -> None:
    a, b = await stage.proxied("a"), await stage.proxied("b")
    stage.write(a, b)
    async with stage.under_load(await stage.gateway()) as load:
        await load.answered(stage.some(150))
        a.fault = b.fault = Fault("status", status=503, retry_after="1")
        await load.answered(stage.some(400))
        a.fault = b.fault = NO_FAULT
        await load.succeeded(stage.some(150))
    stage.note(f"{a.hits + b.hits} requests met the storm")
    stage.expect(load.kinds["refused"], "nobody was told of the storm")
    bare = [o for o in load.outcomes if o.kind == "refused" and not o.retry_after]
    stage.expect(not bare, f"{len(bare)} refusals without Retry-After")


STORM_429 = _one("storm-429", Fault("status", status=429))
STORM_429_RETRY_AFTER = _one("storm-429-retry-after", Fault("status", status=429, retry_after="2"), short=True)
STORM_503 = _one("storm-503", Fault("status", status=503))
STORM_503_RETRY_AFTER = _one("storm-503-retry-after", Fault("status", status=503, retry_after="2"), short=True)
STORM_EVERYWHERE = Scenario("storm-everywhere", _everywhere, Promise(may_refuse=True))
