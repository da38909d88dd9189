"""What asks the gateway for models other than over HTTP, a gRPC call or an application: the same keys, stages, backends, records and counts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import msgspec

from seekway.core.errors import Cancelled, DeadlineExceeded, SeekwayError, unforeseen
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    TokenCount,
    Usage,
)
from seekway.gateway.model_call import CallServices
from seekway.gateway.request_ledger import RequestLedger
from seekway.model_service.analyze import Analyzer
from seekway.model_service.desk import SecondsLeft, TrailingMetadata
from seekway.pipeline.caller import ANONYMOUS, Caller
from seekway.pipeline.exchange import Exchange, Headers
from seekway.pipeline.pulled import PulledStream

Result = TypeVar("Result")


class FrontVisit:
    """Its own :class:`seekway.core.ports.Backend`: what the call asks goes through the pipeline.

    One visit is one line in the access log. Where it asks a model twice, as an analysis may, each has an exchange of its own and the record their sum.
    """

    def __init__(
        self,
        services: CallServices,
        ledger: RequestLedger,
        path: str,
        headers: Headers,
        left: SecondsLeft,
        method: str,
    ) -> None:
        services.enter()
        self._services = services
        self._ledger = ledger
        self._headers = headers
        self._left = left
        self._caller: Caller = ANONYMOUS
        self._stream: PulledStream | None = None
        self._response_headers: list[tuple[bytes, bytes]] = []
        self._spent: list[Usage] = []
        self._record = record = ledger.begin(method, path, headers)
        record.route = path
        self._loop = asyncio.get_running_loop()
        left_s = left()
        bound_s = services.settings.request_timeout_s
        self._deadline = self._loop.time() + (bound_s if left_s is None else min(left_s, bound_s))

    @property
    def request_id(self) -> str:
        return self._record.request_id

    @property
    def backend(self) -> FrontVisit:
        return self

    @property
    def analyzer(self) -> Analyzer:
        return Analyzer(self, default_model=self._services.pipeline.names.default() or "")

    def admit(self) -> None:
        exchange = self._exchange()
        self._services.admit(exchange)
        self._caller = exchange.caller

    def text(self) -> FrontVisit:
        """Counted as an ``Analyze`` of its own."""
        record = self._record
        path = f"{record.route.rpartition('/')[0]}/Analyze"
        visit = FrontVisit(self._services, self._ledger, path, self._headers, self._left, record.method)
        visit.take(self._caller)
        return visit

    def take(self, caller: Caller) -> None:
        """Go on as ``caller``, who is admitted already."""
        self._caller = caller
        self._record.tenant, self._record.key_id = caller.tenant, caller.key_id

    def trailing(self) -> TrailingMetadata:
        pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._response_headers)
        return (("x-request-id", self._record.request_id), *pairs)

    def ended(self, error: SeekwayError | None) -> None:
        record = self._record
        record.status, record.error = (200, "") if error is None else (error.status, error.code)
        if self._spent:
            record.usage = _sum(self._spent)
        self._services.leave()
        self._ledger.ended(record)

    # What the call asks for.

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event, None]:
        self._record.operation = "text_completion" if request.prompt is not None else "chat"
        exchange, stream = self._exchange(), PulledStream()
        failure: SeekwayError | None = Cancelled("The call was cancelled.")
        self._stream = stream
        self._services.sweep.add(self)
        try:
            flow = self._services.pipeline.start(self._named(request), exchange, stream)
            async with contextlib.aclosing(stream.read(flow)) as events:
                async for event in events:
                    yield event
            failure = None
        except SeekwayError as error:
            failure = error
            raise
        except Exception as error:
            failure = unforeseen(error)
            raise failure from error
        finally:
            self._services.sweep.discard(self)
            self._stream = None
            self._close(exchange, failure)

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        self._record.operation = "embeddings"
        wanted = msgspec.structs.replace(request, id=request.id or self.request_id, deadline_s=self._left_s())
        return await self._ask(lambda exchange: self._services.pipeline.embed(wanted, exchange))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        self._record.operation = "rerank"
        wanted = msgspec.structs.replace(request, id=request.id or self.request_id, deadline_s=self._left_s())
        return await self._ask(lambda exchange: self._services.pipeline.rerank(wanted, exchange))

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        self._record.operation = "count_tokens"
        return await self._ask(lambda exchange: self._services.pipeline.count_tokens(self._named(request), exchange))

    async def models(self) -> tuple[ModelInfo, ...]:
        return await served_models(self._services)

    async def close(self) -> None:
        """The backends are the front's."""

    # The sweep's, while a model is asked.

    def sweep(self, now: float) -> None:
        if now >= self._deadline:
            self.break_off(_too_long())

    def break_off(self, error: SeekwayError) -> None:
        if self._stream is not None:
            self._stream.break_off(error)

    async def _ask(self, work: Callable[[Exchange], Awaitable[Result]]) -> Result:
        exchange = self._exchange()
        failure: SeekwayError | None = Cancelled("The call was cancelled.")
        try:
            async with asyncio.timeout_at(self._deadline):
                result = await work(exchange)
            failure = None
            return result
        except TimeoutError as error:
            failure = _too_long()
            raise failure from error
        except SeekwayError as error:
            failure = error
            raise
        finally:
            self._close(exchange, failure)

    def _exchange(self) -> Exchange:
        """For one question: what was counted of the one before is kept apart."""
        record = self._record
        record.usage, record.prompt_estimate, record.streamed_tokens = None, 0, 0.0
        return Exchange(record, self._caller, self._headers, deadline=self._deadline)

    def _close(self, exchange: Exchange, failure: SeekwayError | None) -> None:
        record = self._record
        record.status, record.error = (200, "") if failure is None else (failure.status, failure.code)
        if record.usage is not None:
            self._spent.append(record.usage)
        self._response_headers = exchange.response_headers
        exchange.ended()

    def _named(self, request: GenerateRequest) -> GenerateRequest:
        return request if request.id else msgspec.structs.replace(request, id=self.request_id)

    def _left_s(self) -> float:
        return max(self._deadline - self._loop.time(), 0.001)


async def served_models(services: CallServices) -> tuple[ModelInfo, ...]:
    """Every model of every backend, as last heard; the backends are asked where none is known."""
    routes = services.pipeline.routes
    if not routes.served():
        await routes.refresh()
    return tuple(info for _, info in routes.served())


def _too_long() -> DeadlineExceeded:
    return DeadlineExceeded("The answer took longer than the call's deadline or gateway.request_timeout_s allows.")


def _sum(usages: list[Usage]) -> Usage:
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
        sum(usage.cached_tokens for usage in usages),
        sum(usage.reasoning_tokens for usage in usages),
    )
