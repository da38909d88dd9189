"""The process that holds a model is killed as the kernel does when memory is short, or may have no more memory."""

from __future__ import annotations

import psutil

from tests.chaos.load import Question
from tests.chaos.scenario import Promise, Scenario
from tests.chaos.stage import Skipped, Stage
from tests.conftest import CACHE

_CONNECTIONS = 4
_ASKED = Question("deepseek-chat", "Tell me about the sea, at length.", max_tokens=24, deadline_s=60.0)
_LONG = Question("deepseek-chat", "The sea is wide, and deep, and blue. " * 60, max_tokens=24, deadline_s=60.0)
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
        await load.streams(2)
        before = served.child(_WORKER)
        before.kill()
        await load.succeeded(20)
        stage.expect(served.child(_WORKER).pid != before.pid, "no new worker has come")
    codes = {o.detail for o in load.outcomes if o.kind in ("broken", "refused")}
    stage.expect(codes == {"engine_crashed"}, f"streams of the worker ended in {codes or 'nothing'}")


async def _out_of_memory(stage: Stage) -> None:
    """No byte more from its first request on, so that the cache it needs cannot grow."""
    served = await stage.up(_toml())
    worker = served.child(_WORKER)
    worker.rlimit(psutil.RLIMIT_AS, (1, psutil.RLIM_INFINITY))
    async with stage.under_load(served, _LONG, _CONNECTIONS) as load:
        await load.answered(20)
        died = not worker.is_running()
        if not died:
            worker.rlimit(psutil.RLIMIT_AS, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        await load.succeeded(10)
    stage.note("the worker died of it" if died else "the worker lived on")
    stage.expect(died or load.kinds["refused"] or load.kinds["broken"], "nothing was short of memory")


KILLED = Scenario(
    "model-worker-killed", _killed, Promise(most_broken=_CONNECTIONS, most_refused=_CONNECTIONS, amplification=False)
)
OUT_OF_MEMORY = Scenario("model-worker-out-of-memory", _out_of_memory, Promise(least_share=None, amplification=False))
