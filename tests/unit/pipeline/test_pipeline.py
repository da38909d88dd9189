"""The pipeline runs its stages in order, counts them and closes everything."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from random import Random
from typing import Self

import pytest

from seekway.core.errors import (
    BackendProtocolError,
    ContextLengthExceeded,
    InternalError,
    InvalidRequest,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.sections.log import LogSettings
from seekway.core.settings import Settings
from seekway.core.types import ErrorEvent, Event, Finish, GenerateRequest, Message, TextDelta
from seekway.observability.logging import make_logger
from seekway.observability.record import RequestRecord
from seekway.pipeline.assembly import build_pipeline
from seekway.pipeline.directory import BackendDirectory, Member
from seekway.pipeline.dispatch.dispatcher import Dispatcher
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.lasting_parts import LastingParts
from seekway.pipeline.names import ModelNames
from seekway.pipeline.pipeline import Pipeline
from seekway.pipeline.routing.endpoint import Endpoint
from seekway.pipeline.routing.latency import PeakEwma
from seekway.pipeline.routing.router import Router
from seekway.pipeline.shaping import Shaping
from seekway.pipeline.stage import FigureBook, RequestStage, StreamStage
from seekway.pipeline.stages.resolve_alias import ResolveAlias
from tests.fakes.backend import HANG, FakeBackend, Step, reply
from tests.fakes.sink import RecordingSink

REQUEST = GenerateRequest("1", "fake", (Message("user", "hi"),))


class Twice:
    """Doubles every text and says at the end that it ended."""

    name = "twice"

    def open(self, request: GenerateRequest, exchange: Exchange) -> Self:
        return self

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        return [TextDelta(event.text * 2) if isinstance(event, TextDelta) else event for event in events]

    def end(self) -> Sequence[Event]:
        return ()


class Again(Twice):
    name = "again"


class HoldsBack(Twice):
    """Keeps everything to the end."""

    name = "holds_back"

    def __init__(self) -> None:
        self._held: list[Event] = []

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        self._held += events
        return ()

    def end(self) -> Sequence[Event]:
        return self._held


class Refuses(Twice):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        raise self._error


class Waits:
    """A request stage that waits for somebody."""

    name = "waits"

    def __init__(self, until: asyncio.Event) -> None:
        self._until = until

    async def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        await self._until.wait()
        return request


class Answers:
    """A request stage that answers by itself."""

    name = "answers"

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        exchange.answer = reply("known")
        return request


def pipeline(backend: FakeBackend, *stages: StreamStage, before: Sequence[RequestStage] = ()) -> Pipeline:
    book, loop, member = FigureBook(), asyncio.get_running_loop(), Member("own", backend)
    routes = BackendDirectory([member])
    names = ModelNames(routes, {}, None)
    settings = Settings()
    endpoints = {"own": Endpoint(member, PeakEwma(), settings.resilience)}
    router = Router(routes, names, endpoints, settings.routing, (), Random(1))
    shaping = Shaping((), book)
    dispatcher = Dispatcher(
        loop, lambda _, exchange: exchange.selected, shaping, lambda _: settings.resilience, Random(1)
    )
    return Pipeline((ResolveAlias(names, router),), before, shaping, stages, dispatcher, routes, names, book)


async def run(line: Pipeline) -> list[Event]:
    """All that a sink hears; raises what it is told."""
    sink = RecordingSink()
    line.start(REQUEST, Exchange(RequestRecord("r")), sink)
    return await sink.whole()


async def test_stages_run_in_order_and_are_counted() -> None:
    line = pipeline(FakeBackend(reply("a", "b")), Twice(), Again())
    events = await run(line)
    assert events[:2] == [TextDelta("aaaa"), TextDelta("bbbb")]
    assert [(f.name, f.calls, f.events) for f in line.figures()] == [
        ("resolve_alias", 1, 0),
        ("twice", 1, 4),
        ("again", 1, 4),
    ]


async def test_cancelling_stops_the_backend_and_the_sink_hears_no_more() -> None:
    backend = FakeBackend((TextDelta("a"), HANG))
    sink = RecordingSink()
    flow = pipeline(backend, Twice()).start(REQUEST, Exchange(RequestRecord("r")), sink)
    await sink.some.wait()
    flow.cancel()
    flow.cancel()
    await asyncio.wait_for(backend.idle.wait(), 5)
    assert (backend.running, backend.cancelled) == (0, 1)
    assert (sink.events, sink.ends) == ([TextDelta("aa")], 0)


async def test_what_a_stage_holds_back_goes_through_the_stages_after_it() -> None:
    assert (await run(pipeline(FakeBackend(reply("a")), HoldsBack(), Twice())))[0] == TextDelta("aa")


@pytest.mark.parametrize(
    ("raised", "told"), [(InvalidRequest("No."), InvalidRequest), (ZeroDivisionError("a secret"), InternalError)]
)
async def test_a_stage_that_raises_ends_the_answer_and_the_work(raised: Exception, told: type[SeekwayError]) -> None:
    backend = FakeBackend((TextDelta("a"), HANG))
    with pytest.raises(told) as caught:
        await run(pipeline(backend, Refuses(raised)))
    assert "secret" not in caught.value.message
    await asyncio.wait_for(backend.idle.wait(), 5)


async def test_a_request_may_wait_for_a_stage_and_be_cancelled_there() -> None:
    until, backend = asyncio.Event(), FakeBackend(reply("a"))
    line = pipeline(backend, before=(Waits(until),))
    first, second = RecordingSink(), RecordingSink()
    line.start(REQUEST, Exchange(RequestRecord("1")), first).cancel()
    line.start(REQUEST, Exchange(RequestRecord("2")), second)
    until.set()
    assert (await second.whole())[0] == TextDelta("a")
    assert (first.events, first.ends) == ([], 0)
    assert len(backend.requests) == 1


async def test_a_stage_that_answers_leaves_the_backend_alone() -> None:
    backend = FakeBackend()
    assert (await run(pipeline(backend, Twice(), before=(Answers(),))))[0] == TextDelta("knownknown")
    assert backend.requests == []


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ((TextDelta("a"),), StreamInterrupted),
        ((), StreamInterrupted),
        ((TextDelta("a"), Finish("stop")), BackendProtocolError),
        ((ErrorEvent("context_length_exceeded", "Too long."),), ContextLengthExceeded),
    ],
)
async def test_a_stream_that_is_not_whole_is_an_error(script: Sequence[Step], error: type[Exception]) -> None:
    with pytest.raises(error):
        await run(pipeline(FakeBackend(script)))


async def test_a_stage_before_the_model_is_known_says_so() -> None:
    with pytest.raises(InternalError, match="resolve_alias"):
        _ = Exchange(RequestRecord("r")).resolved


async def test_a_trial_asks_no_backend_and_counts_nothing() -> None:
    backend = FakeBackend()
    parts = LastingParts(Settings(), make_logger(LogSettings(), io.StringIO()))
    line = build_pipeline(Settings(), [Member("own", backend)], parts, asyncio.get_running_loop())
    exchange = Exchange(RequestRecord("r"))
    traces = await line.trial(REQUEST, "a", exchange)
    assert [trace.events_in for trace in traces if trace.kind == "request"] == [0] * len(
        [t for t in traces if t.kind == "request"]
    )
    streams = [trace for trace in traces if trace.kind == "stream"]
    assert [trace.events_in for trace in streams] == [3] * len(streams)
    assert {"review_input", "review_output"} <= {trace.name for trace in traces}
    assert backend.requests == []
    assert all(figures.calls == 0 for figures in line.figures())
