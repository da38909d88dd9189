"""Chinese cut into the words of jieba's dictionary, read from two files beside this one that all processes of a machine share.

``words.marisa`` has the words as a trie, where each has a number, and ``words.counts`` how often each was met: a table of the
different counts and a place in it for each number. Both are mapped into memory and hold 2 MB; what jieba's own packages make of the
dictionary is 26 MB and more in each process. How they are made is in ``SOURCES.md``.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

_WORDS: Final = Path(__file__).with_name("words.marisa")
_COUNTS: Final = Path(__file__).with_name("words.counts")
_LONGEST: Final = 16
"""Characters of the longest word."""


class _Trie(Protocol):
    def mmap(self, path: str, /) -> _Trie: ...
    def iter_prefixes_with_ids(self, text: str, /) -> Iterator[tuple[str, int]]: ...


class Dictionary:
    """Immutable, and so for any number of threads."""

    def __init__(self, words: Path = _WORDS, counts: Path = _COUNTS) -> None:
        # The package has no types; this is the only place that touches it.
        self._words = cast("_Trie", import_module("marisa_trie").Trie()).mmap(str(words))
        with counts.open("rb") as file:
            # Lasts as long as what is cut out of it below.
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        size, total = (int.from_bytes(mapped[k : k + 4], "little") for k in (0, 4))
        self._unknown = -math.log(total)
        self._weights = [math.log(count) + self._unknown for count in mapped[8 : 8 + 4 * size].cast("I")]
        self._places = mapped[8 + 4 * size :].cast("H")

    def words(self, run: str) -> Iterator[tuple[str, list[str]]]:
        """The most likely words that ``run`` is made of, each with the words of two, then those of three characters that are within it.

        Most likely is the path of the greatest product of the words' shares of all that was counted: what jieba cuts without guessing
        at unknown words (``cut_for_search(HMM=False)``), for runs of Chinese alone.
        """
        prefixes = self._words.iter_prefixes_with_ids
        known = [list(prefixes(run[k : k + _LONGEST])) for k in range(len(run))]
        for begin, end in self._path(known):
            within: list[str] = []
            for size in (2, 3):
                if end - begin > size:
                    for here in known[begin : end - size + 1]:
                        within += [word for word, _ in here if len(word) == size]
            yield run[begin:end], within

    def _path(self, known: list[list[tuple[str, int]]]) -> list[tuple[int, int]]:
        """Beginning and end of each word, where ``known`` are the words that begin at each character."""
        weights, places, unknown = self._weights, self._places, self._unknown
        count = len(known)
        best, ends = [0.0] * (count + 1), [0] * count
        for k in range(count - 1, -1, -1):
            most, end = unknown + best[k + 1], k + 1
            first = True
            for word, number in known[k]:
                after = k + len(word)
                weight = weights[places[number]] + best[after]
                if first or weight >= most:  # of two ways as likely, jieba takes the longer word
                    most, end, first = weight, after, False
            best[k], ends[k] = most, end
        path: list[tuple[int, int]] = []
        k = 0
        while k < count:
            path.append((k, ends[k]))
            k = ends[k]
        return path


@cache
def dictionary() -> Dictionary:
    return Dictionary()
