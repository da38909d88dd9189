"""What one key, tenant, user or model may take: the figures that settings, key files and callers share."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Currency = Literal["CNY", "USD"]
Period = Literal["day", "month", "total"]


class Allowance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Figures that are None set no limit."""

    requests_per_second: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="Requests a second, as a token bucket.")
    ] = None
    requests_per_minute: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="Requests a minute, as a token bucket.")
    ] = None
    tokens_per_minute: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Tokens a minute, prompt and answer together; what is under way is held until it is known."),
    ] = None
    concurrent: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Requests under way at once.")] = None


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Money to spend in a period; ``total`` never starts again."""

    amount: Annotated[float, Meta(ge=0, description="Money to spend a period.")]
    currency: Annotated[Currency, Meta(description="Currency of the amount, and of the prices it is counted with.")] = (
        "CNY"
    )
    period: Annotated[Period, Meta(description="When the amount is there anew; `total` is once and for all.")] = "month"
