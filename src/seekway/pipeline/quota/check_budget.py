"""The stage that turns away whoever has spent what he may, and counts what each request cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from seekway.core.allowance import Budget, Period
from seekway.core.caller import Caller
from seekway.core.errors import InsufficientBalance
from seekway.core.sections.limits import BudgetRule
from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.quota.estimate import usage_of
from seekway.pipeline.quota.prices import NANO, Price, PriceTable, time_zone
from seekway.pipeline.quota.purses import Purse, PurseId, Purses

_MOST_PLANS = 50_000


class _Charge(msgspec.Struct, frozen=True, gc=False):
    """One purse that a request is paid from; ``most`` in billionths, ``price`` None where the model costs nothing."""

    purse: Purse
    most: int
    price: Price | None
    name: str
    budget: Budget


class _Charges(msgspec.Struct, frozen=True):
    caller: Caller
    every: tuple[_Charge, ...]
    priced: tuple[_Charge, ...]


class CheckBudget:
    """Raises ``InsufficientBalance`` with the budget's name as ``param``; comes after the model's name is resolved.

    What a request costs is known at its end: those that run when a budget is spent still finish, and may overdraw it.
    A key's own budget takes the place of rules with ``per = ["key"]``. ``clock`` is Unix time.
    """

    name = "check_budget"

    def __init__(
        self,
        rules: Sequence[BudgetRule],
        prices: PriceTable,
        purses: Purses,
        *,
        zone: str = "UTC",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = tuple(rules)
        self._prices = prices
        self._purses = purses
        self._zone = time_zone(zone)
        self._clock = clock
        self._plans: dict[tuple[str, str], _Charges] = {}
        self._periods: dict[Period, str] = {}
        self._since = self._until = 0.0
        self.refused = 0

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        if not exchange.trial:
            self.admit(exchange, request.model)
        return request

    def use(self, rules: Sequence[BudgetRule], prices: PriceTable) -> None:
        """Go by these from now on; what was spent stays spent."""
        self._rules = tuple(rules)
        self._prices = prices
        self._plans.clear()

    def admit(self, exchange: Exchange, model: str) -> None:
        """The same for what is no generation, such as embeddings."""
        if not self._since <= self._clock() < self._until:
            self._begin_day()
        caller, model = exchange.caller, exchange.record.model or model
        charges = self._plans.get((caller.key_id, model))
        if charges is None or charges.caller is not caller:
            charges = self._plan(caller, model)
        for charge in charges.every:
            if charge.purse.spent >= charge.most:
                self.refused += 1
                raise _spent(charge)
        if charges.priced or exchange.behind is not None:
            exchange.on_end(_Bill(self, charges, exchange, model))

    def charge(self, charges: _Charges, exchange: Exchange, model: str) -> None:
        """Pay for an exchange that is over, at the price of the model that answered: ``model`` unless its canary failed."""
        usage = usage_of(exchange)
        if usage is None:
            return
        now = self._clock()
        if exchange.record.fallback and exchange.record.model != model:
            charges = self._plan(exchange.caller, exchange.record.model)
        for charge in charges.priced:
            if charge.price is not None:
                self._purses.spend(charge.purse, charge.price.cost(usage, now))

    def _plan(self, caller: Caller, model: str) -> _Charges:
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        every = tuple(
            self._charge(rule, caller, model) for rule in self._rules_of(caller) if _matches(rule, caller, model)
        )
        charges = _Charges(caller, every, tuple(charge for charge in every if charge.price is not None))
        self._plans[caller.key_id, model] = charges
        return charges

    def _charge(self, rule: BudgetRule, caller: Caller, model: str) -> _Charge:
        named = {"key": caller.key_id, "tenant": caller.tenant, "model": model}
        owner = rule.name + "".join(f"/{len(value)}:{value}" for value in (named[scope] for scope in rule.per))
        purse = self._purses.purse(PurseId(owner, rule.currency, self._periods[rule.period]))
        return _Charge(purse, round(rule.amount * NANO), self._prices.find(model, rule.currency), rule.name, rule)

    def _rules_of(self, caller: Caller) -> Iterator[BudgetRule]:
        own = caller.budget
        for rule in self._rules:
            if own is None or rule.per != ("key",):
                yield rule
        if own is not None:
            yield BudgetRule(name="own", amount=own.amount, currency=own.currency, period=own.period)

    def _begin_day(self) -> None:
        """At start and at each midnight, also one that a clock set back comes to again: the purses of that day and month."""
        there = datetime.fromtimestamp(self._clock(), UTC).astimezone(self._zone)
        day = there.date()
        self._periods = {"day": day.isoformat(), "month": day.isoformat()[:7], "total": "total"}
        midnight = datetime.min.time()
        self._since = datetime.combine(day, midnight, self._zone).timestamp()
        self._until = datetime.combine(day + timedelta(days=1), midnight, self._zone).timestamp()
        self._plans.clear()
        self._purses.begin(tuple(self._periods.values()))


class _Bill:
    __slots__ = ("_charges", "_exchange", "_model", "_stage")

    def __init__(self, stage: CheckBudget, charges: _Charges, exchange: Exchange, model: str) -> None:
        self._stage = stage
        self._charges = charges
        self._model = model
        self._exchange = exchange

    def __call__(self) -> None:
        self._stage.charge(self._charges, self._exchange, self._model)


def _matches(rule: BudgetRule, caller: Caller, model: str) -> bool:
    return (
        (not rule.keys or caller.key_id in rule.keys)
        and (not rule.tenants or caller.tenant in rule.tenants)
        and (not rule.tags or not set(rule.tags).isdisjoint(caller.tags))
        and (not rule.models or model in rule.models)
    )


def _spent(charge: _Charge) -> InsufficientBalance:
    budget = charge.budget
    when = {"day": " for today", "month": " for this month", "total": ""}[budget.period]
    return InsufficientBalance(
        f"The budget {charge.name} of {budget.amount:g} {budget.currency}{when} is spent; ask for a larger one or wait for the next.",
        param=charge.name,
    )
