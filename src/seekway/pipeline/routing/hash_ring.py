"""A consistent hash ring: of the keys only those of a backend that goes move, and each to the next on the ring."""

from __future__ import annotations

from array import array
from bisect import bisect
from collections.abc import Iterator, Mapping
from hashlib import blake2b

POINTS = 48
"""Points on the ring of the heaviest backend: with them the shares of equal ones lie within about a sixth of each other."""


class HashRing:
    """``weights`` by name; a lighter backend has fewer points. The same names lie at the same places in every process."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        most = max(weights.values())
        placed = [
            (point, name)
            for name, weight in weights.items()
            for point in _points(name)[: max(1, round(POINTS * weight / most))]
        ]
        placed.sort()
        self.names = frozenset(weights)
        self._points = [point for point, _ in placed]
        self._names = [name for _, name in placed]

    def walk(self, key: int, most: int) -> Iterator[str]:
        """The names from ``key`` (32 bits) on, at most ``most`` of them; a name may come several times."""
        names = self._names
        at = bisect(self._points, key)
        for step in range(at - len(names), at - len(names) + min(most, len(names))):
            yield names[step]


def _points(name: str) -> list[int]:
    """32 bits each; a digest holds sixteen."""
    found: list[int] = []
    for number in range(POINTS // 16):
        digest = blake2b(name.encode(), salt=number.to_bytes(2, "big")).digest()
        words = array("I")
        words.frombytes(digest)
        found += words.tolist()
    return found
