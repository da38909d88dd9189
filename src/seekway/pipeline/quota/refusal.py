"""How a limit is told to a client: OpenAI's ``x-ratelimit-*`` headers, and the refusal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seekway.core.errors import RateLimited
from seekway.pipeline.quota.buckets import Bucket, Plan

SLOT_WAIT_S = 1.0
"""When a running request ends nobody knows; a second is short for a person and long for a loop."""

_UNITS = {
    "requests_per_second": "requests a second",
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "concurrent": "requests at once",
}


def refused(bucket: Bucket, wait_s: float) -> RateLimited:
    """``wait_s`` is after how long every bucket of the plan has room, as far as is known now."""
    rule, _, figure = bucket.name.rpartition(".")
    figures = bucket.limit * _spans(bucket)
    return RateLimited(
        f"The limit {rule} of {figures:g} {_UNITS[figure]} is reached; try again in {max(wait_s, 0.001):.3f} s.",
        param=bucket.name,
        retry_after_s=wait_s,
    )


def too_large(bucket: Bucket, tokens: int) -> RateLimited:
    """No waiting helps: the prompt alone is more than the limit ever lets through."""
    rule, _, _ = bucket.name.rpartition(".")
    return RateLimited(
        f"This request takes about {tokens} tokens and the limit {rule} lets at most {bucket.limit:g} through at once; send a shorter one.",
        param=bucket.name,
    )


def rate_headers(plan: Plan) -> Sequence[tuple[bytes, bytes]]:
    """Limit, remaining and reset of the tightest limit of requests and of tokens; reset is when it is whole again."""
    headers = _headers(_tightest(plan.requests)) if plan.requests else ()
    return (*headers, *_headers(_tightest(plan.tokens))) if plan.tokens else headers


def _headers(bucket: Bucket) -> Sequence[tuple[bytes, bytes]]:
    """Written anew only where a figure is another than last time, which it seldom is where there is much room."""
    taken = bucket.level + bucket.held
    left = int(bucket.limit - taken)
    full_ms = math.ceil(taken / bucket.rate * 1000)
    if left != bucket.told_left or full_ms != bucket.told_full_ms:
        bucket.told_left, bucket.told_full_ms = left, full_ms
        bucket.told = (
            bucket.limit_header,
            (bucket.left_name, b"%d" % (left if left > 0 else 0)),
            (bucket.full_name, _duration(full_ms)),
        )
    return bucket.told


def _tightest(buckets: tuple[Bucket, ...]) -> Bucket:
    found = buckets[0]
    if len(buckets) > 1:
        left = found.limit - found.level - found.held
        for bucket in buckets:
            other = bucket.limit - bucket.level - bucket.held
            if other < left:
                found, left = bucket, other
    return found


def _duration(ms: int) -> bytes:
    """As Go writes it, which OpenAI's clients parse: ``20ms``, ``8.64s``, ``6m0s``."""
    if ms < 1000:
        return b"%dms" % ms
    if ms < 60_000:
        return b"%gs" % (math.ceil(ms / 10) / 100)
    whole = math.ceil(ms / 1000)
    return b"%dm%ds" % (whole // 60, whole % 60)


def _spans(bucket: Bucket) -> float:
    """From the most at once to the figure in the rule: the burst's share undone."""
    if bucket.rate == 0.0:
        return 1.0
    span = 1.0 if bucket.name.endswith("second") else 60.0
    return bucket.rate * span / bucket.limit
