"""One request's way: the request stages in order, a backend, the stream stages in order.

The lists given to :class:`Pipeline` are the documentation of what happens to a request.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from seekway.core.asking import answer_of
from seekway.core.errors import SeekwayError
from seekway.core.ports import AnswerSink, EventSink, Flow
from seekway.core.types import (
    Capability,
    EmbedRequest,
    EmbedResult,
    GenerateRequest,
    Message,
    RerankRequest,
    RerankResult,
    TokenCount,
)
from seekway.pipeline.admission import Admission
from seekway.pipeline.counted import Counted
from seekway.pipeline.directory import BackendDirectory, Route
from seekway.pipeline.dispatch.dispatcher import Dispatcher
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.replay import Replay
from seekway.pipeline.shaping import Shaping
from seekway.pipeline.stage import FigureBook, RequestStage, StageFigures, StreamStage
from seekway.pipeline.stream_chain import OpenFilter, StreamChain
from seekway.pipeline.trial import StageTrace, try_stages

T = TypeVar("T")


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
        return await answer_of(partial(self.start_embed, request, exchange))

    async def rerank(self, request: RerankRequest, exchange: Exchange) -> RerankResult:
        return await answer_of(partial(self.start_rerank, request, exchange))

    async def count_tokens(self, request: GenerateRequest, exchange: Exchange) -> TokenCount:
        """The tokens of the prompt that the backend would be sent."""
        return await answer_of(partial(self.start_count, request, exchange))

    def start_embed(self, request: EmbedRequest, exchange: Exchange, sink: AnswerSink[EmbedResult]) -> Flow:
        """As :meth:`start`, for a question with one answer."""

        def begin(reviewed: GenerateRequest, route: Route, to: AnswerSink[EmbedResult]) -> Flow:
            inputs = _contents(reviewed) or request.inputs
            return route.member.asked.start_embed(msgspec.structs.replace(request, model=route.name, inputs=inputs), to)

        asked = GenerateRequest(request.id, request.model, prompt="\n".join(request.inputs))
        texts = tuple([Message("user", text) for text in request.inputs]) if self._review else ()
        return self._inquire(asked, exchange, "embed", begin, Counted(exchange, sink), texts)

    def start_rerank(self, request: RerankRequest, exchange: Exchange, sink: AnswerSink[RerankResult]) -> Flow:
        def begin(reviewed: GenerateRequest, route: Route, to: AnswerSink[RerankResult]) -> Flow:
            query, *documents = _contents(reviewed) or (request.query, *request.documents)
            question = msgspec.structs.replace(request, model=route.name, query=query, documents=tuple(documents))
            return route.member.asked.start_rerank(question, to)

        asked = GenerateRequest(request.id, request.model, prompt="\n".join((request.query, *request.documents)))
        texts: tuple[Message, ...] = ()
        if self._review:
            texts = (Message("user", request.query), *[Message("tool", document) for document in request.documents])
        return self._inquire(asked, exchange, "rerank", begin, Counted(exchange, sink), texts)

    def start_count(self, request: GenerateRequest, exchange: Exchange, sink: AnswerSink[TokenCount]) -> Flow:
        def begin(admitted: GenerateRequest, route: Route, to: AnswerSink[TokenCount]) -> Flow:
            return route.member.asked.start_count(self._shaping(admitted, exchange), to)

        return self._inquire(request, exchange, None, begin, sink)

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
        self,
        position: int,
        waited: Awaitable[GenerateRequest],
        request: GenerateRequest,
        exchange: Exchange,
        until: int | None = None,
    ) -> GenerateRequest:
        """From the stage that has to wait on, up to ``until``."""
        request = await self._await(position, waited, request)
        for at in range(position + 1, len(self._request_stages) if until is None else until):
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

    def _inquire(
        self,
        request: GenerateRequest,
        exchange: Exchange,
        capability: Capability | None,
        begin: Callable[[GenerateRequest, Route, AnswerSink[T]], Flow],
        sink: AnswerSink[T],
        texts: tuple[Message, ...] = (),
    ) -> Flow:
        """Run the stages that are for everything, and ask; ``request`` stands for what is asked where that is no generation.

        ``texts`` are reviewed in its place; ``begin`` is then given what the review made of them.
        """
        exchange.capability = capability

        def go(admitted: GenerateRequest) -> Flow:
            def ask(reviewed: GenerateRequest) -> Flow:
                return self.dispatcher.inquire(admitted, exchange, partial(begin, reviewed), sink)

            if self._review is None or not texts:
                return ask(admitted)
            stage, figures = self._review
            after = self._run(stage, figures, GenerateRequest(request.id, request.model, texts), exchange)
            return (
                ask(after)
                if isinstance(after, GenerateRequest)
                else Admission(after, partial(_awaited, after), ask, sink)
            )

        until = self._admission_stages
        for position, (stage, figures) in enumerate(self._request_stages[:until]):
            after = self._run(stage, figures, request, exchange)
            if not isinstance(after, GenerateRequest):
                rest = partial(self._admit_rest, position, after, request, exchange, until)
                return Admission(after, rest, go, sink)
            request = after
        return go(request)

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
        return chain


def _contents(request: GenerateRequest) -> tuple[str, ...]:
    """The texts of messages that stand for no conversation; nothing where none do."""
    return tuple([message.content for message in request.messages if isinstance(message.content, str)])


async def _awaited(waited: Awaitable[GenerateRequest]) -> GenerateRequest:
    return await waited
