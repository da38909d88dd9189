"""What the cache's two stages share: the store, the questions, who waits for whom, and the answers being recorded."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.errors import Cancelled
from seekway.core.sections.cache import CacheSettings
from seekway.core.types import Event, GenerateRequest
from seekway.observability.cache_figures import CacheCounts, CacheSize
from seekway.pipeline.cache.answer import AnswerCollector
from seekway.pipeline.cache.embedder import QuestionEmbedder
from seekway.pipeline.cache.flight import Flight, Flights, Landed
from seekway.pipeline.cache.frequency import FrequencyBook
from seekway.pipeline.cache.key import tenant_of, tenant_tag
from seekway.pipeline.cache.semantic import Question, SemanticIndex
from seekway.pipeline.cache.store import CacheStore
from seekway.pipeline.caller import Caller
from seekway.pipeline.exchange import Exchange


class AnswerCache:
    """What the two stages share. ``embedder`` None: only equal requests are answered; ``frequency`` None: questions are not counted."""

    def __init__(
        self,
        settings: CacheSettings,
        store: CacheStore,
        counts: CacheCounts,
        *,
        embedder: QuestionEmbedder | None = None,
        frequency: FrequencyBook | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.counts = counts
        self.embedder = embedder
        self.frequency = frequency
        self.flights = Flights()
        self.index = SemanticIndex(
            most=settings.semantic_entries,
            most_vectors=settings.semantic_max_vectors,
            threshold=settings.semantic_threshold,
        )
        self.recordings: dict[str, Recording] = {}
        self._tenants = frozenset(settings.tenants)
        self._excluded = frozenset(settings.excluded_tenants)

    def serves(self, caller: Caller) -> bool:
        tenant = caller.tenant
        return tenant not in self._excluded and (not self._tenants or tenant in self._tenants)

    def size(self) -> CacheSize:
        held = self.store.size()
        return CacheSize(held.entries, held.bytes, len(self.index))

    async def clear(self, caller: Caller | None = None) -> int | None:
        """Forget ``caller``'s tenant's answers, or all; how many there were, None when the store cannot be reached."""
        tag = b"" if caller is None else tenant_tag(tenant_of(caller))
        self.index.clear(tag)
        return await self.store.clear(tag)

    async def run(self) -> None:
        """Write the frequency file now and then, until cancelled; what is counted by then is written too."""
        if self.frequency is not None:
            await self.frequency.run(self.settings.frequency_interval_s)

    async def close(self) -> None:
        await self.store.close()


class Recording:
    """One answer on its way from the model into the cache: the stream's filter, and the lead of those who wait for it.

    An answer that another model or version gave than the key was made for is not kept.
    """

    _collector: AnswerCollector | None = None
    context: bytes | None = None
    question: Question | None = None

    def __init__(
        self,
        cache: AnswerCache,
        request: GenerateRequest,
        exchange: Exchange,
        key: bytes,
        ttl_s: float,
        flight: Flight | None,
    ) -> None:
        self._cache = cache
        self._request = request
        self._exchange = exchange
        self._model = exchange.resolved.model
        self._ttl_s = ttl_s
        self.key = key
        self.flight = flight
        cache.recordings[request.id] = self
        exchange.on_end(self.ended)

    def open(self) -> Recording:
        self._collector = AnswerCollector(self._cache.settings.max_entry_bytes)
        return self

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        if self._collector is not None:
            self._collector.feed(events)
        return events

    def end(self) -> Sequence[Event]:
        collector, self._collector = self._collector, None
        answer = None
        made_by = self._exchange.resolved.model
        if collector is not None and (made_by.id, made_by.version) == (self._model.id, self._model.version):
            answer = collector.result(self._request.sampling.max_tokens)
        if answer is None:
            self._cache.counts.unfit += 1
        else:
            self._cache.counts.stored += 1
            self._cache.store.put(self.key, answer, self._ttl_s)
            if self.context is not None and self.question is not None:
                self._cache.index.add(self.context, self.question)
        self.land(None if answer is None else Landed(answer))
        return ()

    def land(self, landed: Landed | None) -> None:
        """Give those who wait the answer; None lets each ask for itself."""
        flight, self.flight = self.flight, None
        if flight is not None:
            if landed is None:
                flight.release()
            else:
                flight.land(landed)

    def ended(self) -> None:
        """The exchange is over; whoever waits and was given nothing goes on."""
        self._cache.recordings.pop(self._request.id, None)
        flight, self.flight = self.flight, None
        if flight is not None:
            error = self._exchange.record.error
            flight.fail(own=bool(error) and error != Cancelled.code)
