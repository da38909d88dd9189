"""Prompts that begin alike go where the beginning is in the KV cache."""

from __future__ import annotations

from array import array
from collections.abc import Collection

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.hash_ring import HashRing
from seekway.pipeline.routing.least_outstanding import LeastOutstanding
from seekway.pipeline.routing.pool import Choice, E, Pool
from seekway.pipeline.routing.prompt_prefix import prefixes

_STEPS = 16
"""Points of the ring looked at before the least loaded is taken instead."""


class PrefixAffinity:
    """First where the longest known prefix went, then the prefix's home on a hash ring and its successors there, then the least loaded.

    None of the first two is taken with more than ``load_factor`` times the pool's average of outstanding requests, or ``load_slack`` if that is more
    (bounded loads after Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads").
    The ring makes several gateways agree on a home without telling each other; what the memory adds are the prefixes that had to go elsewhere.
    """

    def __init__(self, least: LeastOutstanding, load_factor: float, load_slack: int, remembered: int) -> None:
        self._least = least
        self._factor = load_factor
        self._slack = float(load_slack)
        slots = 1 << (remembered - 1).bit_length()
        self._mask = slots - 1
        # A table of fixed size in which a newer prefix takes an older one's place: nothing to grow and nothing to clean up.
        self._tags = array("I", bytes(4 * slots))
        self._owners: list[str] = [""] * slots
        self._rings: dict[str, HashRing] = {}

    def pick(
        self, pool: Pool[E], request: GenerateRequest, exchange: Exchange, now: float, tried: Collection[str], /
    ) -> Choice[E] | None:
        if pool.size == 1 or not (keys := prefixes(request, pool.seed)):
            return self._least.of_group(pool.group, now, tried)
        bound = self._factor * (pool.load.look() + 1) / pool.total_weight
        if bound < self._slack:
            bound = self._slack
        choice = self._remembered(pool, keys, bound, now, tried) or self._at_home(pool, keys[0], bound, now, tried)
        if choice is None and (choice := self._least.of_group(pool.group, now, tried)) is None:
            return None
        name, mask, tags, owners = choice.endpoint.name, self._mask, self._tags, self._owners
        for key in keys:
            slot = key & mask
            tags[slot] = key
            owners[slot] = name
        return choice

    def _remembered(
        self, pool: Pool[E], keys: list[int], bound: float, now: float, tried: Collection[str]
    ) -> Choice[E] | None:
        mask, tags, owners, by_name = self._mask, self._tags, self._owners, pool.by_name
        refused = None
        for key in reversed(keys):
            slot = key & mask
            if tags[slot] != key or (choice := by_name.get(owners[slot])) is None or choice is refused:
                continue
            if _fits(choice, bound, now, tried):
                return choice
            refused = choice
        return None

    def _at_home(self, pool: Pool[E], key: int, bound: float, now: float, tried: Collection[str]) -> Choice[E] | None:
        ring = pool.ring
        if ring is None:
            ring = pool.ring = self._ring(pool)
        by_name = pool.by_name
        for name in ring.walk(key, _STEPS):
            choice = by_name.get(name)
            if choice is not None and _fits(choice, bound, now, tried):
                return choice
        return None

    def _ring(self, pool: Pool[E]) -> HashRing:
        """The ring the pool's name had before, with whoever is new; those who left keep their places for when they come back, up to as many as are here."""
        ring = self._rings.get(pool.name)
        weights = {choice.endpoint.name: choice.weight for choice in pool.choices}
        if ring is None or ring.heaviest < max(weights.values()) or len(ring.names) > 2 * pool.size:
            ring = self._rings[pool.name] = HashRing(weights)
        else:
            ring.add(weights)
        return ring


def _fits(choice: Choice[E], bound: float, now: float, tried: Collection[str]) -> bool:
    endpoint = choice.endpoint
    return (
        endpoint.outstanding < bound * choice.weight
        and endpoint.available(now)
        and not (tried and endpoint.name in tried)
    )
