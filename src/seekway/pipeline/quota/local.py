"""Limits counted in this process."""

from __future__ import annotations

import time
from collections.abc import Callable

from seekway.pipeline.quota.buckets import Bucket, Plan
from seekway.pipeline.quota.refusal import SLOT_WAIT_S, refused, too_large


class LocalQuota:
    """Checks all buckets, then takes from all; in one thread, without waiting, so that nothing comes between.

    ``weight`` is how many gateways share the limits when nobody else counts: every request then weighs that many, so that together
    they keep the limit. A limit smaller than that many still lets one request through at a time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.weight = 1
        self.refused = 0

    def admit(self, plan: Plan, tokens: int) -> None:
        now, weight = self._clock(), self.weight
        worst: Bucket | None = None
        wait = 0.0
        for bucket in plan.requests:
            # As Bucket.leak, without its call: this is every request's way.
            level = bucket.level - (now - bucket.at) * bucket.rate
            if level < 0.0:
                level = 0.0
            bucket.level = level
            bucket.at = now
            level += weight if weight < bucket.limit else bucket.limit
            if level > bucket.most and (delay := (level - bucket.limit) / bucket.rate) >= wait:
                wait, worst = delay, bucket
        for bucket in plan.tokens:
            level = bucket.level - (now - bucket.at) * bucket.rate
            if level < 0.0:
                level = 0.0
            bucket.level = level
            bucket.at = now
            need = (bucket.held + tokens) * weight
            if level + need > bucket.most and (delay := self._tokens_wait(bucket, tokens, level, need)) >= wait:
                wait, worst = delay, bucket
        for bucket in plan.slots:
            if bucket.held and (bucket.held + 1) * weight > bucket.most and wait <= SLOT_WAIT_S:
                wait, worst = SLOT_WAIT_S, bucket
        if worst is not None:
            self.refused += 1
            raise refused(worst, wait)
        for bucket in plan.requests:
            bucket.level += weight if weight < bucket.limit else bucket.limit
        for bucket in plan.tokens:
            bucket.held += tokens
        for bucket in plan.slots:
            bucket.held += 1

    def settle(self, plan: Plan, held: int, used: int) -> None:
        if plan.tokens:
            now = self._clock()
            for bucket in plan.tokens:
                bucket.leak(now)
                bucket.level += used * self.weight
                bucket.held -= held
        for bucket in plan.slots:
            bucket.held -= 1

    def _tokens_wait(self, bucket: Bucket, tokens: int, level: float, need: float) -> float:
        """Seconds until it fits if what is under way takes what was held for it; 0 when it fits after all."""
        if tokens > bucket.most:
            self.refused += 1
            raise too_large(bucket, tokens)
        if not bucket.held and tokens * self.weight > bucket.limit:
            # More than this gateway's share ever holds: one at a time, when the share is whole.
            return level / bucket.rate if level > 0.0 else -1.0
        return (level + need - bucket.limit) / bucket.rate
