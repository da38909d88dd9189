"""Requests, exchanges and a driver that runs them through the cache's two stages as the pipeline does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from seekway.core.errors import SeekwayError
from seekway.core.sections.cache import CacheSettings
from seekway.core.types import Event, Finish, GenerateRequest, Message, Sampling, TextDelta, Usage
from seekway.observability.cache_figures import CacheCounts
from seekway.observability.record import RequestRecord
from seekway.pipeline.cache.answer_cache import AnswerCache
from seekway.pipeline.cache.embedder import QuestionEmbedder
from seekway.pipeline.cache.frequency import FrequencyBook
from seekway.pipeline.cache.stages import KeepAnswer, LookUpAnswer
from seekway.pipeline.cache.store import CacheStore, MemoryStore
from seekway.pipeline.caller import ANONYMOUS, Caller
from seekway.pipeline.directory import Member, Route
from seekway.pipeline.exchange import Exchange, Headers
from seekway.pipeline.stage import StreamFilter
from tests.fakes.backend import FakeBackend, model_info

ON = CacheSettings(enabled=True)
COLD = Sampling(temperature=0.0)


def answer_of(text: str = "Paris.", reason: str = "stop") -> tuple[Event, ...]:
    return (TextDelta(text), Usage(7, 3), msgspec.convert({"type": "finish", "reason": reason}, Finish))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class AskedCache:
    """An :class:`AnswerCache` in memory with a clock of its own, and the stages around it."""

    def __init__(
        self,
        settings: CacheSettings = ON,
        *,
        store: CacheStore | None = None,
        counts: CacheCounts | None = None,
        embedder: QuestionEmbedder | None = None,
        frequency: FrequencyBook | None = None,
    ) -> None:
        self.clock = Clock()
        self.counts = counts or CacheCounts()
        memory = MemoryStore(
            self.counts, max_entries=settings.max_entries, max_bytes=settings.max_bytes, clock=self.clock
        )
        self.cache = AnswerCache(settings, store or memory, self.counts, embedder=embedder, frequency=frequency)
        self.look = LookUpAnswer(self.cache)
        self.keep = KeepAnswer(self.cache)
        self._number = 0

    def ask(
        self,
        text: str = "What is the capital of France?",
        *,
        caller: Caller = ANONYMOUS,
        headers: Sequence[tuple[bytes, bytes]] = (),
        deadline: float | None = None,
        version: str = "1",
        **fields: object,
    ) -> Asked:
        self._number += 1
        plain = GenerateRequest(f"r{self._number}", "m", (Message("user", text),), sampling=COLD)
        request = msgspec.structs.replace(plain, **fields)
        record = RequestRecord(f"r{self._number}", model="m")
        exchange = Exchange(record, caller, Headers(headers), deadline=deadline)
        exchange.route = Route(Member("b", FakeBackend()), model_info("m", version), "m")
        return Asked(self, request, exchange)


@dataclass
class Asked:
    """One request on its way; ``request`` is as the lookup left it."""

    by: AskedCache
    request: GenerateRequest
    exchange: Exchange
    filter: StreamFilter | None = None

    @property
    def did(self) -> str:
        return self.exchange.record.cache

    @property
    def text(self) -> str | None:
        """The text it was answered with from the cache."""
        if self.exchange.answer is None:
            return None
        return "".join(event.text for event in self.exchange.answer if isinstance(event, TextDelta))

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.exchange.response_headers)

    async def look(self) -> Asked:
        """Through the request stage, and the stream stage opened; a refusal ends the exchange."""
        try:
            found = self.by.look(self.request, self.exchange)
            self.request = found if isinstance(found, GenerateRequest) else await found
        except SeekwayError as error:
            self.end(error.code)
            raise
        self.filter = self.by.keep.open(self.request, self.exchange)
        return self

    def give(self, events: Sequence[Event]) -> Asked:
        """The model answers with ``events``, whole."""
        assert self.exchange.answer is None
        if self.filter is not None:
            assert self.filter.feed(events) == events
            assert self.filter.end() == ()
        return self.end()

    def end(self, error: str = "") -> Asked:
        self.exchange.record.error = error
        self.exchange.ended()
        return self


async def asked_and_given(cache: AskedCache, text: str, answer: str, **fields: object) -> Asked:
    asked = await cache.ask(text, **fields).look()  # pyright: ignore[reportArgumentType] - passed on as it came
    return asked.give(answer_of(answer))
