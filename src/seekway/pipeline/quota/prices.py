"""What a request costs: prices by model and currency, higher in peak hours."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from seekway.core.allowance import Currency
from seekway.core.errors import ConfigError
from seekway.core.sections.prices import PriceSettings
from seekway.core.types import Usage

NANO = 1_000_000_000
"""Money is counted in whole billionths: sums are exact, and the cheapest token is 3 of them."""

_PER_TOKEN = NANO // 1_000_000


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Published prices, with where and when they were read."""

    source: str
    as_of: str
    prices: tuple[PriceSettings, ...]


def deepseek_prices() -> PriceList:
    """DeepSeek's published prices, as they stand in ``deepseek_prices.toml`` beside this file."""
    text = resources.files("seekway.pipeline.quota").joinpath("deepseek_prices.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), PriceList)


def time_zone(name: str) -> ZoneInfo:
    """Raises ``ConfigError`` when there is no such zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"There is no time zone {name}; write one as Asia/Shanghai.", param="time_zone") from error


class Price:
    """One model's price in one currency. Peak or not is looked up once a minute."""

    __slots__ = ("_days", "_holidays", "_hours", "_minute", "_now", "_peak", "_plain", "_zone")

    def __init__(self, settings: PriceSettings) -> None:
        plain = (settings.cache_hit, settings.cache_miss, settings.output)
        peak = (settings.peak_cache_hit, settings.peak_cache_miss, settings.peak_output)
        self._plain = plain
        self._peak = tuple(p if above is None else above for p, above in zip(plain, peak, strict=True))
        self._hours = tuple(_span(hours) for hours in settings.peak_hours)
        self._days = frozenset(settings.peak_days)
        self._holidays = frozenset(settings.holidays)
        self._zone = time_zone(settings.time_zone)
        self._minute = -1
        self._now = self._plain

    def cost(self, usage: Usage, now: float) -> int:
        """In billionths; ``now`` is Unix time."""
        hit, miss, output = self.at(now)
        cached = usage.cached_tokens
        total = cached * hit + (usage.prompt_tokens - cached) * miss + usage.completion_tokens * output
        return round(total * _PER_TOKEN)

    def at(self, now: float) -> tuple[float, ...]:
        """Of prompt tokens found in the prefix cache, of others, and of the answer's, for a million each."""
        minute = int(now // 60)
        if minute != self._minute:
            self._minute = minute
            self._now = self._peak if self._is_peak(now) else self._plain
        return self._now

    def _is_peak(self, now: float) -> bool:
        there = datetime.fromtimestamp(now, UTC).astimezone(self._zone)
        if there.isoweekday() not in self._days or there.date().isoformat() in self._holidays:
            return False
        minute = there.hour * 60 + there.minute
        return any(first <= minute < end for first, end in self._hours)


class PriceTable:
    """The settings' prices, then DeepSeek's for what they do not name; raises ``ConfigError`` for one that stands twice."""

    def __init__(self, settings: Sequence[PriceSettings], published: Sequence[PriceSettings]) -> None:
        self._prices: dict[tuple[str, Currency], Price] = {}
        own = {model for entry in settings for model in entry.models}
        for entry in settings:
            self._add(entry, entry.models)
        for entry in published:
            self._add(entry, tuple(model for model in entry.models if model not in own))

    def find(self, model: str, currency: Currency) -> Price | None:
        """None where the model costs nothing."""
        return self._prices.get((model, currency))

    def _add(self, entry: PriceSettings, models: tuple[str, ...]) -> None:
        price = Price(entry)
        for model in models:
            if self._prices.setdefault((model, entry.currency), price) is not price:
                raise ConfigError(f"prices: {model} stands twice in {entry.currency}.", param="prices")


def _span(hours: str) -> tuple[int, int]:
    first, end = hours.split("-")
    span = _minutes(first), _minutes(end)
    if span[0] >= span[1]:
        raise ConfigError(f"prices: peak hours {hours} end before they begin; write two spans.", param="peak_hours")
    return span


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
