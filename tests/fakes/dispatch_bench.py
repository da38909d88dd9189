"""A dispatcher before scripted backends, on a clock moved by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass

import msgspec

from seekway.core.errors import SeekwayError
from seekway.core.ports import Flow
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import GenerateRequest, Message
from seekway.observability.record import RequestRecord
from seekway.pipeline.caller import Caller
from seekway.pipeline.directory import BackendKind
from seekway.pipeline.dispatch.desk import Shape
from seekway.pipeline.dispatch.dispatcher import Dispatcher
from seekway.pipeline.exchange import Exchange
from tests.fakes.push_backend import FirstAvailable, Heard, ManualLoop, Script, ScriptedPush, endpoint_of, pool_of

REQUEST = GenerateRequest("1", "m", (Message("user", "hi"),))


@dataclass
class Asked:
    heard: Heard
    exchange: Exchange
    flow: Flow


class DispatchBench:
    """``backends`` are each one's scripts; the first available one is always taken."""

    def __init__(
        self,
        *backends: tuple[Script, ...],
        policy: ResilienceSettings | None = None,
        shape: Shape | None = None,
        kind: BackendKind = "openai",
        seed: int = 1,
    ) -> None:
        self.loop = ManualLoop()
        self.refusal: SeekwayError | None = None
        self.policy = policy or ResilienceSettings()
        self.backends = [ScriptedPush(self.loop, *scripts) for scripts in backends]
        self.endpoints = [
            endpoint_of(f"b{at}", backend, self.policy, kind=kind) for at, backend in enumerate(self.backends)
        ]
        self.selection = FirstAvailable(pool_of(self.endpoints))
        self.dispatcher = Dispatcher(
            self.loop, self._select, shape or self._shape, lambda _: self.policy, random.Random(seed)
        )

    def start(self, request: GenerateRequest = REQUEST, *, within: float | None = 600.0, priority: int = 1) -> Asked:
        heard = Heard()
        deadline = None if within is None else self.loop.time() + within
        exchange = Exchange(RequestRecord("r"), caller=Caller(priority=priority), deadline=deadline)
        flow = self.dispatcher.start(request, exchange, heard)
        assert not heard.batches
        assert not heard.over
        return Asked(heard, exchange, flow)

    def ask(self, request: GenerateRequest = REQUEST, *, within: float | None = 600.0, seconds: float = 5.0) -> Asked:
        """Start, and let the clock run."""
        asked = self.start(request, within=within)
        self.loop.advance(seconds)
        return asked

    @property
    def attempts(self) -> list[int]:
        return [len(backend.requests) for backend in self.backends]

    @property
    def outstanding(self) -> int:
        return sum(endpoint.outstanding for endpoint in self.endpoints)

    def _select(self, _request: GenerateRequest, _exchange: Exchange) -> FirstAvailable:
        if self.refusal is not None:
            raise self.refusal
        return self.selection

    def _shape(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        left = None if exchange.deadline is None else exchange.deadline - self.loop.time()
        return msgspec.structs.replace(request, model=exchange.resolved.name, deadline_s=left)
