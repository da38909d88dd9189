"""Aho-Corasick over keys that each stand for one or more things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ahocorasick_rs import AhoCorasick, Implementation


class Automaton:
    """Finds every occurrence of every key, overlapping ones too; ``meanings[k]`` is what key ``k`` stands for."""

    def __init__(self, keys: Mapping[str, tuple[int, ...]], *, quick_to_build: bool = False) -> None:
        self.meanings = list(keys.values())
        # The contiguous form builds in half the time of the one that the library chooses, and scans as fast;
        # the other one builds faster still, where keys are long, and scans half as fast.
        form = Implementation.NoncontiguousNFA if quick_to_build else Implementation.ContiguousNFA
        self._automaton = AhoCorasick(keys, implementation=form) if keys else None

    def __bool__(self) -> bool:
        return self._automaton is not None

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Tuples of key, start and end."""
        return self._automaton.find_matches_as_indexes(text, overlapping=True) if self._automaton is not None else []


class Prefixes:
    """Proper prefixes of keys, for the question whether the end of a text may still become one."""

    def __init__(self, keys: Iterable[str], *, whole: Iterable[str] = ()) -> None:
        found: set[str] = set()
        grams: set[str] = set()
        longest: dict[str, int] = {}
        left = [key for key in keys if len(key) > 1]
        size = 0
        while left:  # by length rather than by key, which is twice as fast
            size += 1
            found.update([key[:size] for key in left])
            grams.update([key[size - 2 : size] for key in left])
            longest.update(dict.fromkeys([key[0] for key in left], size))
            left = [key for key in left if len(key) > size + 1]
        for key in whole:
            found.add(key)
            longest[key[0]] = max(longest.get(key[0], 0), len(key))
            grams.update([key[k : k + 2] for k in range(len(key) - 1)])
        self.found = found
        self._grams, self._longest = grams, longest
        self.most = max(longest.values(), default=0)

    def __contains__(self, letters: str) -> bool:
        return letters in self.found

    def has_inside(self, pair: str) -> bool:
        """Whether two letters stand beside each other in any of the prefixes."""
        return pair in self._grams

    def starts(self, letters: str) -> list[int]:
        """Where the suffixes of ``letters`` begin that are such a prefix, the shortest first."""
        size = len(letters)
        result: list[int] = []
        found, grams, longest = self.found, self._grams, self._longest
        for k in range(size - 1, max(size - self.most, 0) - 1, -1):
            if k + 1 < size and letters[k : k + 2] not in grams:
                break
            if longest.get(letters[k], 0) >= size - k and letters[k:] in found:
                result.append(k)
        return result
