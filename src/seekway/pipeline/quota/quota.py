"""Limits and budgets of one gateway process, put together from the settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from seekway.core.settings import Settings, read_secret
from seekway.pipeline.quota.check_budget import CheckBudget
from seekway.pipeline.quota.figures import QuotaFigures
from seekway.pipeline.quota.limit_rates import LimitRates, MeterOutput
from seekway.pipeline.quota.local import LocalQuota
from seekway.pipeline.quota.prices import PriceTable, deepseek_prices
from seekway.pipeline.quota.purses import Purses
from seekway.pipeline.quota.rules import LimitBook
from seekway.pipeline.quota.shared import SharedQuota, script_source
from seekway.pipeline.quota.spending_file import SpendingFile
from seekway.pipeline.stage import RequestStage, StreamStage
from seekway.storage.redis_script import RedisScript

_FLUSH_S = 1.0


class Quota:
    """Lives as long as the process: what was taken and spent outlives a change of the settings.

    ``processes`` is how many gateways share this machine's port; without Redis each keeps its share of every limit.
    Raises ``ConfigError`` when the spending file or Redis' address cannot be used, or prices are wrong.
    """

    def __init__(self, settings: Settings, log: FilteringBoundLogger, *, processes: int = 1) -> None:
        self._log = log
        self._book = LimitBook(settings.limits)
        self._local = LocalQuota()
        self._local.weight = processes
        self._shared = _shared(settings, self._book, self._local, log)
        quota = settings.quota
        self._directory = Path(quota.directory).expanduser()
        self._zone = quota.time_zone
        self._purses: Purses | None = None
        self._budget: CheckBudget | None = None
        store = self._shared or self._local
        self._rates = LimitRates(
            self._book, store, reserve_output_tokens=quota.reserve_output_tokens, headers=quota.headers
        )
        self._limited = self._metered = False
        self._warned = False
        self.use(settings)

    @property
    def request_stages(self) -> tuple[RequestStage, ...]:
        """For after the model's name is resolved. The budget comes first: it takes nothing when a limit then refuses."""
        limits = (self._rates,) if self._limited else ()
        return limits if self._budget is None else (self._budget, *limits)

    @property
    def stream_stages(self) -> tuple[StreamStage, ...]:
        return (MeterOutput(),) if self._metered else ()

    def use(self, settings: Settings) -> None:
        """Go by the limits, budgets and prices of ``settings`` from now on; ``[quota]`` itself is read once.

        Raises ``ConfigError`` when prices are wrong or the spending file cannot be used; the old settings then stand.
        """
        prices = self.prices = _prices(settings)
        # Keys may have limits and budgets of their own, made while the gateway runs.
        keyed = settings.keys.file is not None
        if self._budget is not None:
            self._budget.use(settings.budgets, prices)
        elif keyed or settings.budgets:
            self._purses = Purses(SpendingFile(self._directory / "spending.sqlite3"))
            self._budget = CheckBudget(settings.budgets, prices, self._purses, zone=self._zone)
        self._book.use(settings.limits)
        self._limited = keyed or bool(settings.limits)
        self._metered = keyed or bool(settings.budgets) or self._book.counts_tokens

    async def run(self) -> None:
        """The work behind: spending to disk, limits to and from Redis. Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            if self._shared is not None:
                group.create_task(self._shared.run())

    async def close(self) -> None:
        """After the last request: write what is unwritten, tell what is untold."""
        if self._shared is not None:
            await self._shared.close()
        if self._purses is not None:
            await self._purses.close()
            for purse in self._purses.unwritten():
                self._log.error(
                    "spending_lost", reason=self._purses.last_failure, **purse.id._asdict(), nano=purse.unsaved
                )

    def figures(self) -> QuotaFigures:
        shared = self._shared
        return QuotaFigures(
            buckets=len(self._book),
            refused=self._local.refused,
            out_of_budget=0 if self._budget is None else self._budget.refused,
            shared=None if shared is None else shared.connected,
            gateways=self._local.weight if shared is None else shared.gateways,
            outages=0 if shared is None else shared.outages,
            alone=0 if shared is None else shared.alone,
            unwritten=0 if self._purses is None else self._purses.failures,
            kept_back=self._purses is not None and bool(self._purses.last_failure),
        )

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            purses = self._purses
            if purses is None:
                continue
            await purses.flush()
            if bool(purses.last_failure) is not self._warned:
                self._warned = not self._warned
                if self._warned:
                    self._log.error("spending_unwritten", reason=purses.last_failure)
                else:
                    self._log.info("spending_written")


def _shared(settings: Settings, book: LimitBook, local: LocalQuota, log: FilteringBoundLogger) -> SharedQuota | None:
    quota = settings.quota
    if quota.redis_url is None:
        return None
    password = read_secret(quota.redis_password_env, None)
    script = RedisScript(quota.redis_url, script_source(), timeout_s=quota.redis_timeout_s, password=password)
    return SharedQuota(book, local, script, log=log, prefix=quota.redis_prefix)


def _prices(settings: Settings) -> PriceTable:
    return PriceTable(settings.prices, deepseek_prices().prices)
