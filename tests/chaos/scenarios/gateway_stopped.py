"""Both gateway processes are stopped (SIGSTOP) for longer than a backend may be silent, as when the machine stands still: nobody is blamed for it."""

from __future__ import annotations

import asyncio

from tests.chaos.scenario import Scenario
from tests.chaos.stage import SILENCE_S, Stage


async def _play(stage: Stage) -> None:
    a, b = await stage.backend("a"), await stage.backend("b")
    stage.write(a, b)
    served = await stage.gateway()
    async with stage.under_load(served) as load:
        await load.answered(stage.some(150))
        for _ in range(2):
            await load.streams(3)
            stopped = served.gateways()
            try:
                for gateway in stopped:
                    gateway.suspend()
                await asyncio.sleep(2 * SILENCE_S)
            finally:
                for gateway in stopped:
                    gateway.resume()
            await load.answered(stage.some(150))
    taken = [*a.taken, *b.taken]
    stage.expect(len(taken) == len(set(taken)), "a request was asked of a second backend")


GATEWAY_STOPPED = Scenario("gateway-stopped", _play, short=True)
