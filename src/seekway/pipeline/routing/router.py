"""From the name a request asks for to the backends it may go to and how one of them is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Generic

from seekway.core.errors import BackendUnavailable
from seekway.core.sections.routing import RouteSettings, RoutingSettings
from seekway.pipeline.directory import BackendDirectory, Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.routing.pool import Choice, E, Pool
from seekway.pipeline.routing.rules import Rule, Rules
from seekway.pipeline.routing.selection import Selection
from seekway.pipeline.routing.strategies import make_strategies


class Router(Generic[E]):
    """``endpoints`` stand by their members' names; ``rnd`` is what the strategies and percentages draw from.

    Raises ``ConfigError`` for a rule that cannot be followed.
    """

    def __init__(
        self,
        directory: BackendDirectory,
        names: ModelNames,
        endpoints: Mapping[str, E],
        settings: RoutingSettings,
        routes: Sequence[RouteSettings],
        rnd: Random,
    ) -> None:
        self._directory = directory
        self._names = names
        self._endpoints = endpoints
        strategies = make_strategies(settings, rnd)
        self._strategy = strategies[settings.strategy]
        self._rules: Rules[E] = Rules(routes, tuple(endpoints.values()), strategies, settings.region, rnd)
        self._plain: Rule[E] = Rule(order=-1, name="")

    def select(self, asked: str, exchange: Exchange) -> Selection[E] | None:
        """Where a request for ``asked`` may go, at the cost of a few lookups; None while nobody who may serve it is ready: then :meth:`wait`."""
        model = self._names.resolve(asked)
        rule = self._rules.match(asked, model, exchange) or self._plain
        found = self._selection(model, rule)
        if found is None and rule.falls_back:
            found = self.behind(rule.order, asked, exchange)
            if found is not None:
                exchange.fell_back(rule.name)
        return found

    def behind(self, canary: int, asked: str, exchange: Exchange) -> Selection[E] | None:
        """Where a request for ``asked`` goes after all that the rule of order ``canary`` sent to somebody who fails; None while nobody is ready."""
        model = self._names.resolve(asked)
        return self._selection(model, self._rules.behind(canary, asked, model, exchange) or self._plain)

    async def wait(self, asked: str, exchange: Exchange) -> Selection[E]:
        """As :meth:`select`, asking the backends first; raises as :meth:`BackendDirectory.route`."""
        model = self._names.resolve(asked)
        rule = self._rules.match(asked, model, exchange) or self._plain
        if rule.falls_back:
            # Neither it nor what stands behind it is ready; what the client asked for is what it hears about.
            exchange.fell_back(rule.name)
            rule = self._rules.behind(rule.order, asked, model, exchange) or self._plain
        model = (await self._names.route(rule.to_model or asked)).name
        found = self._selection(model, rule)
        if found is None:
            raise BackendUnavailable(
                f"The route {rule.name} allows {', '.join(sorted(rule.allowed or ()))} for the model {model}, and none of them has it ready; "
                "try again shortly.",
                param="model",
                retry_after_s=2,
            )
        return found

    def _selection(self, model: str, rule: Rule[E]) -> Selection[E] | None:
        """What ``rule`` leaves of those who serve ``model``; worked out anew only when the directory has others than before."""
        if rule.to_model is not None:
            model = self._names.resolve(rule.to_model)
        serving = self._directory.serving(model)
        if serving is None or not serving.routes:
            rule.selections.pop(model, None)
            return None
        known = rule.selections.get(model)
        if known is None or known[0] is not serving.routes:
            known = rule.selections[model] = serving.routes, self._made(model, rule, serving.routes)
        return known[1]

    def _made(self, model: str, rule: Rule[E], source: tuple[Route, ...]) -> Selection[E] | None:
        choices = [
            Choice(self._endpoints[route.member.name], route, route.member.weight)
            for route in source
            if rule.allowed is None or route.member.name in rule.allowed
        ]
        if not choices:
            return None
        return Selection(
            Pool(f"{model} by {rule.name}" if rule.name else model, choices),
            rule.strategy or self._strategy,
            rule.name,
            rule.order if rule.falls_back else None,
        )
