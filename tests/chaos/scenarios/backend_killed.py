"""One of two backends is killed while streams run on it, and comes back."""

from __future__ import annotations

from tests.chaos.scenario import Promise, Scenario
from tests.chaos.scenarios.policies import CONTINUE, PLAIN
from tests.chaos.stage import Stage


async def _play(stage: Stage, policy: str) -> None:
    a, b = await stage.backend("a"), await stage.backend("b")
    stage.write(a, b, more=policy)
    async with stage.under_load(await stage.gateway()) as load:
        await load.answered(stage.some(200))
        await load.streams(3)
        await a.kill()
        await load.answered(stage.some(300))
        await a.start()
        await a.reached(3)
        await load.answered(stage.some(200))


async def _continued(stage: Stage) -> None:
    await _play(stage, CONTINUE)


async def _plain(stage: Stage) -> None:
    await _play(stage, PLAIN)


KILLED = Scenario("backend-killed", _continued, short=True)
KILLED_PLAIN = Scenario("backend-killed-plain", _plain, Promise(most_broken=12))
