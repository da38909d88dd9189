"""Other servers that the gateway sends requests to."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

OWN_BACKEND = "model-service"
"""The name of our own model service among the backends; it has weight 1, tier 0, cost 1, no tags and the gateway's region."""


class BackendSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, description="Name in logs and metrics.")]
    base_url: Annotated[
        str, Meta(description="Address up to and without `/chat/completions`, e.g. `https://api.deepseek.com`.")
    ]
    models: Annotated[
        tuple[str, ...], Meta(description="Models to serve from it; empty: whatever its `/models` lists.")
    ] = ()
    api_key_env: Annotated[str | None, Meta(description="Environment variable that holds the key.")] = None
    api_key_file: Annotated[str | None, Meta(description="File that holds the key.")] = None
    kind: Annotated[
        Literal["openai", "deepseek"],
        Meta(
            description="`deepseek` knows its beta address and extra fields; `openai` is any other compatible server."
        ),
    ] = "openai"
    connect_timeout_s: Annotated[float, Meta(gt=0, description="Longest time to connect.")] = 5.0
    idle_timeout_s: Annotated[float, Meta(gt=0, description="Longest silence before the backend counts as dead.")] = (
        120.0
    )
    max_connections: Annotated[int, Meta(ge=1, description="Most connections at once.")] = 256
    weight: Annotated[
        float,
        Meta(
            gt=0,
            le=1e6,
            description="Share of the requests beside others that serve the same model, and of what it may hold at once.",
        ),
    ] = 1.0
    tier: Annotated[
        int,
        Meta(
            ge=0,
            description="With the strategy `tiers`: 0 is used first, a higher one when those below are full or away.",
        ),
    ] = 0
    region: Annotated[str, Meta(description="Where it stands; `[[routes]]` choose by it.")] = ""
    tags: Annotated[tuple[str, ...], Meta(description="Any words; `[[routes]]` choose by them.")] = ()
    cost: Annotated[
        float,
        Meta(
            ge=0,
            le=1e9,
            description="Price relative to the others, for the strategy `cheapest`; our own model service is 1.",
        ),
    ] = 1.0
