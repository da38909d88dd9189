"""One of two backends goes by a name that cannot be resolved any more."""

from __future__ import annotations

from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.policies import CONTINUE
from tests.chaos.stage import WORKERS, Stage


class _Nameless:
    """A backend that nobody can find."""

    name = "a"
    url = "http://backend.chaos.invalid:8080/v1"
    taken: tuple[int, ...] = ()


async def _play(stage: Stage) -> None:
    a, b = await stage.backend("a"), await stage.backend("b")
    stage.write(a, b, more=CONTINUE)
    served = await stage.gateway()
    async with stage.under_load(served) as load:
        await load.answered(stage.some(150))
        stage.write(_Nameless(), b, more=CONTINUE)
        stage.reload(served)
        await served.says("config_in_force", times=WORKERS)
        await load.answered(stage.some(400))
        stage.write(a, b, more=CONTINUE)
        stage.reload(served)
        await served.says("config_in_force", times=2 * WORKERS)
        await a.reached(3)
        await load.answered(stage.some(100))


NAME_GONE = Scenario("name-unknown", _play)
