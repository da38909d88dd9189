"""Whatever the backends do and whenever the callers leave, the promises hold."""

from __future__ import annotations

import random
from dataclasses import dataclass

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    DeadlineExceeded,
    EngineCrashed,
    Overloaded,
    RateLimited,
    StreamInterrupted,
)
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import ErrorEvent, Event, Finish, GenerateRequest, TextDelta, Usage
from tests.fakes.dispatch_bench import REQUEST, Asked, DispatchBench
from tests.fakes.push_backend import Play, Script, Step

ANSWER = "The quick brown fox jumps over the lazy dog."
PROMPT_TOKENS = 7

FAILURES = (
    BackendUnavailable("gone"),
    Overloaded("full"),
    Overloaded("full", retry_after_s=0.3),
    RateLimited("slow", retry_after_s=2.0),
    EngineCrashed("crash"),
    StreamInterrupted("cut"),
    BackendProtocolError("nonsense"),
    DeadlineExceeded("no connection"),
)

POLICIES = st.builds(
    ResilienceSettings,
    attempts=st.integers(1, 4),
    retry_minimum=st.sampled_from([0, 3, 10]),
    breaker_failures=st.sampled_from([2, 5, 1000]),
    least_requests=st.sampled_from([2, 20]),
    concurrency_least=st.just(1),
    concurrency_most=st.sampled_from([1, 2, 100]),
    queue_most=st.sampled_from([0, 1, 8]),
    hedge=st.booleans(),
    hedge_share=st.just(0.05),
    continue_streams=st.sampled_from(["off", "known"]),
)


@dataclass(frozen=True)
class Caller:
    """When it comes, how long it waits, when it leaves if it does, how urgent it is."""

    comes: float
    waits: float
    leaves: float | None
    priority: int


CALLERS = st.lists(
    st.builds(
        Caller,
        comes=st.floats(0, 20),
        waits=st.floats(0.05, 8),
        leaves=st.one_of(st.none(), st.none(), st.floats(0, 5)),
        priority=st.integers(0, 2),
    ),
    min_size=1,
    max_size=40,
)


def unreliable(seed: int, trouble: float) -> Play:
    """A model that knows one answer, goes on where a prefix stops, and fails in every way there is."""
    dice = random.Random(seed)

    def play(request: GenerateRequest) -> Script:
        last = request.messages[-1]
        at = len(last.content) if last.prefix else 0
        steps: list[Step] = []
        while at < len(ANSWER):
            if dice.random() < 0.3:
                steps.append(dice.choice((0.0, 0.01, 0.2, 3.0)))
            if dice.random() < trouble:
                return [*steps, *ending(dice)]
            size = dice.randint(1, 20)
            steps.append((TextDelta(ANSWER[at : at + size]),))
            at += size
        end: tuple[Event, ...] = (Usage(PROMPT_TOKENS + len(last.content), 3), Finish("stop"))
        together = steps[-1] if steps and dice.random() < 0.5 else None
        if isinstance(together, tuple):
            return [*steps[:-1], (*together, *end), "end" if dice.random() > trouble else FAILURES[5]]
        return [*steps, end, "end"]

    return play


def ending(dice: random.Random) -> Script:
    kind = dice.randrange(5)
    if kind == 0:
        return ("hang",)
    if kind == 1:
        return ("end",)
    if kind == 2:
        return ((Finish("stop"),), "end")
    if kind == 3:
        return ((ErrorEvent("engine_crashed", "Boom."),), "end")
    return (dice.choice(FAILURES),)


def run(bench: DispatchBench, callers: list[Caller]) -> list[tuple[str, Caller, Asked, float]]:
    """Let all come and go; returns each with its id and when it came."""
    begin = bench.loop.time()
    asked: dict[int, Asked] = {}
    came: dict[int, float] = {}
    happenings = [(caller.comes, 0, at) for at, caller in enumerate(callers)]
    happenings += [(c.comes + c.leaves, 1, at) for at, c in enumerate(callers) if c.leaves is not None]
    for when, what, at in sorted(happenings):
        bench.loop.advance(max(0.0, begin + when - bench.loop.time()))
        if what == 0:
            came[at] = bench.loop.time()
            asked[at] = bench.start(
                msgspec.structs.replace(REQUEST, id=str(at)), within=callers[at].waits, priority=callers[at].priority
            )
        elif not asked[at].heard.over:
            asked[at].flow.cancel()
    bench.loop.advance(60.0)
    return [(str(at), callers[at], asked[at], came[at]) for at in asked]


_ONE_AT_A_TIME = ResilienceSettings(
    attempts=2, retry_minimum=0, breaker_failures=2, least_requests=2, concurrency_least=1, concurrency_most=1, queue_most=1, hedge_share=0.05
)  # fmt: skip


@example(_ONE_AT_A_TIME, [Caller(*one, None, 0) for one in [(0.0, 1.0)] * 3 + [(1.0, 1.0)] * 2 + [(1.0, 0.0625)] * 3], [0.5, 0.5], 2)  # fmt: skip
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    policy=POLICIES,
    callers=CALLERS,
    troubles=st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_every_request_ends_once_whole_or_failed_and_nothing_is_left(
    policy: ResilienceSettings, callers: list[Caller], troubles: list[float], seed: int
) -> None:
    bench = DispatchBench(*[((),)] * len(troubles), policy=policy, kind="local", seed=seed)
    for at, (backend, trouble) in enumerate(zip(bench.backends, troubles, strict=True)):
        backend.play = unreliable(seed + at, trouble)
    results = run(bench, callers)
    for mine, caller, asked, came in results:
        heard = asked.heard
        # That it ends or fails once at most, and hears nothing after, is what the sink asserts.
        assert heard.over or caller.leaves is not None
        assert ANSWER.startswith(heard.text)
        assert not any(isinstance(event, ErrorEvent) for event in heard.events)
        finished = sum(isinstance(event, Finish) for event in heard.events)
        assert finished == heard.ended
        if heard.ended:
            assert heard.text == ANSWER
        until = came + min(caller.waits, caller.waits if caller.leaves is None else caller.leaves)
        for backend in bench.backends:
            for request, started in zip(backend.requests, backend.started_at, strict=True):
                assert request.id != mine or started <= until + 1e-6
    assert bench.outstanding == 0
    assert bench.dispatcher.watched == 0
    assert sum(backend.running for backend in bench.backends) == 0
    lane = next(iter(bench.dispatcher.lanes()))
    assert len(lane.line) == 0
    hedged = 0.05 * len(callers) + 1 if policy.hedge else 0
    allowed = 1.2 * len(callers) + policy.retry_minimum * (1 + 25 / 10) + hedged
    assert sum(bench.attempts) <= allowed + 1
