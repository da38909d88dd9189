"""One of two backends is stopped (SIGSTOP): its kernel takes connections and requests, and nothing answers."""

from __future__ import annotations

from tests.chaos.scenario import Promise, Scenario
from tests.chaos.scenarios.policies import CONTINUE, PLAIN
from tests.chaos.stage import Stage


async def _play(stage: Stage, policy: str) -> None:
    a, b = await stage.backend("a"), await stage.backend("b")
    stage.write(a, b, more=policy)
    async with stage.under_load(await stage.gateway()) as load:
        await load.answered(stage.some(150))
        await load.streams(3)
        a.stop()
        try:
            await load.answered(stage.some(400))
        finally:
            a.go_on()
        await a.reached(3)
        await load.answered(stage.some(150))


async def _continued(stage: Stage) -> None:
    await _play(stage, CONTINUE)


async def _plain(stage: Stage) -> None:
    await _play(stage, PLAIN)


STOPPED = Scenario("backend-stopped", _continued, short=True)
STOPPED_PLAIN = Scenario("backend-stopped-plain", _plain, Promise(most_broken=12))
