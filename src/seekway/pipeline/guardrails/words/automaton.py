"""Aho-Corasick over keys that each stand for one or more things."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from typing import Final

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation

SHORT: Final = 4
"""So many letters of a key say mostly which it is."""


class Automaton:
    """Finds every occurrence of every key, overlapping ones too; ``meanings[k]`` is what key ``k`` stands for."""

    def __init__(self, keys: Mapping[str, tuple[int, ...]]) -> None:
        self.meanings = list(keys.values())
        # This form builds in half the time of the one that the library chooses, and scans as fast.
        self._automaton = AhoCorasick(keys, implementation=Implementation.ContiguousNFA) if keys else None

    def __bool__(self) -> bool:
        return self._automaton is not None

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Tuples of key, start and end."""
        return self._automaton.find_matches_as_indexes(text, overlapping=True) if self._automaton is not None else []


class AsciiAutomaton:
    """An :class:`Automaton` whose keys are in ASCII: over bytes a look costs a quarter less. No key has a question mark."""

    def __init__(self, keys: Mapping[str, tuple[int, ...]]) -> None:
        self.meanings = list(keys.values())
        self._automaton = (
            BytesAhoCorasick([key.encode() for key in keys], implementation=Implementation.ContiguousNFA)
            if keys
            else None
        )

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Tuples of key, start and end, in any text."""
        if self._automaton is None:
            return []
        return self._automaton.find_matches_as_indexes(text.encode("ascii", "replace"), overlapping=True)


class Prefixes:
    """Proper prefixes of keys, and all of what ``whole`` holds, for the question whether the end of a text may still become one.

    Prefixes of more than four letters are looked for among the keys in order: a set of all of them would take four times the memory.
    ``beside`` has what stands within ``whole``.
    """

    def __init__(self, keys: Collection[str], *, whole: Collection[str] = (), beside: Prefixes | None = None) -> None:
        short: set[str] = set()
        grams: set[str] = set() if beside is None else set(beside._grams)
        for size in range(1, SHORT + 1):
            short.update([key[:size] for key in keys if len(key) > size])
        left = [key for key in keys if len(key) > 2]
        size = 2
        while left:  # by length rather than by key, which is twice as fast
            grams.update([key[size - 2 : size] for key in left])
            size += 1
            left = [key for key in left if len(key) > size]
        grams.update([key[-2:] for key in whole])
        longest: dict[str, int] = {}
        for key in sorted(keys, key=len):
            if len(key) > 1:
                longest[key[0]] = len(key) - 1
        for key in whole:
            if len(key) > longest.get(key[0], 0):
                longest[key[0]] = len(key)
        short.update(whole)
        self.short = short
        """Those of up to four letters, and ``whole``."""
        self._long = sorted([key for key in keys if len(key) > SHORT + 1])
        self._grams, self._longest = grams, longest
        self.most = max(longest.values(), default=0)

    def __contains__(self, letters: str) -> bool:
        return letters in self.short or (
            len(letters) > SHORT and letters[:SHORT] in self.short and self.goes_on(letters)
        )

    def goes_on(self, letters: str) -> bool:
        """Whether one of the longer keys begins with ``letters``, more than four, and goes on."""
        keys = self._long
        place = bisect_left(keys, letters)
        if place < len(keys) and keys[place] == letters:
            place += 1
        return place < len(keys) and keys[place].startswith(letters)

    def has_inside(self, pair: str) -> bool:
        """Whether two letters stand beside each other in any of the prefixes; also true of some that do not."""
        return pair in self._grams

    def starts(self, letters: str) -> list[int]:
        """Where the suffixes of ``letters`` begin that are such a prefix, the shortest first."""
        size = len(letters)
        result: list[int] = []
        short, grams, longest = self.short, self._grams, self._longest
        for k in range(size - 1, max(size - self.most, 0) - 1, -1):
            if k + 1 < size and letters[k : k + 2] not in grams:
                break
            if longest.get(letters[k], 0) >= size - k:
                tail = letters[k:]
                if tail in short or (size - k > SHORT and tail[:SHORT] in short and self.goes_on(tail)):
                    result.append(k)
        return result
