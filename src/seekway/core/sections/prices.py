"""What models cost."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from seekway.core.allowance import Currency

Price = Annotated[float, Meta(ge=0)]


class PriceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All prices are for 1,000,000 tokens."""

    models: Annotated[tuple[str, ...], Meta(min_length=1, description="Models by their resolved ids.")]
    currency: Annotated[Currency, Meta(description="Currency of the prices.")]
    cache_hit: Annotated[Price, Meta(description="1,000,000 prompt tokens found in the prefix cache.")]
    cache_miss: Annotated[Price, Meta(description="1,000,000 other prompt tokens.")]
    output: Annotated[Price, Meta(description="1,000,000 tokens of the answer, reasoning among them.")]
    peak_cache_hit: Annotated[Price | None, Meta(description="`cache_hit` in peak hours; unset: the same.")] = None
    peak_cache_miss: Annotated[Price | None, Meta(description="`cache_miss` in peak hours; unset: the same.")] = None
    peak_output: Annotated[Price | None, Meta(description="`output` in peak hours; unset: the same.")] = None
    peak_hours: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")], ...],
        Meta(description="Peak hours such as `09:00-12:00`, the second time not among them."),
    ] = ()
    peak_days: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=7)], ...], Meta(description="Days with peak hours, 1 is Monday.")
    ] = (1, 2, 3, 4, 5, 6, 7)
    holidays: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")], ...],
        Meta(description="Dates without peak hours, such as `2027-01-01`."),
    ] = ()
    time_zone: Annotated[str, Meta(description="Time zone of hours and dates.")] = "UTC"
