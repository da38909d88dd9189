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
    if plan.requests:
        bucket = _tightest(plan.requests)
        left, full_in = bucket.limit - bucket.level, bucket.level / bucket.rate
        headers = (
            bucket.limit_header,
            (b"x-ratelimit-remaining-requests", b"%d" % (left if left > 0.0 else 0.0)),
            (b"x-ratelimit-reset-requests", _duration(full_in)),
        )
        if not plan.tokens:
            return headers
    elif plan.tokens:
        headers = ()
    else:
        return ()
    bucket = _tightest(plan.tokens)
    taken = bucket.level + bucket.held
    left = bucket.limit - taken
    return (
        *headers,
        bucket.limit_header,
        (b"x-ratelimit-remaining-tokens", b"%d" % (left if left > 0.0 else 0.0)),
        (b"x-ratelimit-reset-tokens", _duration(taken / bucket.rate)),
    )


def _tightest(buckets: tuple[Bucket, ...]) -> Bucket:
    found = buckets[0]
    if len(buckets) > 1:
        left = found.limit - found.level - found.held
        for bucket in buckets:
            other = bucket.limit - bucket.level - bucket.held
            if other < left:
                found, left = bucket, other
    return found


def _duration(seconds: float) -> bytes:
    """As Go writes it, which OpenAI's clients parse: ``20ms``, ``8.64s``, ``6m0s``."""
    if seconds < 1.0:
        return b"%dms" % math.ceil(seconds * 1000)
    if seconds < 60.0:
        return b"%gs" % (math.ceil(seconds * 100) / 100)
    whole = math.ceil(seconds)
    return b"%dm%ds" % (whole // 60, whole % 60)


def _spans(bucket: Bucket) -> float:
    """From the most at once to the figure in the rule: the burst's share undone."""
    if bucket.rate == 0.0:
        return 1.0
    span = 1.0 if bucket.name.endswith("second") else 60.0
    return bucket.rate * span / bucket.limit
