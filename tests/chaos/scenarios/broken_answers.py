"""One of two backends spoils some of its answers: half-open, reset, truncated, malformed."""

from __future__ import annotations

from tests.chaos.fault_proxy import NO_FAULT, Fault
from tests.chaos.scenario import Promise, Scenario
from tests.chaos.scenarios.policies import CONTINUE, PLAIN
from tests.chaos.stage import Stage


def _scenario(name: str, fault: Fault, policy: str, promise: Promise, *, short: bool = False) -> Scenario:
    async def play(stage: Stage) -> None:
        a, b = await stage.proxied("a"), await stage.proxied("b")
        stage.write(a, b, more=policy)
        async with stage.under_load(await stage.gateway()) as load:
            await load.answered(stage.some(100))
            a.fault = fault
            await load.until(lambda: a.hits >= stage.some(60) // 4, "requests that the fault meets")
            a.fault = NO_FAULT
            await load.answered(stage.some(150))
        stage.note(f"{a.hits} answers were spoilt")
        broken = load.kinds["broken"]
        stage.expect(broken <= a.hits, f"{broken} streams broke for {a.hits} spoilt ones")

    return Scenario(name, play, promise, short)


_EXPLICIT = Promise(most_broken=10_000)
"""Without continuation every spoilt stream ends in an error; all else succeeds."""
_RESET = Fault("reset", after=4, every=10)
_TRUNCATE = Fault("truncate", after=4, every=10)
_CORRUPT = Fault("corrupt", after=4, every=10)
_VANISH = Fault("half_open", after=4, every=10)

HALF_OPEN = _scenario("half-open", Fault("half_open"), PLAIN, Promise(), short=True)
VANISHED = _scenario("half-open-in-stream", _VANISH, CONTINUE, Promise())
RESET = _scenario("reset-in-stream", _RESET, CONTINUE, Promise(), short=True)
RESET_PLAIN = _scenario("reset-in-stream-plain", _RESET, PLAIN, _EXPLICIT)
RESET_EARLY = _scenario("reset-before-token", Fault("reset", after=0, every=10), PLAIN, Promise())
TRUNCATED = _scenario("truncated-sse", _TRUNCATE, CONTINUE, Promise(), short=True)
TRUNCATED_PLAIN = _scenario("truncated-sse-plain", _TRUNCATE, PLAIN, _EXPLICIT)
MALFORMED = _scenario("malformed-sse", _CORRUPT, CONTINUE, Promise(), short=True)
MALFORMED_PLAIN = _scenario("malformed-sse-plain", _CORRUPT, PLAIN, _EXPLICIT)
