"""Plays one scenario from an empty folder to its verdict."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos.scenario import Result, Scenario, judge
from tests.chaos.stage import Skipped, Stage

LONGEST_S = 180.0


async def play(scenario: Scenario, *, short: bool) -> Result:
    clock = asyncio.get_running_loop().time
    began = clock()
    with tempfile.TemporaryDirectory(prefix="seekway-chaos-") as folder:
        stack = AsyncExitStack()
        stage = Stage(Path(folder), stack, short=short)
        try:
            async with stack, asyncio.timeout(LONGEST_S):
                await scenario.play(stage)
        except Skipped as skipped:
            return Result(scenario.name, "skipped", reasons=[str(skipped)])
        except (AssertionError, TimeoutError) as error:
            # What could not be reached is the scenario's failure; what was seen until then is judged with it.
            stage.violations.append(f"{type(error).__name__}: {error}")
    return judge(scenario, stage, clock() - began)
