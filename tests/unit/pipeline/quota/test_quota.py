"""The settings decide what is limited and counted, and a change of them forgets nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import LogCapture

from seekway.core.allowance import Allowance
from seekway.core.caller import Caller
from seekway.core.errors import ConfigError, ModelNotFound, RateLimited, StorageFailed
from seekway.core.sections.keys import KeySettings
from seekway.core.sections.limits import BudgetRule, LimitRule, QuotaSettings
from seekway.core.sections.prices import PriceSettings
from seekway.core.settings import Settings
from seekway.core.types import GenerateRequest, Usage
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.quota.figures import QuotaCollector
from seekway.pipeline.quota.quota import Quota
from seekway.pipeline.quota.spending_file import SpendingFile
from seekway.pipeline.stages.allow_models import AllowModels

REQUEST = GenerateRequest("1", "m", prompt="p")
RULE = LimitRule(name="r", requests_per_minute=6)


def settings(tmp_path: Path, **changes: object) -> Settings:
    return msgspec.structs.replace(Settings(quota=QuotaSettings(directory=str(tmp_path / "quota"))), **changes)


def quota(made: Settings, processes: int = 1) -> Quota:
    return Quota(made, structlog.get_logger(), processes=processes)


def admit(one: Quota, caller: Caller | None = None) -> Exchange:
    exchange = Exchange(RequestRecord("1"), caller=caller or Caller("k"))
    for stage in one.request_stages:
        assert stage(REQUEST, exchange) is REQUEST
    return exchange


def admitted(one: Quota, count: int) -> int:
    done = 0
    for _ in range(count):
        try:
            admit(one).ended()
        except RateLimited:
            continue
        done += 1
    return done


async def test_spending_that_cannot_be_written_at_the_end_is_told_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: SpendingFile, spent: object) -> NoReturn:
        raise StorageFailed("The disk is full.")

    price = PriceSettings(models=("m",), currency="CNY", cache_hit=1, cache_miss=1, output=1)
    budget = BudgetRule(name="b", amount=1, period="total")
    log = LogCapture()
    one = Quota(
        settings(tmp_path, budgets=(budget,), prices=(price,)),
        structlog.wrap_logger(None, processors=[log], wrapper_class=structlog.make_filtering_bound_logger(0)),
    )
    exchange = admit(one)
    exchange.record.usage = Usage(1000, 0)
    exchange.ended()
    monkeypatch.setattr(SpendingFile, "add", full)
    await one.close()
    (told,) = log.entries
    assert (told["event"], told["log_level"], told["owner"], told["nano"]) == (
        "spending_lost",
        "error",
        "b/1:k",
        1_000_000,
    )


def test_where_nothing_is_set_nothing_is_done(tmp_path: Path) -> None:
    one = quota(settings(tmp_path))
    assert (one.request_stages, one.stream_stages) == ((), ())
    assert not (tmp_path / "quota").exists()


def test_the_first_limit_and_budget_of_a_new_configuration_hold(tmp_path: Path) -> None:
    one = quota(settings(tmp_path))
    one.use(settings(tmp_path, limits=(RULE,), budgets=(BudgetRule(name="b", amount=1),)))
    assert [stage.name for stage in one.request_stages] == ["check_budget", "limit_rates"]
    one.use(settings(tmp_path))
    assert [stage.name for stage in one.request_stages] == ["check_budget"]


async def test_money_is_asked_for_before_anything_is_taken(tmp_path: Path) -> None:
    one = quota(settings(tmp_path, limits=(RULE,), budgets=(BudgetRule(name="b", amount=1),)))
    assert [stage.name for stage in one.request_stages] == ["check_budget", "limit_rates"]
    assert [stage.name for stage in one.stream_stages] == ["meter_output"]
    await one.close()


async def test_keys_may_bring_limits_of_their_own(tmp_path: Path) -> None:
    one = quota(settings(tmp_path, keys=KeySettings(file="keys.jsonl")))
    caller = Caller("k", limits=Allowance(requests_per_minute=1))
    admit(one, caller)
    with pytest.raises(RateLimited):
        admit(one, caller)
    await one.close()


@pytest.mark.parametrize(("processes", "each"), [(1, 6), (2, 3), (3, 2), (9, 1)])
def test_processes_without_redis_keep_their_shares(tmp_path: Path, processes: int, each: int) -> None:
    assert admitted(quota(settings(tmp_path, limits=(RULE,)), processes), 9) == each


def test_new_settings_forget_nothing(tmp_path: Path) -> None:
    before = settings(tmp_path, limits=(RULE,))
    one = quota(before)
    assert admitted(one, 5) == 5
    one.use(msgspec.structs.replace(before, limits=(LimitRule(name="r", requests_per_minute=7),)))
    assert admitted(one, 5) == 2


def test_wrong_prices_leave_the_old_settings(tmp_path: Path) -> None:
    one = quota(settings(tmp_path, limits=(RULE,)))
    price = PriceSettings(models=("m",), currency="CNY", cache_hit=1, cache_miss=1, output=1)
    with pytest.raises(ConfigError, match="stands twice"):
        one.use(settings(tmp_path, prices=(price, price)))
    assert admitted(one, 9) == 6


async def test_spending_is_written_in_the_background_and_at_the_end(tmp_path: Path) -> None:
    price = PriceSettings(models=("m",), currency="CNY", cache_hit=1, cache_miss=1, output=1)
    made = settings(tmp_path, budgets=(BudgetRule(name="b", amount=2),), prices=(price,))
    one = quota(made)
    exchange = admit(one)
    exchange.record.usage = Usage(1_500_000, 500_000)
    exchange.ended()
    working = asyncio.ensure_future(one.run())
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await one.close()
    again = quota(made)
    with pytest.raises(Exception, match="budget b"):
        admit(again)
    assert again.figures().out_of_budget == 1
    await again.close()


def test_every_figure_is_told(tmp_path: Path) -> None:
    one = quota(settings(tmp_path, limits=(RULE,)))
    admitted(one, 8)
    registry = CollectorRegistry()
    registry.register(QuotaCollector(one.figures))
    assert registry.get_sample_value("seekway_quota_refused_total") == 2
    assert registry.get_sample_value("seekway_quota_buckets") == 1
    assert registry.get_sample_value("seekway_quota_shared") == 0


def test_a_redis_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="redis_url"):
        quota(settings(tmp_path, quota=QuotaSettings(redis_url="http://127.0.0.1")))


@pytest.mark.parametrize(("model", "allowed"), [("m", True), ("m@2", True), ("n", False), ("M", False)])
def test_a_key_asks_only_for_its_models(model: str, allowed: bool) -> None:
    request = GenerateRequest("1", model, prompt="p")
    exchange = Exchange(RequestRecord("1"), caller=Caller("k", models=("m",)))
    if allowed:
        assert AllowModels()(request, exchange) is request
    else:
        with pytest.raises(ModelNotFound, match="ask for one of: m"):
            AllowModels()(request, exchange)
    assert AllowModels()(request, Exchange(RequestRecord("1"))) is request
