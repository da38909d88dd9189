"""SIGTERM under load: what is running is finished, nothing new is taken, and the process ends by itself."""

from __future__ import annotations

import signal

from tests.chaos.scenario import Promise, Scenario
from tests.chaos.stage import Stage


async def _play(stage: Stage) -> None:
    a, b = await stage.backend("a", interval_ms=20), await stage.backend("b", interval_ms=20)
    stage.write(a, b)
    served = await stage.gateway()
    async with stage.under_load(served, connections=24) as load:
        await load.answered(stage.some(100))
        await load.streams(8)
        open_streams = load.streaming
        served.signal(signal.SIGTERM)
        status = await served.ended()
        stage.note(f"{open_streams} streams were open at SIGTERM")
        stage.expect(status == 0, f"it ended with status {status}")
    stage.expect(
        not served.children() or not any(c.is_running() for c in served.children()), "processes were left behind"
    )


DRAINED = Scenario("sigterm", _play, Promise(may_refuse=True, amplification=True), short=True)
