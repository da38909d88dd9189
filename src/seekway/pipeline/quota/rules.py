"""Rules become plans: which buckets a request must pass.

A plan is made once for each caller, user and model that come, and forgotten when they stay away; a bucket is kept as long as a plan has it or
something was taken from it. All tidying is done a little at a time while plans are made, so that no request waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from weakref import WeakValueDictionary

import msgspec

from seekway.core.caller import Caller
from seekway.core.sections.limits import LimitRule
from seekway.pipeline.quota.buckets import Bucket, Kind, Plan

_GENERATION_S = 15.0
_MOST_PLANS = 50_000
_PlanKey = tuple[str, str, str]


class LimitBook:
    """``rules`` with the keys' own limits: what a key says takes the place of what rules ``per = ["key"]`` say of the same kind."""

    def __init__(
        self,
        rules: Sequence[LimitRule],
        *,
        clock: Callable[[], float] = time.monotonic,
        most_plans: int = _MOST_PLANS,
    ) -> None:
        self._clock = clock
        self._most = most_plans
        self._buckets: WeakValueDictionary[str, Bucket] = WeakValueDictionary()
        self._taken: dict[str, Bucket] = {}
        self._young: dict[_PlanKey, Plan] = {}
        self._old: dict[_PlanKey, Plan] = {}
        self._dying: dict[_PlanKey, Plan] = {}
        self._turn_at = clock() + _GENERATION_S
        self.use(rules)

    def use(self, rules: Sequence[LimitRule]) -> None:
        """Go by ``rules`` from now on; what was taken from a limit that stays stays taken."""
        self._rules = tuple(rules)
        self._by_user = any("user" in rule.per or rule.users for rule in rules)
        self._by_model = any("model" in rule.per or rule.models for rule in rules)
        for plans in (self._dying, self._old, self._young):
            while plans:
                self._forget(plans.popitem()[1])

    @property
    def counts_tokens(self) -> bool:
        return any(rule.tokens_per_minute is not None for rule in self._rules)

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets)

    def buckets(self) -> tuple[Bucket, ...]:
        return tuple(self._buckets.values())

    def plan(self, caller: Caller, user: str | None, model: str) -> Plan:
        """Requests without a user count as one user's, so that leaving it out is no way around."""
        key = (caller.key_id, user or "" if self._by_user else "", model if self._by_model else "")
        plan = self._young.get(key)
        return plan if plan is not None and plan.caller is caller else self._bring(key, caller)

    def _bring(self, key: _PlanKey, caller: Caller) -> Plan:
        self._tidy()
        plan = known = self._young.pop(key, None) or self._old.pop(key, None) or self._dying.pop(key, None)
        if plan is None or plan.caller is not caller:
            plan = self._make(caller, key[1], key[2])
        self._young[key] = plan
        if known is not None and known is not plan:
            self._forget(known)
        return plan

    def _make(self, caller: Caller, user: str, model: str) -> Plan:
        found: list[Bucket] = []
        for rule in self._rules_of(caller):
            if _matches(rule, caller, user, model):
                # A user is a tenant's: two tenants may both have a user 1.
                named = {
                    "key": caller.key_id,
                    "tenant": caller.tenant,
                    "user": f"{caller.tenant}\n{user}",
                    "model": model,
                }
                place = "".join(f"/{len(value)}:{value}" for value in (named[scope] for scope in rule.per))
                found += (self._bucket(rule, place, *figures) for figures in _figures(rule))
        return Plan(caller, tuple(found))

    def _rules_of(self, caller: Caller) -> Iterator[LimitRule]:
        if caller.limits is None:
            yield from self._rules
            return
        own = {name: value for name in _KINDS if (value := getattr(caller.limits, name)) is not None}
        for rule in self._rules:
            if rule.per == ("key",):
                yield msgspec.structs.replace(rule, **dict.fromkeys(own))
            else:
                yield rule
        yield LimitRule(name="own", **own)

    def _bucket(self, rule: LimitRule, place: str, figure: str, kind: Kind, limit: float, rate: float) -> Bucket:
        bucket_id = f"{rule.name}.{figure}{place}"
        bucket = self._buckets.get(bucket_id)
        if bucket is None:
            bucket = self._buckets[bucket_id] = Bucket(bucket_id, f"{rule.name}.{figure}", kind)
        bucket.set(limit, rate)
        return bucket

    def _tidy(self) -> None:
        now = self._clock()
        if now >= self._turn_at or len(self._young) >= self._most:
            while self._dying:
                self._forget(self._dying.popitem()[1])
            self._dying, self._old, self._young = self._old, self._young, {}
            self._turn_at = now + _GENERATION_S
        for _ in range(min(4, len(self._dying))):
            self._forget(self._dying.popitem()[1])
        for _ in range(min(2, len(self._taken))):
            bucket_id = next(iter(self._taken))
            bucket = self._taken.pop(bucket_id)
            if not bucket.idle(now):
                self._taken[bucket_id] = bucket

    def _forget(self, plan: Plan) -> None:
        now = self._clock()
        self._taken.update((bucket.id, bucket) for bucket in plan.every if not bucket.idle(now))


_KINDS = ("requests_per_second", "requests_per_minute", "tokens_per_minute", "concurrent")


def _figures(rule: LimitRule) -> Iterator[tuple[str, Kind, float, float]]:
    """Name, kind, limit and rate of each figure that the rule has; a request must fit into an unused bucket."""
    if (rate := rule.requests_per_second) is not None:
        yield "requests_per_second", "requests", max(1.0, rate * rule.burst), rate
    if (rate := rule.requests_per_minute) is not None:
        yield "requests_per_minute", "requests", max(1.0, rate * rule.burst), rate / 60
    if (rate := rule.tokens_per_minute) is not None:
        yield "tokens_per_minute", "tokens", max(1.0, rate * rule.burst), rate / 60
    if rule.concurrent is not None:
        yield "concurrent", "concurrent", float(rule.concurrent), 0.0


def _matches(rule: LimitRule, caller: Caller, user: str, model: str) -> bool:
    return (
        (not rule.keys or caller.key_id in rule.keys)
        and (not rule.tenants or caller.tenant in rule.tenants)
        and (not rule.tags or not set(rule.tags).isdisjoint(caller.tags))
        and (not rule.users or user in rule.users)
        and (not rule.models or model in rule.models)
    )
