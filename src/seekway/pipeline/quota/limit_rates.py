"""The stage that lets a request in or turns it away, and the one that counts what a broken-off answer took."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence

from seekway.core.errors import RateLimited
from seekway.core.types import Event, GenerateRequest, Usage
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.quota.buckets import Plan
from seekway.pipeline.quota.estimate import output_tokens, prompt_tokens, usage_of
from seekway.pipeline.quota.refusal import rate_headers
from seekway.pipeline.quota.rules import LimitBook
from seekway.pipeline.quota.store import QuotaStore

_LONGEST_USER = 64


class LimitRates:
    """Raises ``RateLimited`` with the seconds to wait and, as ``param``, the limit; comes after the model's name is resolved.

    Tokens are held at admission, the prompt's guess and ``reserve_output_tokens`` at most, and settled with the real count at the end.
    """

    name = "limit_rates"

    def __init__(self, book: LimitBook, store: QuotaStore, *, reserve_output_tokens: int, headers: bool) -> None:
        self._book = book
        self._store = store
        self._reserve = reserve_output_tokens
        self._headers = headers

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest | Awaitable[GenerateRequest]:
        if exchange.trial:
            return request
        plan = self._plan(exchange, request.user_id, request.model)
        if not plan.every:
            return request
        held = 0
        if plan.tokens:
            exchange.record.prompt_estimate = prompt = prompt_tokens(request)
            wanted = request.sampling.max_tokens
            held = prompt + (self._reserve if wanted is None or wanted > self._reserve else wanted)
        verdict = self._ask(plan, held, exchange)
        return request if verdict is None else self._admitted(verdict, plan, request, exchange)

    async def admit(self, exchange: Exchange, *, user: str | None, model: str, tokens: int) -> None:
        """The same for what is no generation, such as embeddings; ``tokens`` is the guess of what it takes."""
        plan = self._plan(exchange, user, model)
        exchange.record.prompt_estimate = tokens
        verdict = self._ask(plan, tokens, exchange) if plan.every else None
        if verdict is not None:
            await self._told(verdict, plan, exchange)

    def _plan(self, exchange: Exchange, user: str | None, model: str) -> Plan:
        if user is not None and len(user) > _LONGEST_USER:
            # What is kept of a user is bounded, whatever a client sends.
            user = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
        return self._book.plan(exchange.caller, user, exchange.record.model or model)

    def _ask(self, plan: Plan, held: int, exchange: Exchange) -> asyncio.Future[None] | None:
        try:
            verdict = self._store.admit(plan, held)
        except RateLimited:
            self._tell(plan, exchange)
            raise
        if verdict is None:
            self._tell(plan, exchange)
            if not plan.tokens and not plan.slots:
                return None
        # Also while the verdict is out: whoever leaves then must not have taken anything in the end.
        exchange.on_end(_Settlement(self._store, plan, held, exchange, verdict))
        return verdict

    async def _admitted(
        self, verdict: asyncio.Future[None], plan: Plan, request: GenerateRequest, exchange: Exchange
    ) -> GenerateRequest:
        await self._told(verdict, plan, exchange)
        return request

    async def _told(self, verdict: asyncio.Future[None], plan: Plan, exchange: Exchange) -> None:
        try:
            await verdict
        finally:
            self._tell(plan, exchange)

    def _tell(self, plan: Plan, exchange: Exchange) -> None:
        if self._headers:
            exchange.response_headers.extend(rate_headers(plan))


class _Settlement:
    __slots__ = ("_exchange", "_held", "_plan", "_store", "_verdict")

    def __init__(
        self, store: QuotaStore, plan: Plan, held: int, exchange: Exchange, verdict: asyncio.Future[None] | None
    ) -> None:
        self._store = store
        self._plan = plan
        self._held = held
        self._exchange = exchange
        self._verdict = verdict

    def __call__(self) -> None:
        verdict = self._verdict
        if verdict is not None and (verdict.cancel() or verdict.cancelled() or verdict.exception() is not None):
            return
        used = 0
        if self._plan.tokens and (usage := usage_of(self._exchange)) is not None:
            used = usage.prompt_tokens + usage.completion_tokens
        self._store.settle(self._plan, self._held, used)


class MeterOutput:
    """Counts what passes, for the case that no count comes: the client goes away, or the stream breaks off.

    Needed where tokens are limited or money is counted.
    """

    name = "meter_output"

    def open(self, request: GenerateRequest, exchange: Exchange) -> Meter | None:
        if exchange.trial or exchange.answer is not None:
            return None
        record = exchange.record
        record.prompt_estimate = record.prompt_estimate or prompt_tokens(request)
        return Meter(record)


class Meter:
    """One stream's count."""

    __slots__ = ("_record",)

    def __init__(self, record: RequestRecord) -> None:
        self._record = record

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        record = self._record
        if len(events) > 1 and isinstance(usage := events[-2], Usage):
            # The backend's own count, which stands whatever a later stage makes of the answer; nothing need be guessed.
            record.usage = usage
        else:
            record.streamed_tokens += output_tokens(events)
        return events

    def end(self) -> Sequence[Event]:
        return ()
