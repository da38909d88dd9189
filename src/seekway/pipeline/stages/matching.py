"""Which rule of the settings a request comes under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from seekway.core.sections.processing import Match
from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange

APP_HEADER = b"x-seekway-app"

MadeT = TypeVar("MadeT")


def first_match(rules: Sequence[tuple[Match, MadeT]], request: GenerateRequest, exchange: Exchange) -> MadeT | None:
    """What stands beside the first rule that matches, or None."""
    for match, made in rules:
        if matches(match, request, exchange):
            return made
    return None


def matches(match: Match, request: GenerateRequest, exchange: Exchange) -> bool:
    caller = exchange.caller
    if match.tenants and caller.tenant not in match.tenants:
        return False
    if match.tags and not any(tag in match.tags for tag in caller.tags):
        return False
    if match.models and not _is_model(match.models, request, exchange):
        return False
    return not match.apps or exchange.headers.get(APP_HEADER) in match.apps


def _is_model(models: Sequence[str], request: GenerateRequest, exchange: Exchange) -> bool:
    route = exchange.route
    return request.model in models or (route is not None and (route.model.id in models or route.name in models))
