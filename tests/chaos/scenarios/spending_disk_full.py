"""The disk that spending is written to is full, and then is not: no request suffers and no token goes unpaid."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from urllib.request import urlopen

from tests.chaos.load import length_of
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.disk_full import fill, mounted_disk
from tests.chaos.stage import WORKERS, Stage
from tests.chaos.tale import MODEL

_NANO_A_TOKEN = 1000


def _settings(disk: Path) -> str:
    return (
        f'[quota]\ndirectory = "{disk}"\n\n'
        '[[budgets]]\nname = "all"\namount = 1000000.0\ncurrency = "CNY"\nperiod = "total"\n\n'
        f'[[prices]]\nmodels = ["{MODEL}"]\ncurrency = "CNY"\ncache_hit = 0.0\ncache_miss = 0.0\noutput = 1.0\n'
    )


def _written(disk: Path) -> int:
    with closing(sqlite3.connect(disk / "spending.sqlite3")) as db:
        return db.execute("SELECT coalesce(sum(nano), 0) FROM spending WHERE period = 'total'").fetchone()[0]


def _told(address: str, metric: str) -> bool:
    """Whether some gateway process tells more than nothing."""
    with urlopen(f"http://{address}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return any(line.startswith(metric) and float(line.rpartition(" ")[2]) > 0 for line in lines)


async def _play(stage: Stage) -> None:
    disk = await mounted_disk(stage)
    a, b = await stage.backend("a"), await stage.backend("b")
    stage.write(a, b, more=_settings(disk))
    async with AsyncExitStack() as rest:
        served = await rest.enter_async_context(stage.serving())
        load = await rest.enter_async_context(stage.under_load(served))
        await load.answered(stage.some(100))
        filler = fill(disk)
        await served.says("spending_unwritten", times=WORKERS)
        await load.answered(stage.some(300))
        for metric in ("seekway_quota_unwritten_total", "seekway_quota_spending_kept_back"):
            told = await asyncio.to_thread(_told, served.address, metric)
            stage.expect(told, f"{metric} does not tell of it")
        said = next(line for line in served.lines if "spending_unwritten" in line)
        stage.expect('"level":"error"' in said.replace(" ", ""), "it was not told as an error")
        filler.unlink()
        await served.says("spending_written", times=WORKERS)
        await load.answered(stage.some(100))
    paid = _written(disk)
    due = sum(length_of(outcome.number) for outcome in load.outcomes if outcome.kind == "success") * _NANO_A_TOKEN
    stage.note(f"{paid // _NANO_A_TOKEN} tokens were paid for")
    stage.expect(paid == due, f"{paid // _NANO_A_TOKEN} tokens were paid for in place of {due // _NANO_A_TOKEN}")


SPENDING_DISK_FULL = Scenario("spending-disk-full", _play)
