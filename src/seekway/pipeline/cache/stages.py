"""The cache's two stages: one answers from what is kept, the other keeps what the model answers.

``LookUpAnswer`` belongs behind the stages that settle the request (names, defaults, guardrails, limits) and before the backend is chosen;
``KeepAnswer`` is the first of the stream stages, so that what is kept is the model's own and passes the later ones again at each replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Literal

import msgspec

from seekway.core.errors import DeadlineExceeded, NotCached
from seekway.core.types import GenerateRequest
from seekway.pipeline.cache.answer import read_answer, replay
from seekway.pipeline.cache.answer_cache import AnswerCache, Recording
from seekway.pipeline.cache.control import NO_WISHES, CacheControl, read_header, with_body
from seekway.pipeline.cache.flight import Flight, Landed, Turn
from seekway.pipeline.cache.key import KeyScope, answer_key, context_key, is_repeatable, points_elsewhere, tenant_of
from seekway.pipeline.cache.near_match import may_share, words
from seekway.pipeline.cache.semantic import Question, question_of
from seekway.pipeline.cache.store import Found
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.stage import StreamFilter

_HEADER = b"x-seekway-cache"
_HIT, _SEMANTIC, _MISS, _BYPASS = ((_HEADER, word) for word in (b"hit", b"semantic", b"miss", b"bypass"))


class LookUpAnswer:
    """Answers from the cache where it may, and marks the record and the answer's head with what it did.

    Raises ``NotCached`` for ``only-if-cached`` without an answer, and ``DeadlineExceeded`` when an equal request took too long.
    """

    name = "look_up_answer"

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest | Awaitable[GenerateRequest]:
        cache = self._cache
        if exchange.trial or not cache.serves(exchange.caller):
            return request
        header = exchange.headers.get(b"cache-control")
        control = NO_WISHES if header is None else read_header(header)
        if request.extra and isinstance(wishes := request.extra.get("cache"), dict):
            control = with_body(control, wishes)  # pyright: ignore[reportUnknownArgumentType] - JSON, checked by with_body
            request = msgspec.structs.replace(request, extra={k: v for k, v in request.extra.items() if k != "cache"})
        if not self._may_be_cached(request, control):
            return self._bypass(request, exchange, control)
        scope = self._scope(request, exchange, control)
        key = answer_key(request, scope)
        if key is None:
            return self._bypass(request, exchange, control)
        if cache.frequency is not None:
            cache.frequency.note(key, request, exchange)
        if not control.reads:
            if control.only_cached:
                raise _not_cached()
            return self._miss(request, exchange, key, control)
        if cache.store.immediate:
            found = cache.store.peek(key)
            if (
                found is not None
                and control.takes(found.age_s, found.left_s)
                and self._answer(request, exchange, found, semantic=False)
            ):
                return request
            if not control.only_cached and (cache.embedder is None or question_of(request) is None):
                flight = cache.flights.get(key)
                if flight is None or not self._shares(control):
                    return self._miss(request, exchange, key, control)
        return self._look_further(request, exchange, key, control, scope)

    def _may_be_cached(self, request: GenerateRequest, control: CacheControl) -> bool:
        if not (control.reads or control.stores):
            return False
        if not self._cache.settings.sampled and not is_repeatable(request.sampling):
            return False
        return not points_elsewhere(request.messages)

    def _scope(self, request: GenerateRequest, exchange: Exchange, control: CacheControl) -> KeyScope:
        model = exchange.resolved.model
        user = (request.user_id or "") if self._cache.settings.per_user else ""
        return KeyScope(tenant_of(exchange.caller), model.id, model.version, control.namespace, user)

    def _shares(self, control: CacheControl) -> bool:
        """Whether an equal request's answer will do; one that must not be stored must not be handed on either."""
        return control.stores and self._cache.settings.share_wait_s > 0

    async def _look_further(
        self, request: GenerateRequest, exchange: Exchange, key: bytes, control: CacheControl, scope: KeyScope
    ) -> GenerateRequest:
        """The part that waits: for the store, for an equal request under way, for the embedding."""
        cache = self._cache
        # In memory too: an equal request may have been answered before this one's task began.
        found = cache.store.peek(key) if cache.store.immediate else await cache.store.get(key)
        if (
            found is not None
            and control.takes(found.age_s, found.left_s)
            and self._answer(request, exchange, found, semantic=False)
        ):
            return request
        flight: Flight | None = None
        if self._shares(control) and not control.only_cached and (flight := cache.flights.get(key)) is not None:
            told = await self._follow(flight, exchange)
            if isinstance(told, Landed):
                found = Found(told.answer, 0.0, cache.settings.ttl_s)
                if self._answer(request, exchange, found, semantic=told.semantic):
                    cache.counts.shared += 1
                    return request
            if told is not Turn.LEAD:
                # Another flight may have begun meanwhile; this request has waited once and waits no more.
                return self._miss(request, exchange, key, control, alone=True)
        if control.only_cached:
            if not await self._ask_meaning(request, exchange, key, control, scope, None):
                raise _not_cached()
            return request
        recording = self._record(request, exchange, key, control, flight)
        if not await self._ask_meaning(request, exchange, key, control, scope, recording):
            self._mark(exchange, "miss")
        return request

    async def _follow(self, flight: Flight, exchange: Exchange) -> Landed | Turn:
        now = asyncio.get_running_loop().time()
        until = now + self._cache.settings.share_wait_s
        if exchange.deadline is not None and exchange.deadline <= until:
            told = await flight.follow(exchange.deadline)
            if told is Turn.ALONE and asyncio.get_running_loop().time() >= exchange.deadline:
                raise DeadlineExceeded("An equal request under way was not answered in this one's time; try again.")
            return told
        return await flight.follow(until)

    async def _ask_meaning(
        self,
        request: GenerateRequest,
        exchange: Exchange,
        key: bytes,
        control: CacheControl,
        scope: KeyScope,
        recording: Recording | None,
    ) -> bool:
        """Answer by a question that means the same; else leave with ``recording`` what to remember of this one."""
        cache = self._cache
        text = question_of(request) if cache.embedder is not None else None
        context = context_key(request, scope) if text is not None else None
        if cache.embedder is None or text is None or context is None:
            return False
        vector = await cache.embedder.embed(text)
        if vector is None:
            return False
        asked = Question(vector, words(text), key)
        for candidate in cache.index.near(context, vector):
            known = candidate.question
            if known.key == key:
                continue
            if not may_share(asked.words, known.words, cache.settings.semantic_guard):
                cache.counts.near_misses += 1
                continue
            found = await cache.store.get(known.key)
            if found is None:
                cache.index.forget(context, known)
            elif control.takes(found.age_s, found.left_s) and self._answer(request, exchange, found, semantic=True):
                if recording is not None:
                    recording.land(Landed(found.answer, semantic=True))
                return True
        if recording is not None:
            recording.context, recording.question = context, asked
        return False

    def _answer(self, request: GenerateRequest, exchange: Exchange, found: Found, *, semantic: bool) -> bool:
        try:
            events = read_answer(found.answer)
        except msgspec.DecodeError:
            # Somebody else wrote into the store; the model is asked instead.
            self._cache.counts.store_failures += 1
            return False
        exchange.answer = replay(events, stream=request.stream)
        self._mark(exchange, "semantic" if semantic else "hit")
        exchange.response_headers.append((b"age", str(int(found.age_s)).encode()))
        return True

    def _miss(
        self,
        request: GenerateRequest,
        exchange: Exchange,
        key: bytes,
        control: CacheControl,
        *,
        alone: bool = False,
    ) -> GenerateRequest:
        self._record(request, exchange, key, control, None, alone=alone)
        self._mark(exchange, "miss")
        return request

    def _record(
        self,
        request: GenerateRequest,
        exchange: Exchange,
        key: bytes,
        control: CacheControl,
        flight: Flight | None,
        *,
        alone: bool = False,
    ) -> Recording | None:
        if not control.stores:
            return None
        cache = self._cache
        if flight is None and not alone and control.reads and self._shares(control) and cache.flights.get(key) is None:
            flight = cache.flights.begin(key)
        ttl_s = cache.settings.ttl_s if control.ttl_s is None else min(control.ttl_s, cache.settings.ttl_s)
        return Recording(cache, request, exchange, key, ttl_s, flight)

    def _bypass(self, request: GenerateRequest, exchange: Exchange, control: CacheControl) -> GenerateRequest:
        if control.only_cached:
            raise _not_cached()
        self._mark(exchange, "bypass")
        return request

    def _mark(self, exchange: Exchange, did: Literal["hit", "semantic", "miss", "bypass"]) -> None:
        counts = self._cache.counts
        exchange.record.cache = did
        match did:
            case "miss":
                counts.misses += 1
                exchange.response_headers.append(_MISS)
            case "hit":
                counts.hits += 1
                exchange.response_headers.append(_HIT)
            case "semantic":
                counts.semantic_hits += 1
                exchange.response_headers.append(_SEMANTIC)
            case "bypass":
                counts.bypassed += 1
                exchange.response_headers.append(_BYPASS)


class KeepAnswer:
    """Keeps whole successful answers; nothing that broke off, failed or was filtered."""

    name = "keep_answer"

    def __init__(self, cache: AnswerCache) -> None:
        self._recordings = cache.recordings

    def open(self, request: GenerateRequest, exchange: Exchange) -> StreamFilter | None:
        recording = self._recordings.get(request.id)
        return None if recording is None or exchange.answer is not None else recording.open()


def _not_cached() -> NotCached:
    return NotCached("No answer to this request is kept; leave out only-if-cached to have it made.")
