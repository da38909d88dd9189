"""One request's way: the request stages in order, the backend, the stream stages in order.

The lists given to :class:`Pipeline` are the documentation of what happens to a request.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Literal, cast

import msgspec

from seekway.core.errors import BackendProtocolError, SeekwayError, StreamInterrupted, error_from_code
from seekway.core.ports import Backend
from seekway.core.types import (
    Capability,
    EmbedRequest,
    EmbedResult,
    ErrorEvent,
    Event,
    Finish,
    GenerateRequest,
    RerankRequest,
    RerankResult,
    Usage,
)
from seekway.observability.metrics import Metrics
from seekway.pipeline.directory import BackendDirectory
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.stage import RequestStage, StageFigures, StreamStage


class StageTrace(msgspec.Struct, frozen=True):
    """What one stage did to one request or stream: the fields it changed (before, after), or the events that came out."""

    name: str
    kind: Literal["request", "stream"]
    seconds: float
    changed: dict[str, tuple[Any, Any]] = {}
    events_in: int = 0
    events: tuple[Event, ...] = ()
    error: str | None = None


class Pipeline:
    """``request_stages`` and ``stream_stages`` run in the order given; the first must resolve the model's name."""

    def __init__(
        self,
        request_stages: Sequence[RequestStage],
        stream_stages: Sequence[StreamStage],
        routes: BackendDirectory,
        names: ModelNames,
        metrics: Metrics,
    ) -> None:
        self.routes = routes
        self.names = names
        self._metrics = metrics
        self._request_stages = tuple((stage, StageFigures(stage.name, "request")) for stage in request_stages)
        self._stream_stages = tuple((stage, StageFigures(stage.name, "stream")) for stage in stream_stages)

    def figures(self) -> tuple[StageFigures, ...]:
        """Every stage in order with its counters since the process started."""
        return tuple(figures for _, figures in (*self._request_stages, *self._stream_stages))

    async def admit(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        """Run the request stages; what they refuse is raised before anything is asked of a backend."""
        for stage, figures in self._request_stages:
            started = time.perf_counter()
            before = request
            try:
                request = await stage(request, exchange)
            except SeekwayError:
                figures.refused += 1
                raise
            finally:
                self._count(figures, time.perf_counter() - started)
            figures.changed += request is not before
        return request

    async def generate(self, request: GenerateRequest, exchange: Exchange) -> AsyncGenerator[Event]:
        """Stream the answer to an admitted request; closing the generator stops the backend at once.

        Raises what the backend raises, and ``StreamInterrupted`` when the stream ends without a ``Finish``.
        """
        source = exchange.resolved.member.backend.generate(request)
        async with aclosing(self._through(_whole(source), exchange)) as stream:
            async for event in stream:
                yield event

    async def embed(self, request: EmbedRequest, exchange: Exchange) -> EmbedResult:
        backend, model = await self._backend(request.model, "embed", exchange)
        result = await backend.embed(msgspec.structs.replace(request, model=model))
        exchange.record.usage = Usage(result.prompt_tokens, 0)
        return result

    async def rerank(self, request: RerankRequest, exchange: Exchange) -> RerankResult:
        backend, model = await self._backend(request.model, "rerank", exchange)
        result = await backend.rerank(msgspec.structs.replace(request, model=model))
        exchange.record.usage = Usage(result.prompt_tokens, 0)
        return result

    async def trial(
        self, request: GenerateRequest, events: Sequence[Event], exchange: Exchange
    ) -> tuple[StageTrace, ...]:
        """Run ``request`` and then ``events``, as if a model had answered with them, through the stages; asks no backend, counts nothing."""
        exchange.trial = True
        traces: list[StageTrace] = []
        for stage, _ in self._request_stages:
            started, before = time.perf_counter(), request
            try:
                request = await stage(request, exchange)
            except SeekwayError as error:
                traces.append(
                    StageTrace(stage.name, "request", time.perf_counter() - started, error=f"{error.code}: {error}")
                )
                return tuple(traces)
            traces.append(
                StageTrace(stage.name, "request", time.perf_counter() - started, changed=_difference(before, request))
            )
        for stage, _ in self._stream_stages:
            started, count = time.perf_counter(), len(events)
            async with aclosing(stage(_replay(events), exchange)) as stream:
                events = [event async for event in stream]
            traces.append(
                StageTrace(stage.name, "stream", time.perf_counter() - started, events_in=count, events=tuple(events))
            )
        return tuple(traces)

    def _through(self, source: AsyncGenerator[Event], exchange: Exchange) -> AsyncGenerator[Event]:
        for stage, figures in self._stream_stages:
            source = self._run_stream_stage(stage, figures, source, exchange)
        return source

    async def _run_stream_stage(
        self, stage: StreamStage, figures: StageFigures, source: AsyncGenerator[Event], exchange: Exchange
    ) -> AsyncGenerator[Event]:
        """One stream stage, its own time measured apart from its waiting for ``source``; closes the stage and ``source`` however it ends."""
        clock = time.perf_counter
        waited = 0.0

        async def upstream() -> AsyncGenerator[Event]:
            nonlocal waited
            asked = clock()
            async for event in source:
                waited += clock() - asked
                figures.events += 1
                yield event
                asked = clock()
            waited += clock() - asked

        given = upstream()
        stream = stage(given, exchange)
        spent = 0.0
        try:
            asked = clock()
            async for event in stream:
                spent += clock() - asked
                yield event
                asked = clock()
            spent += clock() - asked
        finally:
            await stream.aclose()
            await given.aclose()
            await source.aclose()
            self._count(figures, max(spent - waited, 0.0))

    def _count(self, figures: StageFigures, seconds: float) -> None:
        figures.calls += 1
        figures.seconds += seconds
        self._metrics.stage(figures.name, seconds)

    async def _backend(self, name: str, capability: Capability, exchange: Exchange) -> tuple[Backend, str]:
        route = await self.names.route(name)
        exchange.take(route)
        route.require(capability)
        return route.member.backend, route.name


async def _whole(source: AsyncIterator[Event]) -> AsyncGenerator[Event]:
    """A backend's stream as the contract wants it: errors raised, usage and finish there; closes ``source`` however it ends."""
    counted = finished = False
    try:
        async for event in source:
            match event:
                case ErrorEvent():
                    raise error_from_code(event.code, event.message, param=event.param)
                case Usage():
                    counted = True
                case Finish():
                    finished = True
                case _:
                    pass
            yield event
    finally:
        # Backends return generators or iterators of their own; a runtime-checked Protocol would cost 50 µs a request.
        close = cast("Callable[[], Awaitable[None]] | None", getattr(source, "aclose", None))
        if close is not None:
            await close()
    if not finished:
        raise StreamInterrupted("The model's answer broke off before its end; send the request again.")
    if not counted:
        raise BackendProtocolError("The backend counted no tokens; its answer cannot be trusted to be whole.")


async def _replay(events: Sequence[Event]) -> AsyncGenerator[Event]:
    for event in events:
        yield event


def _difference(before: GenerateRequest, after: GenerateRequest) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, as plain JSON values."""
    if before is after:
        return {}
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in before.__struct_fields__)
    return {name: (msgspec.to_builtins(old), msgspec.to_builtins(new)) for name, old, new in pairs if old != new}
