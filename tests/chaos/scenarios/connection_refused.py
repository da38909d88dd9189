"""One of two backends listens no more and resets what it has."""

from __future__ import annotations

from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.policies import CONTINUE
from tests.chaos.stage import Stage


async def _play(stage: Stage) -> None:
    a, b = await stage.proxied("a"), await stage.proxied("b")
    stage.write(a, b, more=CONTINUE)
    async with stage.under_load(await stage.gateway()) as load:
        await load.answered(stage.some(150))
        a.refuse()
        await load.answered(stage.some(300))
        await a.accept()
        await load.reaches(a)
        await load.answered(stage.some(150))


REFUSED = Scenario("connection-refused", _play)
