"""The configuration changes, and breaks, under load."""

from __future__ import annotations

from tests.chaos.scenario import Scenario
from tests.chaos.stage import WORKERS, Stage


async def _broken(stage: Stage) -> None:
    a, b = await stage.backend("a"), await stage.backend("b")
    stage.write(a, b)
    served = await stage.gateway()
    async with stage.under_load(served) as load:
        await load.answered(stage.some(100))
        good = stage.config.read_text("utf-8")
        for count, bad in enumerate((good + "\n[[backends]", good.replace("http://", "gopher://")), 1):
            stage.config.write_text(bad, "utf-8")
            stage.reload(served)
            await served.says("config_refused", times=count * WORKERS)
            await load.answered(stage.some(150))


async def _changed(stage: Stage) -> None:
    a, b = await stage.backend("a"), await stage.backend("b")
    c = await stage.backend("c")
    stage.write(a, b)
    served = await stage.gateway()
    async with stage.under_load(served) as load:
        await load.answered(stage.some(100))
        changes = (
            ((a, b, c), "", "weight = 2.0"),
            ((b, c), "", ""),
            ((c, a), '[routing]\nstrategy = "latency"', "max_connections = 64"),
            ((a, b), "", ""),
        )
        for count, (backends, more, line) in enumerate(changes, 1):
            await load.streams(2)
            stage.write(*backends, more=more, backend=line)
            stage.reload(served)
            await served.says("config_in_force", times=count * WORKERS)
            for backend in backends:
                await backend.reached(2)
            await load.answered(stage.some(100))


BROKEN = Scenario("config-broken", _broken, short=True)
CHANGED = Scenario("config-changed", _changed, short=True)
