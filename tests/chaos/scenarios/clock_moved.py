"""The wall clock is an hour ahead, then an hour behind, while requests run (libfaketime in the gateway's processes)."""

from __future__ import annotations

import re
from pathlib import Path

from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.policies import CONTINUE
from tests.chaos.served import Served
from tests.chaos.stage import Skipped, Stage

_LIBRARIES = ("/usr/lib", "/usr/local/lib", "/usr/lib64")
_HOUR = re.compile(r"T(\d\d):")


def _library() -> Path:
    for folder in _LIBRARIES:
        for found in sorted(Path(folder).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    raise Skipped("libfaketime is not installed (Debian: apt-get install libfaketime)")


def _hours(served: Served, since: int) -> set[str]:
    return {found[1] for line in served.lines[since:] if (found := _HOUR.search(line))}


async def _play(stage: Stage) -> None:
    library = _library()
    clock = stage.folder / "clock"
    clock.write_text("+0", "utf-8")
    a, b = await stage.proxied("a"), await stage.proxied("b")
    stage.write(a, b, more=CONTINUE)
    prefix = (
        "env",
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={clock}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        # With its mend for old C libraries a wait for the interpreter's lock ends at once: threads take it from each other all the time.
        "FAKETIME_FORCE_MONOTONIC_FIX=0",
    )
    served = await stage.gateway(prefix)
    async with stage.under_load(served) as load:
        await load.answered(stage.some(150))
        seen = [_hours(served, 0)]
        for moved in ("+1h", "-1h"):
            await load.streams(3)
            clock.write_text(moved, "utf-8")
            await load.answered(50)
            since = len(served.lines)
            a.refuse()
            await load.answered(stage.some(150))
            await a.accept()
            await load.reaches(a)
            seen.append(_hours(served, since))
    stage.expect(seen[1] and seen[2] and not seen[1] & seen[2], f"the clock did not move: {seen}")


CLOCK_MOVED = Scenario("clock-moved", _play)
