"""Brings a text to the form the classifier reads: one code point for one, disguises undone, origins kept.

The table says for every code point what it is read as: small letters, full width made narrow, marks taken off, letters of
other alphabets that look Latin made Latin, traditional characters made simplified, invisible ones dropped, and the tag
characters that hide ASCII in sight of nobody made that ASCII. It is made in training and ships with the weights, so that
another Unicode version in the interpreter changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Places = NDArray[np.int64]

TABLE_SIZE = 0xE0200
SPACE, LETTER, IDEOGRAPH, SYMBOL = 0, 1, 2, 3
"""Classes of a code point: what separates, letters and digits of words, characters that are words of their own, the rest."""

PLAIN_PUNCTUATION = " \t\n\r.,;:!?\"()-'`\x0b\x0c"
SHORTEST_SPELLED = 4
"""So many single letters in a row are a word spelled out."""

_LEET = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"}


class Folded(NamedTuple):
    """``codes`` as they are read, their ``classes``, and for each the index in the original text it came from."""

    codes: Codes
    classes: NDArray[np.uint8]
    origins: Places

    def part(self, start: int, end: int) -> Folded:
        """The folded characters from ``start`` up to ``end``."""
        return Folded(self.codes[start:end], self.classes[start:end], self.origins[start:end])


def code_points(text: str) -> Codes:
    """The code points of ``text``; a lone surrogate is one as well."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def make_classes() -> NDArray[np.uint8]:
    """The class of every folded code point below :data:`TABLE_SIZE`."""
    classes = np.full(TABLE_SIZE, LETTER, np.uint8)
    classes[:0x80] = SYMBOL
    for char in PLAIN_PUNCTUATION:
        classes[ord(char)] = SPACE
    classes[ord("0") : ord("9") + 1] = LETTER
    classes[ord("a") : ord("z") + 1] = LETTER
    classes[ord("A") : ord("Z") + 1] = LETTER
    classes[0x80:0xC0] = SPACE
    for first, last in ((0x2000, 0x2BFF), (0x3000, 0x303F), (0xD800, 0xF8FF), (0xFE00, 0xFE6F), (0x1F000, 0x1FAFF)):
        classes[first : last + 1] = SPACE
    classes[0xFF5C] = SYMBOL  # the bar in DeepSeek's control tokens
    for first, last in ((0x2E80, 0x2FFF), (0x3040, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)):
        classes[first : last + 1] = IDEOGRAPH
    return classes


class Folding:
    """Folds texts by a table; ``read_as`` gives for every code point what it is read as, 0 for not at all."""

    def __init__(self, read_as: Codes) -> None:
        # Kept as what is added to a code point: most are read as themselves, and zeros that nobody wrote take no memory.
        points = np.arange(TABLE_SIZE, dtype=np.uint32)
        changed = np.flatnonzero(read_as != points)
        self._added = np.zeros(TABLE_SIZE, np.uint32)
        self._added[changed] = read_as[changed] - points[changed]
        self._classes = make_classes()
        self._leet = np.zeros(0x80, np.uint32)
        for sign, letter in _LEET.items():
            self._leet[ord(sign)] = ord(letter)

    def fold(self, text: str) -> Folded:
        points = np.minimum(code_points(text), TABLE_SIZE - 1)
        codes = points + self._added[points]
        origins = np.flatnonzero(codes)
        if len(origins) < len(codes):
            codes = codes[origins]
        codes = self._unleet(codes)
        folded = Folded(codes, self._classes[codes], origins)
        return _join_spelled(folded)

    def _unleet(self, codes: Codes) -> Codes:
        letters = self._leet[np.minimum(codes, 0x7F)] * (codes < 0x80)
        if not letters.any():
            return codes
        latin = (codes >= ord("a")) & (codes <= ord("z"))
        beside = np.zeros(len(codes), bool)
        beside[1:] = latin[:-1]
        beside[:-1] |= latin[1:]
        return np.where(beside & (letters > 0), letters, codes)


def _join_spelled(folded: Folded) -> Folded:
    """Words spelled with one separator between their letters (``i g n o r e``, ``i-g-n-o-r-e``) made whole."""
    letter = folded.classes == LETTER
    padded = np.zeros(len(letter) + 2, bool)
    padded[1:-1] = letter
    single = padded[1:-1] & ~padded[:-2] & ~padded[2:]
    places = np.flatnonzero(single)
    if len(places) < SHORTEST_SPELLED:
        return folded
    linked = np.diff(places) == 2
    edges = np.flatnonzero(np.diff(np.concatenate(([0], linked.view(np.int8), [0]))))
    starts, ends = edges[0::2], edges[1::2]
    long = ends - starts >= SHORTEST_SPELLED - 1
    if not long.any():
        return folded
    keep = np.ones(len(letter), bool)
    for start, end in zip(starts[long].tolist(), ends[long].tolist(), strict=True):
        keep[places[start:end] + 1] = False
    return Folded(folded.codes[keep], folded.classes[keep], folded.origins[keep])
