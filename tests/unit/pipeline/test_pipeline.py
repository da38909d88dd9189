"""The pipeline runs its stages in order, counts them and closes everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest
from prometheus_client import CollectorRegistry

from seekway.core.errors import BackendProtocolError, ContextLengthExceeded, InternalError, StreamInterrupted
from seekway.core.settings import Settings
from seekway.core.types import ErrorEvent, Event, Finish, GenerateRequest, Message, TextDelta, Usage
from seekway.observability.metrics import Metrics
from seekway.observability.record import RequestRecord
from seekway.pipeline.assembly import build_pipeline
from seekway.pipeline.directory import BackendDirectory, Member
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.pipeline import Pipeline
from seekway.pipeline.stage import StreamStage
from seekway.pipeline.stages.resolve_alias import ResolveAlias
from tests.fakes.backend import HANG, FakeBackend, Step, reply

REQUEST = GenerateRequest("1", "fake", (Message("user", "hi"),))


class Twice:
    """Doubles every text."""

    name = "twice"

    def __init__(self) -> None:
        self.closed = 0

    async def __call__(self, events: AsyncIterator[Event], exchange: Exchange) -> AsyncGenerator[Event]:
        try:
            async for event in events:
                yield TextDelta(event.text * 2) if isinstance(event, TextDelta) else event
        finally:
            self.closed += 1


def pipeline(backend: FakeBackend, *stages: StreamStage) -> Pipeline:
    routes = BackendDirectory([Member("own", backend)])
    names = ModelNames(routes, {}, None)
    return Pipeline((ResolveAlias(names),), stages, routes, names, Metrics(CollectorRegistry()))


async def run(line: Pipeline) -> list[Event]:
    exchange = Exchange(RequestRecord("r"))
    request = await line.admit(REQUEST, exchange)
    return [event async for event in line.generate(request, exchange)]


async def test_stages_run_in_order_and_are_counted() -> None:
    line = pipeline(FakeBackend(reply("a", "b")), Twice(), Twice())
    events = await run(line)
    assert events[:2] == [TextDelta("aaaa"), TextDelta("bbbb")]
    assert [(f.name, f.calls, f.events) for f in line.figures()] == [
        ("resolve_alias", 1, 0),
        ("twice", 1, 4),
        ("twice", 1, 4),
    ]


async def test_closing_early_closes_every_stage_and_the_backend() -> None:
    backend, twice = FakeBackend((TextDelta("a"), HANG)), Twice()
    line = pipeline(backend, twice)
    exchange = Exchange(RequestRecord("r"))
    stream = line.generate(await line.admit(REQUEST, exchange), exchange)
    assert await anext(stream) == TextDelta("aa")
    await stream.aclose()
    assert (backend.running, backend.cancelled, twice.closed) == (0, 1, 1)


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
    line = build_pipeline(Settings(), [Member("own", backend)], Metrics(CollectorRegistry()))
    exchange = Exchange(RequestRecord("r"))
    traces = await line.trial(REQUEST, (TextDelta("a"), Usage(0, 0), Finish("stop")), exchange)
    assert [trace.events_in for trace in traces] == [0, 0, 0, 0, 3]
    assert backend.requests == []
    assert all(figures.calls == 0 for figures in line.figures())
