"""Which policy a request comes under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seekway.core.sections.guardrails import PolicySettings
from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.review.policy import Policy

APP_HEADER = b"x-seekway-app"


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """``for_tenants`` are the policy with the lists of those tenants that have their own, ``policy`` is everybody else's."""

    settings: PolicySettings
    policy: Policy
    for_tenants: dict[str, Policy]

    def of(self, tenant: str) -> Policy:
        return self.for_tenants.get(tenant, self.policy) if self.for_tenants else self.policy


class PolicyBook:
    """``entries`` in order; the last one has no condition."""

    def __init__(self, entries: Sequence[PolicyEntry]) -> None:
        self._entries = tuple(entries)
        self._last = self._entries[-1]

    @property
    def entries(self) -> tuple[PolicyEntry, ...]:
        return self._entries

    def match(self, request: GenerateRequest, exchange: Exchange) -> Policy:
        tenant = exchange.caller.tenant
        for entry in self._entries[:-1]:
            if _fits(entry.settings, request, exchange):
                return entry.of(tenant)
        return self._last.of(tenant)


def _fits(policy: PolicySettings, request: GenerateRequest, exchange: Exchange) -> bool:
    caller = exchange.caller
    if policy.tenants and caller.tenant not in policy.tenants:
        return False
    if policy.tags and not any(tag in policy.tags for tag in caller.tags):
        return False
    if policy.apps and exchange.headers.get(APP_HEADER) not in policy.apps:
        return False
    if policy.routes and (exchange.selection is None or exchange.selection.rule not in policy.routes):
        return False
    if not policy.models:
        return True
    route = exchange.route
    return request.model in policy.models or (
        route is not None and (route.model.id in policy.models or route.name in policy.models)
    )
