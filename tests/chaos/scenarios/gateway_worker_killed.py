"""One of two gateway processes is killed: its connections are gone, the other's are not, and a new one takes its place."""

from __future__ import annotations

from tests.chaos.scenario import Promise, Scenario
from tests.chaos.stage import Stage

_CONNECTIONS = 12


async def _play(stage: Stage) -> None:
    a, b = await stage.backend("a"), await stage.backend("b")
    stage.write(a, b)
    served = await stage.gateway()
    async with stage.under_load(served, connections=_CONNECTIONS) as load:
        await load.answered(stage.some(150))
        await load.streams(3)
        served.gateways()[0].kill()
        await served.says("process_back")
        await load.answered(stage.some(300))
    stage.expect(len(served.gateways()) == 2, "there are not two gateways again")


GATEWAY_WORKER_KILLED = Scenario("gateway-worker-killed", _play, Promise(most_cut=_CONNECTIONS), short=True)
