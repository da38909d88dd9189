"""The disk that the log and the temporary folder lie on is full, and then is not."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos.scenario import Scenario
from tests.chaos.stage import WORKERS, Skipped, Stage

_SIZE = 1024 * 1024


async def mounted_disk(stage: Stage) -> Path:
    """A small disk of its own, until the scenario is over."""
    disk = stage.folder / "disk"
    disk.mkdir()
    if await _run("mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "seekway-chaos", str(disk)):
        raise Skipped("no tmpfs may be mounted here; play it as root")

    async def unmount() -> None:
        await _run("umount", "--lazy", str(disk))

    stage.stack.push_async_callback(unmount)
    return disk


async def _run(*command: str) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    except FileNotFoundError:
        return 1
    return await process.wait()


def fill(disk: Path) -> Path:
    """Until nothing more goes onto it; the file that fills it."""
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError:
        return filler
    raise AssertionError("The disk never filled up.")


async def _play(stage: Stage) -> None:
    disk = await mounted_disk(stage)
    a, b, c = await stage.backend("a"), await stage.backend("b"), await stage.backend("c")
    stage.write(a, b)
    async with AsyncExitStack() as rest:
        served = await stage.gateway(prefix=("env", f"TMPDIR={disk}"), log=disk / "gateway.log")
        load = await rest.enter_async_context(stage.under_load(served))
        await load.answered(stage.some(100))
        before = {gateway.pid for gateway in served.gateways()}
        filler = fill(disk)
        await load.answered(stage.some(400))
        # A configuration read anew must not need the disk either.
        stage.write(a, b, c)
        stage.reload(served)
        await c.reached(10)
        filler.unlink()
        stage.write(a, b)
        stage.reload(served)
        await served.says("config_in_force", times=WORKERS)
        await load.answered(stage.some(100))
        stage.expect({gateway.pid for gateway in served.gateways()} == before, "a gateway died of it")


DISK_FULL = Scenario("disk-full", _play, short=True)
