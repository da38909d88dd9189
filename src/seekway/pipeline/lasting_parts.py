"""What outlives a configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from seekway.core.ports import Backend
from seekway.core.sections.reasoning import ReasoningSettings
from seekway.core.settings import Settings, read_secret
from seekway.observability.cache_figures import CacheCounts, CacheSize
from seekway.pipeline.cache.answer_cache import AnswerCache
from seekway.pipeline.cache.assembly import build_cache
from seekway.pipeline.cache.redis_client import open_redis
from seekway.pipeline.cache.redis_store import RedisClient
from seekway.pipeline.cache.stages import KeepAnswer, LookUpAnswer
from seekway.pipeline.directory import BackendDirectory
from seekway.pipeline.dispatch.desk import Lane
from seekway.pipeline.guardrails.detectors import Detectors
from seekway.pipeline.guardrails.guardrails import Guardrails, MakeDetector
from seekway.pipeline.names import ModelNames
from seekway.pipeline.quota.quota import Quota
from seekway.pipeline.reasoning_memory import LocalReasoningMemory
from seekway.pipeline.routing.endpoint import Endpoint
from seekway.pipeline.stage import FigureBook, RequestStage, StreamStage


class LastingParts:
    """Counters, and everything that was learned of the backends and the callers or is kept for them.

    ``processes`` is how many gateways share the port; ``make_detector`` makes the guardrails' detectors, by default the real ones. Raises ``ConfigError`` when something they stand on cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        log: FilteringBoundLogger,
        *,
        processes: int = 1,
        make_detector: MakeDetector | None = None,
    ) -> None:
        self._log = log
        self.book = FigureBook()
        self.reasoning = LocalReasoningMemory(ReasoningSettings())
        self.quota = Quota(settings, log, processes=processes)
        self.guardrails = Guardrails(log, make_detector or Detectors())
        self.cache: AnswerCache | None = None
        self.cache_counts = CacheCounts()
        self.routes: BackendDirectory | None = None
        self.endpoints: Mapping[str, Endpoint] = {}
        self.lanes: Mapping[str, Lane] = {}
        self._replaced: list[AnswerCache] = []
        self._cache_changed = asyncio.Event()
        self._redis: tuple[RedisClient, tuple[type[Exception], ...]] | None = None

    def use_cache(
        self, settings: Settings, names: ModelNames
    ) -> tuple[tuple[RequestStage, ...], tuple[StreamStage, ...]]:
        """The cache's stages as ``settings`` want it; with unchanged settings it goes on with all it holds."""

        async def find(name: str) -> tuple[Backend, str]:
            route = await names.route(name)
            return route.member.backend, route.name

        client, failures = self._redis_for(settings)
        cache = build_cache(
            settings.cache,
            find,
            self.cache_counts,
            self._log,
            previous=self.cache,
            redis=client,
            redis_failures=failures,
        )
        if cache is not self.cache:
            if self.cache is not None:
                self._replaced.append(self.cache)
            self.cache = cache
            self._cache_changed.set()
        return ((), ()) if cache is None else ((LookUpAnswer(cache),), (KeepAnswer(cache),))

    def cache_size(self) -> CacheSize:
        return CacheSize(0, 0, 0) if self.cache is None else self.cache.size()

    def take_over(self, routes: BackendDirectory, endpoints: Mapping[str, Endpoint], lanes: Mapping[str, Lane]) -> None:
        """Go by these from now on; what the former directory heard of backends that stay is known to the new one."""
        if self.routes is not None:
            routes.adopt(self.routes)
        self.routes, self.endpoints, self.lanes = routes, endpoints, lanes

    async def run(self) -> None:
        """The work behind them, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.quota.run())
            group.create_task(self._run_caches())

    async def close(self) -> None:
        """After the last request."""
        await self.quota.close()
        self.guardrails.close()
        for cache in (*self._replaced, self.cache):
            if cache is not None:
                await cache.close()
        if self._redis is not None:
            await self._redis[0].aclose()

    async def _run_caches(self) -> None:
        """The current cache's own work; one that was replaced is closed when nobody asks it any more."""
        while True:
            self._cache_changed.clear()
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self._run_cache(self.cache))
                await self._cache_changed.wait()
                running.cancel()

    async def _run_cache(self, cache: AnswerCache | None) -> None:
        if cache is not None:
            await cache.run()

    def _redis_for(self, settings: Settings) -> tuple[RedisClient | None, tuple[type[Exception], ...]]:
        """One client for as long as the process lives; its address is that of the limits."""
        url = settings.quota.redis_url
        if settings.cache.store != "redis" or not settings.cache.enabled or url is None:
            return None, ()
        if self._redis is None:
            password = read_secret(settings.quota.redis_password_env, None)
            self._redis = open_redis(url, password, timeout_s=settings.cache.redis_timeout_s)
        return self._redis
