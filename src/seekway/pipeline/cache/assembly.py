"""The cache as the settings want it."""

from __future__ import annotations

from pathlib import Path

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import ConfigError
from seekway.core.sections.cache import CacheSettings
from seekway.observability.cache_figures import CacheCounts
from seekway.pipeline.cache.answer_cache import AnswerCache
from seekway.pipeline.cache.embedder import FindBackend, QuestionEmbedder
from seekway.pipeline.cache.frequency import FrequencyBook
from seekway.pipeline.cache.redis_store import RedisClient, RedisStore
from seekway.pipeline.cache.store import CacheStore, MemoryStore


def build_cache(
    settings: CacheSettings,
    find: FindBackend,
    counts: CacheCounts,
    log: FilteringBoundLogger,
    *,
    previous: AnswerCache | None = None,
    redis: RedisClient | None = None,
    redis_failures: tuple[type[Exception], ...] = (),
) -> AnswerCache | None:
    """None where the cache is off. ``find`` gives the backend of the embedding model; ``redis`` is closed by whoever made it.

    ``previous`` is the cache of the configuration before: with the same settings it goes on, with all it holds.
    ``counts`` outlive them both.

    Raises ``ConfigError`` when the settings want Redis and there is none.
    """
    if not settings.enabled:
        return None
    if previous is not None and previous.settings == settings:
        if previous.embedder is not None:
            previous.embedder.find = find
        return previous
    store: CacheStore
    if settings.store == "redis":
        if redis is None:
            raise ConfigError(
                "cache.store is redis, but no Redis is configured; name one or use memory.", param="cache.store"
            )
        store = RedisStore(redis, redis_failures, counts, log, timeout_s=settings.redis_timeout_s)
    else:
        store = MemoryStore(counts, max_entries=settings.max_entries, max_bytes=settings.max_bytes)
    embedder = None
    if settings.semantic:
        embedder = QuestionEmbedder(find, settings.semantic_model, counts, log, timeout_s=settings.semantic_timeout_s)
    frequency = None
    if settings.frequency_file is not None:
        frequency = FrequencyBook(Path(settings.frequency_file).expanduser(), settings.frequency_entries, log)
    return AnswerCache(settings, store, counts, embedder=embedder, frequency=frequency)
