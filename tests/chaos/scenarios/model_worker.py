"""The process that holds a model is killed as the kernel does when memory is short, or may have no more memory."""

from __future__ import annotations

import psutil

from tests.chaos.load import Question
from tests.chaos.scenario import Promise, Scenario
from tests.chaos.stage import Skipped, Stage
from tests.conftest import CACHE

_CONNECTIONS = 4
_ASKED = Question("deepseek-chat", "Tell me about the sea, at length.", max_tokens=24, deadline_s=60.0)
_WORKER = "seekway.app.worker"


def _toml() -> str:
    if not (CACHE / "smollm2@135m").is_dir():
        raise Skipped("the demo model is not in .cache/models; run make unit first")
    return (
        f'[catalog]\ndirectory = "{CACHE}"\n\n[gateway]\nrequest_timeout_s = {_ASKED.deadline_s}\n\n'
        '[[models]]\nname = "smollm2:135m"\n\n[log]\nformat = "json"\n'
    )


async def _killed(stage: Stage) -> None:
    served = await stage.up(_toml())
    async with stage.under_load(served, _ASKED, _CONNECTIONS) as load:
        await load.answered(stage.some(30))
        await load.streams(1)
        before = served.child(_WORKER)
        before.kill()
        await load.succeeded(20)
        stage.expect(served.child(_WORKER).pid != before.pid, "no new worker has come")
    crashed = [o for o in load.outcomes if o.detail == "engine_crashed"]
    stage.expect(crashed, "no stream was told engine_crashed")


async def _starved(stage: Stage) -> None:
    served = await stage.up(_toml())
    async with stage.under_load(served, _ASKED, _CONNECTIONS) as load:
        await load.answered(stage.some(30))
        worker = served.child(_WORKER)
        size = worker.memory_info().vms
        worker.rlimit(psutil.RLIMIT_AS, (size // 2, psutil.RLIM_INFINITY))
        await load.answered(20)
        stage.note("the worker died" if not worker.is_running() else "the worker lived on")
        if worker.is_running():
            worker.rlimit(psutil.RLIMIT_AS, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        await load.succeeded(10)


KILLED = Scenario(
    "model-worker-killed", _killed, Promise(most_broken=_CONNECTIONS, most_refused=_CONNECTIONS, amplification=False)
)
STARVED = Scenario("model-worker-starved", _starved, Promise(least_share=None, amplification=False))
