"""Money is counted to the billionth, at the price of the hour, and is still spent after a restart."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from seekway.core.allowance import Budget
from seekway.core.caller import Caller
from seekway.core.errors import ConfigError, InsufficientBalance, StorageFailed
from seekway.core.sections.limits import BudgetRule
from seekway.core.sections.prices import PriceSettings
from seekway.core.types import GenerateRequest, TextDelta, Usage
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.quota.check_budget import CheckBudget
from seekway.pipeline.quota.prices import NANO, Price, PriceTable, deepseek_prices
from seekway.pipeline.quota.purses import PurseId, Purses
from seekway.pipeline.quota.spending_file import SpendingFile
from tests.fakes.clock import SteppedClock

CALLER = Caller("k1", "t1")
REQUEST = GenerateRequest("1", "m", prompt="p")
FLAT = PriceSettings(models=("m",), currency="CNY", cache_hit=0.1, cache_miss=1, output=2)
DEEPSEEK = PriceTable((), deepseek_prices().prices)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def beijing(text: str) -> float:
    return datetime.fromisoformat(f"{text}+08:00").timestamp()


class Till:
    """A budget stage over a spending file, opened again at will."""

    def __init__(self, path: Path, *rules: BudgetRule, prices: PriceTable | None = None, zone: str = "UTC") -> None:
        self.clock = SteppedClock(at("2026-11-22 12:00"))
        self.purses = Purses(SpendingFile(path))
        self.stage = CheckBudget(rules, prices or PriceTable([FLAT], ()), self.purses, zone=zone, clock=self.clock)

    def admit(self, caller: Caller = CALLER, request: GenerateRequest = REQUEST) -> Exchange:
        exchange = Exchange(RequestRecord("1"), caller=caller)
        assert self.stage(request, exchange) is request
        return exchange

    def use(self, usage: Usage, caller: Caller = CALLER, request: GenerateRequest = REQUEST) -> None:
        exchange = self.admit(caller, request)
        exchange.record.usage = usage
        exchange.ended()

    def spent(self, caller: Caller = CALLER) -> bool:
        try:
            self.admit(caller)
        except InsufficientBalance:
            return True
        return False


MILLION = Usage(1_000_000, 0)  # 1 CNY
DAILY = BudgetRule(name="daily", amount=2, period="day")


def test_a_spent_budget_lets_nothing_more_through(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    till.use(MILLION)
    assert not till.spent()
    till.use(MILLION)
    with pytest.raises(InsufficientBalance, match="budget daily of 2 CNY for today") as caught:
        till.admit()
    assert (caught.value.status, caught.value.param) == (402, "daily")


def test_running_requests_may_finish_and_are_paid_for(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    running = [till.admit() for _ in range(3)]
    for exchange in running:
        exchange.record.usage = MILLION
        exchange.ended()
    (purse,) = till.purses._open.values()  # pyright: ignore[reportPrivateUsage]
    assert purse.spent == 3 * NANO


@pytest.mark.parametrize(
    ("period", "same", "other"),
    [
        ("day", "2026-11-22 23:59", "2026-11-23 00:00"),
        ("month", "2026-11-30 23:59", "2026-12-01 00:00"),
    ],
)
def test_a_new_period_begins_with_the_whole_budget(tmp_path: Path, period: str, same: str, other: str) -> None:
    till = Till(tmp_path / "s", msgspec.structs.replace(DAILY, period=period))
    till.use(Usage(2_000_000, 0))
    till.clock.now = at(same)
    assert till.spent()
    till.clock.now = at(other)
    assert not till.spent()


def test_a_clock_that_is_set_ahead_and_back_counts_each_day_for_itself(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    broken = Broken(SpendingFile(tmp_path / "s"))
    till.purses = till.stage._purses = Purses(broken)  # pyright: ignore[reportPrivateUsage]
    till.clock.now = at("2026-11-22 23:30")
    till.use(Usage(2_000_000, 0))
    assert till.spent()
    till.clock.now += 3600
    assert not till.spent()
    till.use(MILLION)
    till.clock.now -= 3600
    # Also what is not yet on the disk, which is full.
    assert till.spent()
    till.clock.now += 3600
    assert not till.spent()
    till.use(MILLION)
    assert till.spent()


def test_the_day_begins_where_the_settings_say(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY, zone="Asia/Shanghai")
    till.use(Usage(2_000_000, 0))
    till.clock.now = at("2026-11-22 15:59")
    assert till.spent()
    till.clock.now = at("2026-11-22 16:00")
    assert not till.spent()


def test_a_total_is_once_and_for_all(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", BudgetRule(name="b", amount=1, period="total"))
    till.use(MILLION)
    till.clock.now = at("2036-01-01 00:00")
    assert till.spent()


async def test_what_is_spent_survives_a_restart(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    till.use(MILLION)
    till.use(MILLION)
    await till.purses.close()
    assert Till(tmp_path / "s", DAILY).spent()


async def test_what_was_flushed_survives_a_kill(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    till.use(MILLION)
    till.use(MILLION)
    await till.purses.flush()
    assert Till(tmp_path / "s", DAILY).spent()


async def test_processes_of_one_machine_spend_from_one_purse(tmp_path: Path) -> None:
    one, other = Till(tmp_path / "s", DAILY), Till(tmp_path / "s", DAILY)
    assert not other.spent()
    one.use(MILLION)
    other.use(MILLION)
    await one.purses.flush()
    assert not one.spent()
    await other.purses.flush()
    assert other.spent()
    await one.purses.flush()
    assert one.spent()


class Broken:
    """A full disk, until it is mended."""

    def __init__(self, inner: SpendingFile) -> None:
        self.inner = inner
        self.full = True

    def read(self, periods: Sequence[str]) -> Mapping[PurseId, int]:
        return self.inner.read(periods)

    def add(self, spent: Mapping[PurseId, int]) -> Mapping[PurseId, int]:
        if self.full:
            raise StorageFailed("The disk is full.")
        return self.inner.add(spent)

    def close(self) -> None:
        self.inner.close()


async def test_a_full_disk_loses_no_spending(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    broken = Broken(SpendingFile(tmp_path / "s"))
    till.purses = till.stage._purses = Purses(broken)  # pyright: ignore[reportPrivateUsage]
    till.use(MILLION)
    await till.purses.flush()
    assert (till.purses.failures, till.purses.last_failure) == (1, "The disk is full.")
    till.use(MILLION)
    assert till.spent()
    broken.full = False
    await till.purses.flush()
    assert Till(tmp_path / "s", DAILY).spent()


async def test_a_flush_that_is_cancelled_is_finished(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    till.use(MILLION)
    flushing = asyncio.ensure_future(till.purses.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    await till.purses.close()
    assert list(SpendingFile(tmp_path / "s").read(["2026-11-22"]).values()) == [NANO]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("no database" * 100, "utf-8")
    with pytest.raises(ConfigError, match="cannot be kept"):
        SpendingFile(tmp_path / "s")


def test_the_file_writes_through_to_the_disk(tmp_path: Path) -> None:
    file = SpendingFile(tmp_path / "s")
    db = file._db  # pyright: ignore[reportPrivateUsage]
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert isinstance(db, sqlite3.Connection)
    file.close()


@pytest.mark.parametrize(
    ("rule", "same", "other"),
    [
        (DAILY, Caller("k1", "t2"), Caller("k2", "t1")),
        (msgspec.structs.replace(DAILY, per=("tenant",)), Caller("k2", "t1"), Caller("k1", "t2")),
        (msgspec.structs.replace(DAILY, tenants=("t1",)), CALLER, Caller("k1", "t2")),
    ],
)
def test_each_budget_is_its_owners(tmp_path: Path, rule: BudgetRule, same: Caller, other: Caller) -> None:
    till = Till(tmp_path / "s", rule)
    till.use(Usage(2_000_000, 0))
    assert till.spent(same)
    assert not till.spent(other)


def test_a_keys_own_budget_takes_the_place_of_the_keys_rule(tmp_path: Path) -> None:
    rich, poor = (Caller(f"k{n}", budget=Budget(amount=n)) for n in (9, 1))
    till = Till(tmp_path / "s", DAILY)
    for caller in (rich, poor):
        till.use(Usage(3_000_000, 0), caller)
    assert (till.spent(rich), till.spent(poor)) == (False, True)


def test_an_answer_from_the_cache_and_a_trial_cost_nothing(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    exchange = till.admit()
    exchange.answer, exchange.record.usage = (TextDelta("a"),), Usage(9_000_000, 0)
    exchange.ended()
    assert not till.spent()
    till.use(Usage(2_000_000, 0))
    till.stage(REQUEST, Exchange(RequestRecord("1"), caller=CALLER, trial=True))


def test_a_broken_off_answer_is_paid_as_far_as_it_came(tmp_path: Path) -> None:
    till = Till(tmp_path / "s", DAILY)
    exchange = till.admit()
    exchange.record.error, exchange.record.prompt_estimate, exchange.record.streamed_tokens = (
        "cancelled",
        1_000_000,
        5e5,
    )
    exchange.ended()
    assert till.spent()


@pytest.mark.parametrize(
    ("when", "peak"),
    [
        ("2026-11-23 08:59", False),  # a Monday
        ("2026-11-23 09:00", True),
        ("2026-11-23 11:59", True),
        ("2026-11-23 12:00", False),
        ("2026-11-23 14:00", True),
        ("2026-11-23 17:59:59", True),
        ("2026-11-23 18:00", False),
        ("2026-11-22 10:00", False),  # a Sunday
    ],
)
def test_deepseeks_peak_hours_are_beijings(when: str, peak: bool) -> None:
    price = DEEPSEEK.find("deepseek-v4-pro", "CNY")
    assert price is not None
    usage = Usage(1_500_000, 1_000_000, cached_tokens=500_000)
    assert price.cost(usage, beijing(when)) == round((0.15 / 2 + 4.5 + 13.5) * (2 if peak else 1) * NANO)


def test_every_token_of_the_published_prices_is_a_whole_number() -> None:
    listed = deepseek_prices()
    assert listed.source.startswith("https://api-docs.deepseek.com")
    assert listed.as_of == "2026-11-22"
    for entry in listed.prices:
        price = Price(entry)
        for usage in (Usage(1, 0), Usage(1, 0, cached_tokens=1), Usage(0, 1)):
            one, many = (price.cost(msgspec.structs.replace(usage, **{f: getattr(usage, f) * n for f in ("prompt_tokens", "completion_tokens", "cached_tokens")}), 0.0) for n in (1, 10**6))  # fmt: skip
            assert one * 10**6 == many > 0


def test_holidays_have_no_peak() -> None:
    peak = PriceSettings(
        models=("m",), currency="CNY", cache_hit=1, cache_miss=1, output=1, peak_output=9, peak_hours=("00:00-24:00",),
        holidays=("2027-01-01",), time_zone="Asia/Shanghai",
    )  # fmt: skip
    price = Price(peak)
    assert price.cost(Usage(0, 10**6), beijing("2027-01-01 12:00")) == NANO
    assert price.cost(Usage(0, 10**6), beijing("2027-01-02 12:00")) == 9 * NANO


def test_own_prices_go_before_the_published_ones() -> None:
    own = msgspec.structs.replace(FLAT, models=("deepseek-flash",))
    table = PriceTable([own], deepseek_prices().prices)
    price = table.find("deepseek-flash", "CNY")
    assert price is not None
    assert price.cost(Usage(10**6, 0), 0.0) == NANO
    assert table.find("deepseek-flash", "USD") is None
    assert table.find("deepseek-chat", "USD") is not None
    assert table.find("smollm2:135m", "CNY") is None


@pytest.mark.parametrize(
    "wrong",
    [
        [FLAT, FLAT],
        [msgspec.structs.replace(FLAT, time_zone="Mars/Olympus")],
        [msgspec.structs.replace(FLAT, peak_hours=("22:00-02:00",))],
    ],
)
def test_prices_that_cannot_be_are_refused(wrong: list[PriceSettings]) -> None:
    with pytest.raises(ConfigError):
        PriceTable(wrong, ())
