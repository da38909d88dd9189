"""The strategies under the names that the settings have for them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import get_args

from seekway.core.sections.routing import RoutingSettings, StrategyName
from seekway.pipeline.routing.cheapest import Cheapest
from seekway.pipeline.routing.least_outstanding import LeastOutstanding
from seekway.pipeline.routing.peak_latency import PeakLatency
from seekway.pipeline.routing.prefix_affinity import PrefixAffinity
from seekway.pipeline.routing.strategy import Strategy
from seekway.pipeline.routing.tiers import Tiers
from seekway.pipeline.routing.weighted import Weighted


def make_strategies(settings: RoutingSettings, rnd: Random) -> Mapping[StrategyName, Strategy]:
    """All of them, once a process: what they remember is shared by the rules that use them."""
    least = LeastOutstanding(rnd)
    found: dict[StrategyName, Strategy] = {}
    for name in get_args(StrategyName):
        found[name] = _made(name, settings, rnd, least)
    return found


def _made(name: StrategyName, settings: RoutingSettings, rnd: Random, least: LeastOutstanding) -> Strategy:
    match name:
        case "weighted":
            return Weighted(rnd)
        case "least_outstanding":
            return least
        case "latency":
            return PeakLatency(rnd, least)
        case "prefix_affinity":
            return PrefixAffinity(least, settings.load_factor, settings.load_slack, settings.remembered_prefixes)
        case "cheapest":
            return Cheapest(least, settings.full_at)
        case "tiers":
            return Tiers(least, settings.full_at)
