"""One of two backends writes the head of its answers byte by byte."""

from __future__ import annotations

from tests.chaos.fault_proxy import NO_FAULT, Fault
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.policies import PLAIN
from tests.chaos.stage import Stage

_HEDGED = "[resilience]\nhedge = true\nhedge_share = 0.2\n"


def _scenario(name: str, policy: str, fault: Fault) -> Scenario:
    async def play(stage: Stage) -> None:
        a, b = await stage.proxied("a"), await stage.proxied("b")
        stage.write(a, b, more=policy)
        async with stage.under_load(await stage.gateway()) as load:
            await load.answered(stage.some(200))
            a.fault = fault
            await load.until(lambda: a.hits >= 6, "answers with slow heads")
            await load.answered(stage.some(200))
            a.fault = NO_FAULT
            await load.answered(stage.some(100))
        stage.note(f"{a.hits} answers had a slow head")

    return Scenario(name, play)


SLOW_HEADERS = _scenario("slow-headers", PLAIN, Fault("slow_headers", seconds=0.02))
SLOW_HEADERS_HEDGED = _scenario("slow-headers-hedged", _HEDGED, Fault("slow_headers", every=10, seconds=0.2))
