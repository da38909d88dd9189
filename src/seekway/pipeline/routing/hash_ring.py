"""A consistent hash ring: of the keys only those of a backend that goes move, and each to the next on the ring."""

from __future__ import annotations

from array import array
from bisect import bisect
from collections.abc import Iterator, Mapping
from hashlib import blake2b

POINTS = 48
"""Points on the ring of the heaviest backend: with them the shares of equal ones lie within about a sixth of each other."""

_NUMBER_BITS = 24


class HashRing:
    """A backend of less weight than ``heaviest`` has fewer points. The same names lie at the same places in every process."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.heaviest = max(weights.values())
        self.names: dict[str, None] = {}
        self._numbered: list[str] = []
        # Point and name's number in one whole number: sorting and searching then compare nothing else.
        self._placed: list[int] = []
        self.add(weights)

    def add(self, weights: Mapping[str, float]) -> None:
        """Put those on the ring who are not there yet; none may be heavier than ``heaviest``."""
        for name, weight in weights.items():
            if name in self.names:
                continue
            number = len(self._numbered)
            self.names[name] = None
            self._numbered.append(name)
            most = max(1, round(POINTS * weight / self.heaviest))
            self._placed += [point << _NUMBER_BITS | number for point in _points(name)[:most]]
        # What was sorted before stays a run that the sort only merges into.
        self._placed.sort()

    def walk(self, key: int, most: int) -> Iterator[str]:
        """The names from ``key`` (32 bits) on, at most ``most`` of them; a name may come several times."""
        placed = self._placed
        size = len(placed)
        at = bisect(placed, key << _NUMBER_BITS)
        for step in range(at - size, at - size + min(most, size)):
            yield self._numbered[placed[step] & ((1 << _NUMBER_BITS) - 1)]


def _points(name: str) -> list[int]:
    """32 bits each; a digest holds sixteen."""
    found: list[int] = []
    for number in range(POINTS // 16):
        words = array("I")
        words.frombytes(blake2b(name.encode(), salt=number.to_bytes(2, "big")).digest())
        found += words.tolist()
    return found
