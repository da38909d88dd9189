"""One request's way: the request stages in order, a backend, the stream stages in order.

The lists given to :class:`Pipeline` are the documentation of what happens to a request.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from functools import partial

import msgspec

from seekway.core.errors import SeekwayError
from seekway.core.ports import Backend, EventSink, Flow
from seekway.core.types import (
    Capability,
    EmbedRequest,
    EmbedResult,
    GenerateRequest,
    RerankRequest,
    RerankResult,
    TokenCount,
    Usage,
)
from seekway.pipeline.admission import Admission
from seekway.pipeline.directory import BackendDirectory
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.replay import Replay
from seekway.pipeline.shaping import Shaping
from seekway.pipeline.stage import FigureBook, RequestStage, StageFigures, StreamStage
from seekway.pipeline.stream_chain import OpenFilter, StreamChain
from seekway.pipeline.trial import StageTrace, try_stages
from seekway.pipeline.whole_stream import WholeStream


class Pipeline:
    """``request_stages`` and ``stream_stages`` run in the order given; the first must resolve the model's name.

    ``shaping`` fits an admitted request to the backend it goes to, each time it goes to one.
    """

    def __init__(
        self,
        request_stages: Sequence[RequestStage],
        shaping: Shaping,
        stream_stages: Sequence[StreamStage],
        routes: BackendDirectory,
        names: ModelNames,
        book: FigureBook,
    ) -> None:
        self.routes = routes
        self.names = names
        self._shaping = shaping
        self._request_stages = tuple((stage, book.of(stage.name, "request")) for stage in request_stages)
        self._stream_stages = tuple((stage, book.of(stage.name, "stream")) for stage in stream_stages)

    def figures(self) -> tuple[StageFigures, ...]:
        """Every stage in order with its counters since the process started."""
        return (
            *(figures for _, figures in self._request_stages),
            *self._shaping.figures(),
            *(figures for _, figures in self._stream_stages),
        )

    def start(self, request: GenerateRequest, exchange: Exchange, sink: EventSink) -> Flow:
        """Answer ``request`` into ``sink``; a stage's refusal is raised when no stage had to wait, else the sink hears it.

        Cancelling the flow stops the backend at once. What the sink is told is a whole stream or an error, see :class:`EventSink`.
        """
        for position, (stage, figures) in enumerate(self._request_stages):
            admitted = self._run(stage, figures, request, exchange)
            if not isinstance(admitted, GenerateRequest):
                rest = partial(self._admit_rest, position, admitted, request, exchange)
                return Admission(admitted, rest, partial(self._go, exchange=exchange, sink=sink), sink)
            request = admitted
            if exchange.answer is not None:
                break
        return self._go(request, exchange, sink)

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

    async def count_tokens(self, request: GenerateRequest, exchange: Exchange) -> TokenCount:
        """The tokens of the prompt that the backend would be sent; of the request stages only the first, which resolves the name, is run."""
        stage, figures = self._request_stages[0]
        after = self._run(stage, figures, request, exchange)
        admitted = after if isinstance(after, GenerateRequest) else await self._await(0, after, request)
        return await exchange.resolved.member.backend.count_tokens(self._shaping(admitted, exchange))

    async def trial(self, request: GenerateRequest, text: str, exchange: Exchange) -> tuple[StageTrace, ...]:
        """Run ``request`` and then ``text``, as if a model had answered with it, through the stages; asks no backend, counts nothing."""
        exchange.trial = True
        requests = (*(stage for stage, _ in self._request_stages), *self._shaping.stages)
        return await try_stages(requests, [stage for stage, _ in self._stream_stages], request, text, exchange)

    def _run(
        self, stage: RequestStage, figures: StageFigures, request: GenerateRequest, exchange: Exchange
    ) -> GenerateRequest | Awaitable[GenerateRequest]:
        started = time.perf_counter()
        figures.calls += 1
        try:
            after = stage(request, exchange)
        except SeekwayError:
            figures.refused += 1
            raise
        finally:
            figures.seconds += time.perf_counter() - started
        if after is not request and isinstance(after, GenerateRequest):
            figures.changed += 1
        return after

    async def _admit_rest(
        self, position: int, waited: Awaitable[GenerateRequest], request: GenerateRequest, exchange: Exchange
    ) -> GenerateRequest:
        """From the stage that has to wait on."""
        request = await self._await(position, waited, request)
        for at in range(position + 1, len(self._request_stages)):
            if exchange.answer is not None:
                break
            stage, figures = self._request_stages[at]
            after = self._run(stage, figures, request, exchange)
            request = after if isinstance(after, GenerateRequest) else await self._await(at, after, request)
        return request

    async def _await(
        self, position: int, waited: Awaitable[GenerateRequest], before: GenerateRequest
    ) -> GenerateRequest:
        figures = self._request_stages[position][1]
        try:
            after = await waited
        except SeekwayError:
            figures.refused += 1
            raise
        figures.changed += after is not before
        return after

    def _go(self, request: GenerateRequest, exchange: Exchange, sink: EventSink) -> Flow:
        filters: list[OpenFilter] = []
        for stage, figures in self._stream_stages:
            stream_filter = stage.open(request, exchange)
            if stream_filter is not None:
                figures.calls += 1
                filters.append((stream_filter, figures))
        chain = StreamChain(filters, sink)
        if exchange.answer is not None:
            flow: Flow = Replay(exchange.answer, chain)
        else:
            shaped = self._shaping(request, exchange)
            flow = exchange.resolved.member.source.start(shaped, WholeStream(chain))
        chain.flow = flow
        return flow

    async def _backend(self, name: str, capability: Capability, exchange: Exchange) -> tuple[Backend, str]:
        route = await self.names.route(name)
        exchange.take(route)
        route.require(capability)
        return route.member.backend, route.name
