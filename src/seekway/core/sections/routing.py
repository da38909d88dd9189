"""How a backend is chosen among those that serve a model, and the rules that send some requests elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError

StrategyName = Literal["weighted", "least_outstanding", "latency", "prefix_affinity", "cheapest", "tiers"]


class RoutingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    strategy: Annotated[
        StrategyName,
        Meta(
            description="How one is chosen of several backends that serve the model: `weighted` at random by weight; `least_outstanding`; "
            "`latency` by time and outstanding requests, of two at random; `prefix_affinity` where the same beginning of a prompt went before; "
            "`cheapest` that is not full; `tiers` in their order, the next one while the one before is full or away."
        ),
    ] = "least_outstanding"
    region: Annotated[
        str,
        Meta(
            description="Region of this gateway and of its own model service; a request's header `x-seekway-region` goes before it."
        ),
    ] = ""
    full_at: Annotated[
        int,
        Meta(
            ge=1,
            description="Outstanding requests, times its weight, with which a backend is full for `cheapest` and `tiers`.",
        ),
    ] = 64
    load_factor: Annotated[
        float,
        Meta(
            gt=1,
            le=100,
            description="`prefix_affinity`: how far above the average load a backend may go before a prefix goes to another.",
        ),
    ] = 1.25
    load_slack: Annotated[
        int,
        Meta(ge=1, description="`prefix_affinity`: outstanding requests that a backend may have whatever the average."),
    ] = 8
    remembered_prefixes: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 24,
            description="`prefix_affinity`: prefixes whose backend is remembered, rounded up to a power of two; 12 bytes each.",
        ),
    ] = 65536


class RouteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule. All conditions given must hold, and of each condition's values one; the first rule that fits is taken."""

    name: Annotated[str, Meta(min_length=1, description="Name in errors and logs.")]
    when_model: Annotated[tuple[str, ...], Meta(description="Models, by the name asked for or the one it means.")] = ()
    when_alias: Annotated[tuple[str, ...], Meta(description="Names exactly as the client asks for them.")] = ()
    when_tenant: Annotated[tuple[str, ...], Meta(description="Tenants of the caller's key.")] = ()
    when_tag: Annotated[tuple[str, ...], Meta(description="Tags of the caller's key.")] = ()
    when_header: Annotated[
        dict[str, str],
        Meta(description="Request headers and the values they must have, all of them; `*` is any value."),
    ] = {}
    when_region: Annotated[
        tuple[str, ...],
        Meta(description="The request's region: its header `x-seekway-region`, else `[routing] region`."),
    ] = ()
    percent: Annotated[
        float, Meta(gt=0, le=100, description="Share of the requests that fit; the others go on to the next rule.")
    ] = 100.0
    strategy: Annotated[StrategyName | None, Meta(description="Strategy in place of `[routing] strategy`.")] = None
    to_model: Annotated[str | None, Meta(description="Model to ask in place of the one asked for.")] = None
    to_backends: Annotated[tuple[str, ...], Meta(description="Only these backends.")] = ()
    to_tags: Annotated[tuple[str, ...], Meta(description="Only backends with one of these tags.")] = ()
    to_regions: Annotated[tuple[str, ...], Meta(description="Only backends in one of these regions.")] = ()
    fall_back: Annotated[
        bool | None,
        Meta(
            description="Whether a request that nobody here can answer goes, before its first token, to where it would have gone without this rule; "
            "unset: where `percent` makes the rule a canary, so that a rule without it confines."
        ),
    ] = None
    hedge: Annotated[bool | None, Meta(description="`resilience.hedge` for these requests.")] = None
    continue_streams: Annotated[
        Literal["off", "known", "any"] | None, Meta(description="`resilience.continue_streams` for these requests.")
    ] = None


class Place(Protocol):
    """A backend as rules choose it."""

    @property
    def name(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def tags(self) -> tuple[str, ...]: ...


class OwnPlace(msgspec.Struct, frozen=True):
    """Our own model service as rules choose it."""

    name: str
    region: str
    tags: tuple[str, ...] = ()


def check_routes(routes: Sequence[RouteSettings], backends: Sequence[Place]) -> None:
    """Raises ``ConfigError`` with the rule and the field when a rule does nothing, stands twice or names a backend, tag or region there is not."""
    known = (
        ("to_backends", "backend", {backend.name for backend in backends}),
        ("to_tags", "backend with the tag", {tag for backend in backends for tag in backend.tags}),
        ("to_regions", "backend in the region", {backend.region for backend in backends}),
    )
    seen: set[str] = set()
    for rule in routes:
        if rule.name in seen:
            raise _refused(rule, "name", "stands twice; give each rule a name of its own.")
        seen.add(rule.name)
        chosen_here = (rule.strategy, rule.to_model, rule.to_backends, rule.to_tags, rule.to_regions)
        if not any(chosen_here) and rule.hedge is None and rule.continue_streams is None:
            raise _refused(
                rule,
                "strategy",
                "is not set and neither is any to_ field, hedge or continue_streams; say what the rule does.",
            )
        chosen = {"to_backends": rule.to_backends, "to_tags": rule.to_tags, "to_regions": rule.to_regions}
        for field, what, there in known:
            for value in chosen[field]:
                if value not in there:
                    names = ", ".join(sorted(there - {""})) or "none"
                    raise _refused(rule, field, f"there is no {what} {value!r}; there is: {names}.")
        for header in rule.when_header:
            if not header.isascii() or not header.strip() or ":" in header:
                raise _refused(rule, "when_header", f"{header!r} is no name of a header.")


def _refused(rule: RouteSettings, field: str, why: str) -> ConfigError:
    return ConfigError(f"routes: {rule.name}: {field}: {why}", param=f"routes.{rule.name}.{field}")
