"""Limits, budgets, and where their state lies."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from seekway.core.allowance import Allowance, Budget

Scope = Literal["key", "tenant", "user", "model"]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]


class LimitRule(Allowance, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One count for each different value of ``per`` among the requests that match; every list that is empty matches all."""

    name: Annotated[Name, Meta(description="Name in refusals and metrics.")]
    per: Annotated[
        tuple[Scope, ...],
        Meta(
            description="What is counted apart: each key, tenant, user (of a tenant), model, or each combination; empty: all together. Requests that name no user count as one user's."
        ),
    ] = ("key",)
    keys: Annotated[tuple[str, ...], Meta(description="Ids of keys it holds for; empty: all.")] = ()
    tenants: Annotated[tuple[str, ...], Meta(description="Tenants it holds for; empty: all.")] = ()
    tags: Annotated[tuple[str, ...], Meta(description="It holds for keys with one of these tags; empty: all.")] = ()
    users: Annotated[tuple[str, ...], Meta(description="User ids it holds for; empty: all.")] = ()
    models: Annotated[tuple[str, ...], Meta(description="Models it holds for, by their resolved ids; empty: all.")] = ()
    burst: Annotated[
        float, Meta(gt=0, le=1, description="Share of a rate that may come at once after a pause; 1 is all of it.")
    ] = 1.0


class BudgetRule(Budget, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[Name, Meta(description="Name in refusals; what was spent is kept under it.")]
    per: Annotated[
        tuple[Literal["key", "tenant", "model"], ...],
        Meta(description="Whose money it is: each key's, tenant's, model's or combination's; empty: all together."),
    ] = ("key",)
    keys: Annotated[tuple[str, ...], Meta(description="Ids of keys it holds for; empty: all.")] = ()
    tenants: Annotated[tuple[str, ...], Meta(description="Tenants it holds for; empty: all.")] = ()
    tags: Annotated[tuple[str, ...], Meta(description="It holds for keys with one of these tags; empty: all.")] = ()
    models: Annotated[tuple[str, ...], Meta(description="Models it holds for, by their resolved ids; empty: all.")] = ()


class QuotaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    directory: Annotated[str, Meta(description="Where what was spent is kept.")] = "~/.local/share/seekway/quota"
    time_zone: Annotated[str, Meta(description="Time zone whose midnight begins a budget's day and month.")] = "UTC"
    reserve_output_tokens: Annotated[
        int,
        Meta(
            ge=0,
            description="Most output tokens held for a request before it is known how many it takes; a request with a lower `max_tokens` holds that.",
        ),
    ] = 512
    headers: Annotated[bool, Meta(description="Send `x-ratelimit-*` headers, as OpenAI does.")] = True
    redis_url: Annotated[
        str | None,
        Meta(
            description="Redis that makes limits exact across workers and nodes, e.g. `redis://127.0.0.1:6379/0`; unset: each process counts alone."
        ),
    ] = None
    redis_password_env: Annotated[str | None, Meta(description="Environment variable that holds Redis' password.")] = (
        None
    )
    redis_timeout_s: Annotated[
        float, Meta(gt=0, description="Longest wait for Redis; then this gateway goes on with its share alone.")
    ] = 0.1
    redis_prefix: Annotated[str, Meta(description="Begins the name of every key in Redis.")] = "seekway"
