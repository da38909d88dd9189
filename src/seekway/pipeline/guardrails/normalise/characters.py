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
_FIRST_PLANE: Final = 0x10000
_PLANES_KEPT: Final = 0x20000
_ALWAYS_KEPT: Final = 0xE1000
_FIRST_CODE: Final = 0xE000


class Characters(msgspec.Struct, frozen=True):
    """What every character is read as: another or itself, :data:`SEPARATOR`, :data:`INVISIBLE`, or rarely several letters.

    ``first`` has it by code point, ``beyond`` for the few after those. A list is read in half the time of a dictionary, and in far less where
    it has left the processor's caches, as between two requests; for the same reason ASCII has a table of its own.
    ``invisible`` holds what is drawn as nothing or only changes the character before it.
    """

    ascii: bytes
    """For ``bytes.translate``, since each of these is read as one of them."""
    ascii_dropped: bytes
    """Those that are no letters."""
    first: list[int | str]
    beyond: dict[int, int | str]
    invisible: frozenset[str]

    def fold(self, text: str) -> str:
        """``text`` with each character as what it is read as."""
        if text.isascii():
            return text.encode().translate(self.ascii).decode()
        raw = text.translate(self.first)
        # Two bytes for each character: none is beyond the first plane, and so none beyond the list.
        return raw if len(raw.encode("utf-16-le", "surrogatepass")) == 2 * len(raw) else raw.translate(self.beyond)

    def ascii_letters(self, text: str) -> str:
        """What is left of a text in ASCII, folded, without separators and invisible characters."""
        return text.encode().translate(self.ascii, self.ascii_dropped).decode()

    def fold_one(self, character: str) -> int | str:
        code = ord(character)
        return self.first[code] if code < len(self.first) else self.beyond.get(code, code)


class Sounds(msgspec.Struct, frozen=True):
    """``pinyin`` gives each Chinese character's syllable without its tone, ``codes`` one private character a syllable.

    ``codes`` and ``spelled`` are tables for ``str.translate`` that have the characters without a sound as they are.
    """

    pinyin: dict[int, str]
    codes: list[int]
    spelled: list[int | str]


@cache
def characters() -> Characters:
    first: list[int | str] = list(range(_PLANES_KEPT))
    beyond: dict[int, int | str] = {}
    invisible: set[str] = set()
    for name, points in _classes():
        inside = points[: max(0, _PLANES_KEPT - points.start)]
        if name == "invisible":
            first[inside.start : inside.stop] = [ord(INVISIBLE)] * len(inside)
            beyond.update(dict.fromkeys(points[len(inside) :], ord(INVISIBLE)))
            invisible.update(map(chr, points))
        else:
            first[inside.start : inside.stop] = [ord(SEPARATOR)] * len(inside)
    for target, sources in _lines("folds.txt"):
        read = ord(target) if len(target) == 1 else target
        for source in map(ord, sources):
            if source < _PLANES_KEPT:
                first[source] = read
            else:
                beyond[source] = read
    table = bytes([read if isinstance(read, int) else ord(read) for read in first[:128]]).ljust(256)
    dropped = bytes([code for code in range(128) if table[code] in (ord(SEPARATOR), ord(INVISIBLE))])
    return Characters(table, dropped, first, beyond, frozenset(invisible))


@cache
def sounds() -> Sounds:
    pinyin: dict[int, str] = {}
    # Most numbers are in the other table already; each list of its own would make 2 MB of them anew.
    read_as = characters().first
    codes = [
        same if (same := read_as[point]) == point and isinstance(same, int) else point for point in range(_FIRST_PLANE)
    ]
    spelled: list[int | str] = list(codes)
    for code, (syllable, found) in enumerate(_lines("pinyin.txt"), _FIRST_CODE):
        for point in map(ord, found):
            pinyin[point] = spelled[point] = syllable
            codes[point] = code
    return Sounds(pinyin, codes, spelled)


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


def splits() -> dict[str, tuple[str, ...]]:
    """Characters with the pairs of components that they may be written as, such as 法 with 氵去; read anew for each index, which keeps what it needs of them."""
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
