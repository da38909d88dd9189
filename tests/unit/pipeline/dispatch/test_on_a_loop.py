"""The dispatcher on asyncio's own loop, with backends of the asynchronous kind."""

from __future__ import annotations

import asyncio
import random

from seekway.core.errors import BackendUnavailable, DeadlineExceeded, SeekwayError
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import GenerateRequest
from seekway.observability.record import RequestRecord
from seekway.pipeline.directory import Member
from seekway.pipeline.dispatch.dispatcher import Dispatcher
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.endpoint import Endpoint
from tests.fakes.backend import HANG, FakeBackend, reply
from tests.fakes.dispatch_bench import REQUEST
from tests.fakes.push_backend import FirstAvailable, FixedLatency, Heard, pool_of

POLICY = ResilienceSettings()


class Awaited(Heard):
    """Sets ``done`` when it is over."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()

    def end(self) -> None:
        super().end()
        self.done.set()

    def fail(self, error: SeekwayError, /) -> None:
        super().fail(error)
        self.done.set()


async def ask(*backends: FakeBackend, within: float) -> Awaited:
    loop = asyncio.get_running_loop()
    endpoints = [Endpoint(Member(f"b{at}", backend), FixedLatency(), POLICY) for at, backend in enumerate(backends)]
    selection = FirstAvailable(pool_of(endpoints, "fake"))

    def as_it_is(_request: GenerateRequest, _exchange: Exchange) -> GenerateRequest:
        return GenerateRequest("1", "fake", REQUEST.messages)

    dispatcher = Dispatcher(loop, lambda _r, _e: selection, as_it_is, lambda _name: POLICY, random.Random(1))
    heard = Awaited()
    dispatcher.start(REQUEST, Exchange(RequestRecord("r"), deadline=loop.time() + within), heard)
    await heard.done.wait()
    assert sum(endpoint.outstanding for endpoint in endpoints) == 0
    dispatcher.close()
    return heard


async def test_a_backend_that_refuses_is_replaced() -> None:
    heard = await ask(FakeBackend((BackendUnavailable("gone"),)), FakeBackend(reply("Hel", "lo")), within=60)
    assert (heard.text, heard.ended) == ("Hello", 1)


async def test_the_deadline_cancels_the_backend() -> None:
    backend = FakeBackend((HANG,))
    heard = await ask(backend, within=0.05)
    assert isinstance(heard.error, DeadlineExceeded)
    await backend.idle.wait()
