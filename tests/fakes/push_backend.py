"""A scripted :class:`seekway.core.ports.PushBackend`, an event loop moved by hand, and a sink that writes down what it hears.

A script is what one ``start`` does, step by step: feed a batch of events, fail with an error, ``"end"``, wait some seconds, or ``"hang"``.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from seekway.core.errors import SeekwayError
from seekway.core.ports import EventSink
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import Event, Finish, GenerateRequest, ModelInfo, ReasoningDelta, TextDelta, Usage
from seekway.pipeline.directory import BackendKind, Member, Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.endpoint import Endpoint
from tests.fakes.backend import FakeBackend

Step = tuple[Event, ...] | SeekwayError | float | Literal["end", "hang"]
Script = Sequence[Step]
Play = Callable[[GenerateRequest], Script]


def whole(*texts: str, after: float = 0.0) -> Script:
    """A successful answer whose deltas are ``texts``, the first after some seconds."""
    tail = (Usage(prompt_tokens=7, completion_tokens=len(texts)), Finish("stop"))
    return (after, *((TextDelta(text),) for text in texts), tail, "end")


class ManualTimer:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualLoop:
    """The part of an event loop that :class:`seekway.pipeline.dispatch.sweep.Loop` names; its clock stands still but for ``advance``."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._soon: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, ManualTimer]] = []
        self._made = 0

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[[], object], /) -> None:
        self._soon.append(callback)

    def call_at(self, when: float, callback: Callable[[], object], /) -> ManualTimer:
        timer = ManualTimer(callback)
        self._made += 1
        heapq.heappush(self._timers, (when, self._made, timer))
        return timer

    @property
    def timers(self) -> int:
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def advance(self, seconds: float = 0.0) -> None:
        """Run what is ready, then what becomes due within ``seconds``, each at its time."""
        until = self._now + seconds
        self._run_ready()
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if timer.callback is not None:
                timer.callback()
            self._run_ready()
        self._now = until

    def _run_ready(self) -> None:
        while self._soon:
            self._soon.popleft()()


class _ScriptedFlow:
    def __init__(self, backend: ScriptedPush, script: Script, sink: EventSink) -> None:
        self._backend = backend
        self._steps = deque(script)
        self._sink = sink
        self._paused = False
        self.done = False
        backend.loop.call_soon(self._step)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._backend.loop.call_soon(self._step)

    def cancel(self) -> None:
        if not self.done:
            self.done = True
            self._backend.running -= 1
            self._backend.cancelled += 1

    def _step(self) -> None:
        while not (self.done or self._paused):
            step = self._steps.popleft() if self._steps else "hang"
            if step == "hang":
                return
            if isinstance(step, float):
                if step > 0.0:
                    loop = self._backend.loop
                    loop.call_at(loop.time() + step, self._step)
                    return
            elif isinstance(step, tuple):
                self._sink.feed(step)
            else:
                self.done = True
                self._backend.running -= 1
                if step == "end":
                    self._sink.end()
                elif isinstance(step, SeekwayError):
                    self._sink.fail(step)


class ScriptedPush:
    """Plays ``scripts`` one after the other, the last again and again; ``started_at`` are the times of the attempts.

    ``play`` set makes each script from the request in their place.
    """

    def __init__(self, loop: ManualLoop, *scripts: Script) -> None:
        self.loop = loop
        self.scripts = list(scripts)
        self.play: Play | None = None
        self.requests: list[GenerateRequest] = []
        self.started_at: list[float] = []
        self.flows: list[_ScriptedFlow] = []
        self.running = 0
        self.cancelled = 0

    def will(self, *scripts: Script) -> None:
        """Play these from now on."""
        self.scripts = list(scripts)

    def start(self, request: GenerateRequest, sink: EventSink, /) -> _ScriptedFlow:
        self.requests.append(request)
        self.started_at.append(self.loop.time())
        self.running += 1
        if self.play is not None:
            script = self.play(request)
        else:
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        flow = _ScriptedFlow(self, script, sink)
        self.flows.append(flow)
        return flow


class Heard:
    """A sink that keeps everything and fails its test when the contract is broken."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches = 0
        self.ended = 0
        self.errors: list[SeekwayError] = []
        self.on_feed: Callable[[], object] | None = None

    @property
    def over(self) -> bool:
        return bool(self.ended or self.errors)

    @property
    def error(self) -> SeekwayError:
        assert len(self.errors) == 1, self.errors
        return self.errors[0]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def reasoning(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, ReasoningDelta))

    @property
    def usage(self) -> Usage:
        return next(event for event in self.events if isinstance(event, Usage))

    def feed(self, events: Sequence[Event], /) -> None:
        assert not self.over, "fed after the end"
        self.events.extend(events)
        self.batches += 1
        if self.on_feed is not None:
            self.on_feed()

    def end(self) -> None:
        assert not self.over, "ended twice"
        self.ended += 1

    def fail(self, error: SeekwayError, /) -> None:
        assert not self.over, "failed after the end"
        self.errors.append(error)


class FixedLatency:
    """The last observation, for ever."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def observe(self, _now: float, seconds: float, /) -> None:
        self.seconds = seconds

    def value(self, _now: float, /) -> float:
        return self.seconds


@dataclass(frozen=True)
class FakeChoice:
    endpoint: Endpoint
    route: Route


@dataclass(frozen=True)
class FakePool:
    name: str
    choices: tuple[FakeChoice, ...]


class PushingBackend(FakeBackend):
    """``push`` as a member's backend."""

    def __init__(self, push: ScriptedPush) -> None:
        super().__init__()
        self.start = push.start


def endpoint_of(
    name: str, source: ScriptedPush, policy: ResilienceSettings, *, kind: BackendKind = "openai", tier: int = 0
) -> Endpoint:
    return Endpoint(Member(name, PushingBackend(source), kind), FixedLatency(), policy, tier=tier)


def pool_of(endpoints: Iterable[Endpoint], name: str = "m") -> FakePool:
    info = ModelInfo(name, "1", "seekway", "tests", ("chat", "reasoning"))
    return FakePool(name, tuple(FakeChoice(e, Route(e.member, info, name)) for e in endpoints))


class FirstAvailable:
    """A selection that picks the first that is available and was not tried."""

    def __init__(self, pool: FakePool) -> None:
        self.pool = pool

    def pick(
        self,
        _request: GenerateRequest,
        _exchange: Exchange,
        now: float,
        tried: Collection[str],
        /,
    ) -> FakeChoice | None:
        for choice in self.pool.choices:
            if choice.endpoint.name not in tried and choice.endpoint.available(now):
                return choice
        return None
