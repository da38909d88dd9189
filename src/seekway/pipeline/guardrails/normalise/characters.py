"""What each character stands for: the tables beside this file, read once when they are first needed.

How they are made, from what and under which licences, is in ``tables/SOURCES.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

SEPARATOR: Final = " "
INVISIBLE: Final = "\0"
END: Final = "\U0010ffff"
"""A noncharacter, which folds to itself: what joins texts that are folded in one pass."""
FIRST_HAN: Final = "\u2e80"
"""Before it stand the alphabets, whose words have boundaries; from it on Chinese, Japanese and Korean."""
_PLANES_KEPT: Final = 0x20000
_ALWAYS_KEPT: Final = 0xE1000
_FIRST_CODE: Final = 0xE000


class Characters(msgspec.Struct, frozen=True):
    """Tables for ``str.translate`` and sets of characters.

    ``fold`` gives for every character one that it is read as, :data:`SEPARATOR` or :data:`INVISIBLE`, or rarely several letters.
    ``invisible`` holds what is drawn as nothing or only changes the character before it.
    """

    fold: dict[int, int | str]
    invisible: frozenset[str]


class Sounds(msgspec.Struct, frozen=True):
    """``pinyin`` gives each Chinese character's syllable without its tone; ``codes`` one private character a syllable."""

    pinyin: dict[int, str]
    codes: dict[int, int]


@cache
def characters() -> Characters:
    fold: dict[int, int | str] = dict(zip(range(_PLANES_KEPT), range(_PLANES_KEPT), strict=True))
    invisible: set[str] = set()
    for name, points in _classes():
        if name == "invisible":
            fold.update(dict.fromkeys(points, ord(INVISIBLE)))
            invisible.update(map(chr, points))
        else:
            fold.update(dict.fromkeys((point for point in points if point < _PLANES_KEPT), ord(SEPARATOR)))
    for target, sources in _lines("folds.txt"):
        read = ord(target) if len(target) == 1 else target
        fold.update(dict.fromkeys(map(ord, sources), read))
    fold[ord(END)] = ord(END)
    return Characters(fold, frozenset(invisible))


@cache
def sounds() -> Sounds:
    pinyin: dict[int, str] = {}
    codes: dict[int, int] = {}
    for code, (syllable, found) in enumerate(_lines("pinyin.txt"), _FIRST_CODE):
        points = [ord(character) for character in found]
        pinyin.update(dict.fromkeys(points, syllable))
        codes.update(dict.fromkeys(points, code))
    return Sounds(pinyin, codes)


@cache
def pinyin_trigrams() -> frozenset[str]:
    """All that three neighbouring letters can be in Chinese written in pinyin, spaces left out."""
    syllables = [syllable for syllable, _ in _lines("pinyin.txt")]
    inside = {syllable[k : k + 3] for syllable in syllables for k in range(len(syllable) - 2)}
    firsts, heads = {s[:1] for s in syllables}, {s[:2] for s in syllables if len(s) > 1}
    lasts, tails = {s[-1:] for s in syllables}, {s[-2:] for s in syllables if len(s) > 1}
    short = {s for s in syllables if len(s) == 1}
    across = {tail + first for tail in tails for first in firsts} | {last + head for last in lasts for head in heads}
    return frozenset(inside | across | {a + b + c for a in lasts for b in short for c in firsts})


@cache
def splits() -> dict[str, tuple[str, ...]]:
    """Characters with the pairs of components that they may be written as, such as 法 with 氵去."""
    found: dict[str, tuple[str, ...]] = {}
    for character, pair in _lines("splits.txt"):
        found[character] = (*found.get(character, ()), pair)
    return found


def _lines(name: str) -> Iterator[tuple[str, str]]:
    text = files(__package__ or "").joinpath("tables", name).read_text(encoding="utf-8")
    for line in text.split("\n"):
        if line:
            first, _, rest = line.partition(" ")
            yield first, rest


def _classes() -> Iterator[tuple[str, range]]:
    for name, text in _lines("classes.txt"):
        for piece in text.split(" "):
            first, _, last = piece.partition("-")
            begin = int(first, 16)
            end = int(last, 16) if last else begin
            yield name, range(begin, min(end, _ALWAYS_KEPT) + 1)
