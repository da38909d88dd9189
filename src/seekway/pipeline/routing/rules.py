"""The operator's rules, worked out once so that a request to which none applies pays next to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic

from seekway.core.sections.routing import RouteSettings, StrategyName, check_routes
from seekway.pipeline.directory import Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.pool import E, EndpointView
from seekway.pipeline.routing.selection import Selection
from seekway.pipeline.routing.strategy import Strategy

REGION_HEADER = b"x-seekway-region"
_ANY = "*"


@dataclass(slots=True, eq=False)
class Rule(Generic[E]):
    """One rule at its place in the order. Empty conditions hold always; ``allowed`` are the backends it leaves, None for all.

    ``selections`` are what it leaves of each model's routes, with those routes; None where it leaves none.
    """

    order: int
    name: str
    names: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    headers: tuple[tuple[bytes, str], ...] = ()
    regions: frozenset[str] = frozenset()
    share: float = 1.0
    strategy: Strategy | None = None
    to_model: str | None = None
    allowed: frozenset[str] | None = None
    falls_back: bool = False
    """Its requests go on by the next rule that does not, when nobody it leaves can answer."""
    selections: dict[str, tuple[tuple[Route, ...], Selection[E] | None]] = field(
        default_factory=dict[str, tuple[tuple[Route, ...], Selection[E] | None]]
    )


class Rules(Generic[E]):
    """Each rule lies under the values of its first condition (alias, model, tenant, tag, header); those with none of these are tried for every request.

    ``region`` is that of requests that name none. ``rnd`` draws for rules with a percentage.
    Raises ``ConfigError`` as :func:`seekway.core.sections.routing.check_routes`.
    """

    def __init__(
        self,
        routes: Sequence[RouteSettings],
        endpoints: Sequence[EndpointView],
        strategies: Mapping[StrategyName, Strategy],
        region: str,
        rnd: Random,
    ) -> None:
        check_routes(routes, endpoints)
        self._region = region
        self._random = rnd.random
        self._by_name: dict[str, list[Rule[E]]] = {}
        self._by_tenant: dict[str, list[Rule[E]]] = {}
        self._by_tag: dict[str, list[Rule[E]]] = {}
        self._by_header: dict[bytes, list[Rule[E]]] = {}
        self._always: list[Rule[E]] = []
        for order, route in enumerate(routes):
            self._place(_compiled(order, route, endpoints, strategies))
        self._by_names_only = not (self._by_tag or self._by_header or self._always)

    def match(self, asked: str, model: str, exchange: Exchange) -> Rule[E] | None:
        """The first rule that fits a request for ``asked``, which means ``model``; None where none does."""
        names = self._by_name
        if (
            self._by_names_only
            and model not in names
            and asked not in names
            and exchange.caller.tenant not in self._by_tenant
        ):
            return None
        found = self._found(asked, model, exchange)
        return self._first(found, asked, model, exchange) if found else None

    def behind(self, canary: int, asked: str, model: str, exchange: Exchange) -> Rule[E] | None:
        """The rule for a request that the rule of order ``canary`` has failed: the first behind it that is no canary itself."""
        found = [
            rule
            for rule in self._found(asked, model, exchange)
            if rule.order > canary and not rule.falls_back and rule.share >= 1.0
        ]
        return self._first(found, asked, model, exchange)

    def _found(self, asked: str, model: str, exchange: Exchange) -> list[Rule[E]]:
        """The rules under any of the request's values, with those that lie under none."""
        found = self._always
        for index, value in ((self._by_name, asked), (self._by_name, model), (self._by_tenant, exchange.caller.tenant)):
            if value in index:
                found = found + index[value]
        if self._by_tag:
            for tag in exchange.caller.tags:
                if tag in self._by_tag:
                    found = found + self._by_tag[tag]
        for name, rules in self._by_header.items():
            if exchange.headers.get(name) is not None:
                found = found + rules
        return found

    def _first(self, found: list[Rule[E]], asked: str, model: str, exchange: Exchange) -> Rule[E] | None:
        if len(found) > 1:
            found = sorted(found, key=_order)
        last: Rule[E] | None = None
        for rule in found:
            # A rule may lie under two of the request's values; its percentage is drawn once.
            if rule is not last and self._fits(rule, asked, model, exchange):
                return rule
            last = rule
        return None

    def _fits(self, rule: Rule[E], asked: str, model: str, exchange: Exchange) -> bool:
        caller = exchange.caller
        if rule.aliases and asked not in rule.aliases:
            return False
        if rule.names and model not in rule.names and asked not in rule.names:
            return False
        if rule.tenants and caller.tenant not in rule.tenants:
            return False
        if rule.tags and rule.tags.isdisjoint(caller.tags):
            return False
        for name, wanted in rule.headers:
            value = exchange.headers.get(name)
            if value is None or (wanted != _ANY and value != wanted):
                return False
        if rule.regions and (exchange.headers.get(REGION_HEADER) or self._region) not in rule.regions:
            return False
        return rule.share >= 1.0 or self._random() < rule.share

    def _place(self, rule: Rule[E]) -> None:
        for values, index in (
            (rule.aliases, self._by_name),
            (rule.names, self._by_name),
            (rule.tenants, self._by_tenant),
            (rule.tags, self._by_tag),
        ):
            if values:
                for value in values:
                    index.setdefault(value, []).append(rule)
                return
        if rule.headers:
            self._by_header.setdefault(rule.headers[0][0], []).append(rule)
        else:
            self._always.append(rule)


def _compiled(
    order: int, route: RouteSettings, endpoints: Sequence[EndpointView], strategies: Mapping[StrategyName, Strategy]
) -> Rule[E]:
    allowed: frozenset[str] | None = None
    if route.to_backends or route.to_tags or route.to_regions:
        allowed = frozenset(
            endpoint.name
            for endpoint in endpoints
            if (not route.to_backends or endpoint.name in route.to_backends)
            and (not route.to_tags or not set(endpoint.tags).isdisjoint(route.to_tags))
            and (not route.to_regions or endpoint.region in route.to_regions)
        )
    elsewhere = route.to_model is not None or allowed is not None
    return Rule(
        order=order,
        name=route.name,
        names=frozenset(route.when_model),
        aliases=frozenset(route.when_alias),
        tenants=frozenset(route.when_tenant),
        tags=frozenset(route.when_tag),
        headers=tuple((name.strip().lower().encode("ascii"), value) for name, value in route.when_header.items()),
        regions=frozenset(route.when_region),
        share=route.percent / 100.0,
        strategy=None if route.strategy is None else strategies[route.strategy],
        to_model=route.to_model,
        allowed=allowed,
        falls_back=elsewhere and (route.percent < 100.0 if route.fall_back is None else route.fall_back),
    )


def _order(rule: Rule[E]) -> int:
    return rule.order
