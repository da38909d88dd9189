"""One request's way: the request stages in order, a backend, the stream stages in order.

The lists given to :class:`Pipeline` are the documentation of what happens to a request.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from functools import partial

import msgspec

from seekway.core.errors import SeekwayError
from seekway.core.ports import EventSink, Flow
from seekway.core.types import (
    Capability,
    EmbedRequest,
    EmbedResult,
    GenerateRequest,
    Message,
    RerankRequest,
    RerankResult,
    Role,
    TokenCount,
    Usage,
)
from seekway.pipeline.admission import Admission
from seekway.pipeline.directory import BackendDirectory, Route
from seekway.pipeline.dispatch.dispatcher import Dispatcher
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.replay import Replay
from seekway.pipeline.shaping import Shaping
from seekway.pipeline.stage import FigureBook, RequestStage, StageFigures, StreamStage
from seekway.pipeline.stream_chain import OpenFilter, StreamChain
from seekway.pipeline.trial import StageTrace, try_stages


class Pipeline:
    """Stages run in the order given; the first of ``admission_stages`` must resolve the model's name.

    ``admission_stages`` are for whatever is asked of a model, ``request_stages`` and ``stream_stages`` for generation.
    ``review`` looks at texts that are to be embedded or ranked; for generation it stands among ``request_stages``.
    ``shaping`` fits an admitted request to the backend it goes to, each time ``dispatcher`` sends it to one.
    """

    def __init__(
        self,
        admission_stages: Sequence[RequestStage],
        request_stages: Sequence[RequestStage],
        shaping: Shaping,
        stream_stages: Sequence[StreamStage],
        dispatcher: Dispatcher,
        routes: BackendDirectory,
        names: ModelNames,
        book: FigureBook,
        *,
        review: RequestStage | None = None,
    ) -> None:
        self.routes = routes
        self.names = names
        self.dispatcher = dispatcher
        self._shaping = shaping
        self._admission_stages = len(admission_stages)
        self._request_stages = tuple(
            (stage, book.of(stage.name, "request")) for stage in (*admission_stages, *request_stages)
        )
        self._review = None if review is None else (review, book.of(review.name, "request"))
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
        # As _run, but that one reading of the clock is a stage's end and the next one's beginning.
        clock = time.perf_counter
        then = clock()
        for position, (stage, figures) in enumerate(self._request_stages):
            figures.calls += 1
            try:
                admitted = stage(request, exchange)
            except SeekwayError:
                figures.refused += 1
                figures.seconds += clock() - then
                raise
            now = clock()
            figures.seconds += now - then
            then = now
            if admitted is not request:
                if not isinstance(admitted, GenerateRequest):
                    rest = partial(self._admit_rest, position, admitted, request, exchange)
                    return Admission(admitted, rest, partial(self._go, exchange=exchange, sink=sink), sink)
                figures.changed += 1
                request = admitted
            if exchange.answer is not None:
                break
        return self._go(request, exchange, sink)

    async def embed(self, request: EmbedRequest, exchange: Exchange) -> EmbedResult:
        asked = GenerateRequest(request.id, request.model, prompt="\n".join(request.inputs))
        await self._admit(asked, exchange, "embed")
        request = msgspec.structs.replace(request, inputs=await self._reviewed(asked, "user", request.inputs, exchange))

        def ask(route: Route) -> Awaitable[EmbedResult]:
            return route.member.backend.embed(msgspec.structs.replace(request, model=route.name))

        result = await self.dispatcher.ask(asked, exchange, ask)
        exchange.record.usage = Usage(result.prompt_tokens, 0)
        return result

    async def rerank(self, request: RerankRequest, exchange: Exchange) -> RerankResult:
        asked = GenerateRequest(request.id, request.model, prompt="\n".join((request.query, *request.documents)))
        await self._admit(asked, exchange, "rerank")
        (query,) = await self._reviewed(asked, "user", (request.query,), exchange)
        documents = await self._reviewed(asked, "tool", request.documents, exchange)
        request = msgspec.structs.replace(request, query=query, documents=documents)

        def ask(route: Route) -> Awaitable[RerankResult]:
            return route.member.backend.rerank(msgspec.structs.replace(request, model=route.name))

        result = await self.dispatcher.ask(asked, exchange, ask)
        exchange.record.usage = Usage(result.prompt_tokens, 0)
        return result

    async def count_tokens(self, request: GenerateRequest, exchange: Exchange) -> TokenCount:
        """The tokens of the prompt that the backend would be sent."""
        admitted = await self._admit(request, exchange, None)

        def ask(route: Route) -> Awaitable[TokenCount]:
            return route.member.backend.count_tokens(self._shaping(admitted, exchange))

        return await self.dispatcher.ask(admitted, exchange, ask)

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

    async def _admit(
        self, request: GenerateRequest, exchange: Exchange, capability: Capability | None
    ) -> GenerateRequest:
        """Run the stages that are for everything; ``request`` stands for what is asked where that is no generation."""
        exchange.capability = capability
        for position, (stage, figures) in enumerate(self._request_stages[: self._admission_stages]):
            after = self._run(stage, figures, request, exchange)
            request = after if isinstance(after, GenerateRequest) else await self._await(position, after, request)
        return request

    async def _reviewed(
        self, asked: GenerateRequest, role: Role, texts: Sequence[str], exchange: Exchange
    ) -> tuple[str, ...]:
        """What the stage ``review`` makes of texts that are no conversation; they count as what somebody of ``role`` wrote."""
        if self._review is None:
            return tuple(texts)
        stage, figures = self._review
        messages = tuple(Message(role, text) for text in texts)
        after = self._run(stage, figures, GenerateRequest(asked.id, asked.model, messages), exchange)
        if not isinstance(after, GenerateRequest):
            after = await after
        return tuple(message.content if isinstance(message.content, str) else "" for message in after.messages)

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
            flow = self.dispatcher.start(request, exchange, chain)
        chain.flow = flow
        return flow
