"""The stretch of text that is looked at, folded so that places stay what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.detector import Severity

CUE_REACH: Final = 24
"""How far before a number the word may stand that says what it is, in characters."""
_LONGEST_REACH: Final = 48
LONGEST: Final = 96
"""Nothing that is found has more characters, but for what is said in :mod:`.mail` of addresses."""

MOST_BETWEEN: Final = 2
"""Characters between two groups of one number."""
SEPARATORS: Final = b" -.()\x01"
"""Which they may be."""
_BEFORE_NUMBER: Final = 2
"""Letters of a piece before the number that is found in it."""

_INVISIBLE: Final = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f"
_FOLD: Final = {
    **{0xFF01 + place: 0x21 + place for place in range(94) if place != 11},
    # Not the full comma: a number after one is another.
    **dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u2009\u202f\u3000"), " "),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-"),
    **dict.fromkeys(map(ord, _INVISIBLE), "\x01"),
    **dict.fromkeys(map(ord, "·•・"), "\x02"),
    **dict.fromkeys(map(ord, "°º"), "\x03"),
    ord("′"): "'",
    ord("″"): '"',
}
FOLDED: Final = frozenset(map(chr, _FOLD))
# Python's own engine: one set of characters, asked for at each place, in a quarter of the time that a set of Python takes.
_ANY_FOLDED: Final = re.compile(f"[{''.join(sorted(FOLDED))}]")
_ALNUM: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
DIGITS: Final = frozenset(b"0123456789")
DIGIT_CHARACTERS: Final = frozenset("0123456789")


_KINDS: Final = bytes(0x30 if code in DIGITS else 0x41 if code in _ALNUM else 0x20 for code in range(256))
"""Digits as ``0``, letters as ``A``, all else as a space."""


_ASCII_SENTENCE_ENDS: Final = "!?\n;"
_SENTENCE_ENDS: Final = "。！？；" + _ASCII_SENTENCE_ENDS


class Piece(NamedTuple):
    """Letters and digits, one digit at least, with neither beside them."""

    begin: int
    end: int
    text: str


class Found(NamedTuple):
    category: str
    severity: Severity
    begin: int
    end: int
    rule: str
    score: float = 1.0


class Window:
    """``text`` and ``folded``, of as many bytes as ``text`` has characters: full width as ASCII, every kind of space and dash as one, invisible characters as 1, middle dots as 2, degrees as 3, anything else that is not ASCII as ``?``."""

    __slots__ = ("_near", "_sentence", "folded", "plain", "start", "text")

    def __init__(self, text: str, start: int = 0) -> None:
        """``start`` is where what is new begins: what is found begins there or later."""
        self.text = text
        self.start = start
        self.plain = text.isascii() or _ANY_FOLDED.search(text) is None
        """Nothing but ``?`` is otherwise than in the text."""
        self.folded = (text if self.plain else text.translate(_FOLD)).encode("ascii", "replace")
        self._near = -1, ""
        self._sentence = -1

    def pieces(self) -> list[Piece]:
        """Of the context those that may be of one number with what is new; none where there is none after it."""
        folded = self.folded
        kinds = folded.translate(_KINDS)
        found: list[Piece] = []
        if kinds.find(b"0", self.start) < 0:
            return found
        end = _chain_begin(folded, kinds, self.start)
        while (at := kinds.find(b"0", end)) >= 0:
            begin = kinds.rfind(b" ", end, at) + 1 or end
            end = kinds.find(b" ", at)
            if end < 0:
                end = len(kinds)
            found.append(Piece(begin, end, folded[begin:end].decode()))
        return found

    def stands_free(self, begin: int, end: int) -> bool:
        """Whether a number of these places is one of its own, not the middle of a longer one, a version or a name."""
        folded = self.folded
        if not self.begins_free(begin):
            return False
        if end < len(folded):
            after = folded[end]
            if after in _ALNUM or after == 0x5F:
                return False
            if after in b".-/,:" and end + 1 < len(folded) and folded[end + 1] in DIGITS:
                return False
        return True

    def begins_free(self, begin: int) -> bool:
        """Whether nothing before ``begin`` belongs to the number there."""
        if not begin:
            return True
        folded = self.folded
        before = folded[begin - 1]
        if before in _ALNUM or before == 0x5F:
            return False
        return not (before in b".-/,:+" and begin > 1 and folded[begin - 2] in DIGITS)

    def before(self, begin: int) -> str:
        """As many characters before ``begin`` as any word is looked for in, in lower case."""
        if self._near[0] != begin:
            written = self.text[max(0, begin - _LONGEST_REACH) : begin]
            near = written.lower()
            if len(near) != len(written):
                near = "".join([_lower(char) for char in written])
            self._near = begin, near
            self._sentence = -1
        return self._near[1]

    def cue(self, begin: int, words: tuple[str, ...], reach: int = CUE_REACH) -> bool:
        """Whether one of ``words``, in lower case, stands in the ``reach`` characters before ``begin`` in the same sentence."""
        near = self.before(begin)
        low = self._sentence
        if low < 0:
            ends = _ASCII_SENTENCE_ENDS if near.isascii() else _SENTENCE_ENDS
            self._sentence = low = max([near.rfind(end) for end in ends]) + 1
        low = max(low, len(near) - reach)
        for word in words:  # noqa: SIM110 - a generator takes twice as long here
            if near.find(word, low) >= 0:
                return True
        return False


def _chain_begin(folded: bytes, kinds: bytes, start: int) -> int:
    """Where the groups begin that may be of one number with each other, the last of them with what begins at ``start``."""
    begin = kinds.rfind(b" ", 0, max(0, start - _BEFORE_NUMBER) + 1) + 1
    while begin:
        end = len(kinds[:begin].rstrip(b" "))
        gap, before = folded[end:begin], kinds.rfind(b" ", 0, end) + 1
        if len(gap) > MOST_BETWEEN or gap.strip(SEPARATORS) or kinds.find(b"0", before, end) < 0:
            break
        begin = before
    return begin


def _lower(char: str) -> str:
    """In lower case, where that is one character; İ is two there, of which no word has the second one."""
    lower = char.lower()
    return lower if len(lower) == 1 else char


def joined(
    pieces: list[Piece], first: int, folded: bytes, separators: frozenset[int], most: int
) -> Iterator[tuple[int, int, str, tuple[int, ...]]]:
    """Pieces of digits from ``first`` on that one or two ``separators`` join: begin, end, their digits and how many each has."""
    begin, end, text = pieces[first]
    if not text.isdigit():
        return
    lengths = (len(text),)
    yield begin, end, text, lengths
    for piece in pieces[first + 1 : first + most]:
        gap = folded[end : piece.begin]
        if not (0 < len(gap) <= 2 and separators.issuperset(gap)) or not piece.text.isdigit() or len(text) > 24:
            return
        end, text, lengths = piece.end, text + piece.text, (*lengths, len(piece.text))
        yield begin, end, text, lengths
