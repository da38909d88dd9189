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
        # Keys may have limits and budgets of their own, made while the gateway runs.
        keyed = settings.keys.file is not None
        self._purses: Purses | None = None
        self._budget: CheckBudget | None = None
        if keyed or settings.budgets:
            file = Path(settings.quota.directory).expanduser() / "spending.sqlite3"
            self._purses = Purses(SpendingFile(file))
            zone = settings.quota.time_zone
            self._budget = CheckBudget(settings.budgets, _prices(settings), self._purses, zone=zone)
        self._rates: LimitRates | None = None
        if keyed or settings.limits:
            reserve, headers = settings.quota.reserve_output_tokens, settings.quota.headers
            store = self._shared or self._local
            self._rates = LimitRates(self._book, store, reserve_output_tokens=reserve, headers=headers)
        self._metered = keyed or bool(settings.budgets) or self._book.counts_tokens
        self._warned = False

    @property
    def request_stages(self) -> tuple[RequestStage, ...]:
        """For after the model's name is resolved. The budget comes first: it takes nothing when a limit then refuses."""
        return tuple(stage for stage in (self._budget, self._rates) if stage is not None)

    @property
    def stream_stages(self) -> tuple[StreamStage, ...]:
        return (MeterOutput(),) if self._metered else ()

    @property
    def rates(self) -> LimitRates | None:
        """For what is no generation; None where nothing is limited."""
        return self._rates

    @property
    def budget(self) -> CheckBudget | None:
        """For what is no generation; None where no money is counted."""
        return self._budget

    def use(self, settings: Settings) -> None:
        """Go by the limits, budgets and prices of ``settings`` from now on.

        Where state lies, and whether anything is limited or counted at all, is decided once: for that the gateway is started again.
        Raises ``ConfigError`` when prices are wrong; the old settings then stand.
        """
        prices = _prices(settings)
        self._book.use(settings.limits)
        if self._budget is not None:
            self._budget.use(settings.budgets, prices)

    async def run(self) -> None:
        """The work behind: spending to disk, limits to and from Redis. Until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._purses is not None:
                group.create_task(self._write(self._purses))
            if self._shared is not None:
                group.create_task(self._shared.run())

    async def close(self) -> None:
        """After the last request: write what is unwritten, tell what is untold."""
        if self._shared is not None:
            await self._shared.close()
        if self._purses is not None:
            await self._purses.close()

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
        )

    async def _write(self, purses: Purses) -> None:
        while True:
            await asyncio.sleep(purses.flush_s)
            await purses.flush()
            if bool(purses.last_failure) is not self._warned:
                self._warned = not self._warned
                if self._warned:
                    self._log.warning("spending_unwritten", reason=purses.last_failure)
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
