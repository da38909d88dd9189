"""HTML's character references, and JSON's escapes, read as the characters they name, with the way back.

Syntax: https://html.spec.whatwg.org/multipage/syntax.html#character-references
An ampersand that is itself written as a reference (``&amp;#36829;``) is followed a few times.
``\\u51b0`` is how JSON may write a character: models write the arguments of their tool calls so.
"""

from __future__ import annotations

from functools import cache
from html.entities import html5
from typing import Final, NamedTuple

_NAME_CHARS: Final = 10
_NESTED: Final = 3
_DIGITS: Final = {"decimal": 7, "hex": 6}
_DECIMAL: Final = frozenset("0123456789")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_MARKS: Final = frozenset("&\\")
_ESCAPE: Final = "\\u"
REFERENCE_CHARS: Final = 1 + 4 * _NESTED + _NAME_CHARS + 1
"""No reference is longer than this."""


class Reference(NamedTuple):
    """A reference that ends before ``end``; ``character`` is empty where it is none, ``open`` where more text may make it another."""

    character: str
    end: int
    open: bool


class Decoded(NamedTuple):
    """``text`` with references read, and for each of its characters where it begins in the original, and a last one for its end."""

    text: str
    starts: list[int]


@cache
def _names() -> dict[str, str]:
    return {
        name[:-1]: character
        for name, character in html5.items()
        if name.endswith(";") and len(name) <= _NAME_CHARS + 1 and len(character) == 1 and name != "amp;"
    }


def may_hold_references(text: str) -> bool:
    return "&" in text or _ESCAPE in text


def read_reference(text: str, at: int) -> Reference:
    """Reads what follows the ``&`` or the backslash at ``at``."""
    if text[at] == "\\":
        return _escaped(text, at)
    place = at + 1
    for _ in range(_NESTED):
        if not text.startswith("amp;", place):
            break
        place += 4
    if text.startswith("#", place):
        return _numeric(text, place + 1)
    limit = min(len(text), place + _NAME_CHARS)
    end = place
    while end < limit and text[end].isascii() and text[end].isalnum():
        end += 1
    if end == len(text):
        return Reference("", at + 1, end - place < _NAME_CHARS or place == end)
    if text[end] == ";" and (character := _names().get(text[place:end])):
        return Reference(character, end + 1, open=False)
    return Reference("", at + 1, open=False)


def _escaped(text: str, at: int) -> Reference:
    """What is beyond the first plane is written as two halves."""
    point, end, is_open = _half(text, at)
    if 0xD800 <= point < 0xDC00:
        low, last, is_open = _half(text, end)
        if 0xDC00 <= low < 0xE000:
            return Reference(chr(0x10000 + ((point - 0xD800) << 10) + low - 0xDC00), last, open=False)
        return Reference("", at + 1, is_open)
    if point <= 0 or 0xDC00 <= point < 0xE000:
        return Reference("", at + 1, is_open)
    return Reference(chr(point), end, open=False)


def _half(text: str, at: int) -> tuple[int, int, bool]:
    """The code at ``at``, or -1, where it ends, and whether more text may make it one. JSON within JSON has more than one backslash."""
    place = at
    while place - at <= _NESTED and text.startswith("\\", place):
        place += 1
    if place == len(text):
        return -1, at, True
    if place == at or text[place] != "u":
        return -1, at, False
    limit = min(len(text), place + 5)
    end = place + 1
    while end < limit and text[end] in _HEX:
        end += 1
    if end < place + 5:
        return -1, at, end == len(text)
    return int(text[place + 1 : end], 16), end, False


def _numeric(text: str, place: int) -> Reference:
    kind = "hex" if text[place : place + 1] in {"x", "X"} else "decimal"
    begin = place + (kind == "hex")
    digits = _HEX if kind == "hex" else _DECIMAL
    limit = min(len(text), begin + _DIGITS[kind])
    end = begin
    while end < limit and text[end] in digits:
        end += 1
    may_grow = end == len(text)
    if end == begin:
        return Reference("", begin, may_grow)
    point = int(text[begin:end], 16 if kind == "hex" else 10)
    character = chr(point) if 0 < point < 0x110000 else ""
    return Reference(character, end + text.startswith(";", end), may_grow)


def open_reference(text: str, start: int) -> int:
    """Where a reference at the end of ``text`` begins that what follows may complete; ``len(text)`` where there is none."""
    for at in range(max(start, len(text) - REFERENCE_CHARS), len(text)):
        if text[at] in _MARKS and read_reference(text, at).open:
            return at
    return len(text)


def decode_references(text: str) -> Decoded:
    """Reads every reference of a text; linear in its length."""
    parts: list[str] = []
    starts: list[int] = []
    place = 0
    end_of_text = len(text)
    following = dict.fromkeys(("&", _ESCAPE), -1)
    while True:
        for mark, where in following.items():
            if where < place:
                where = text.find(mark, place)
                following[mark] = end_of_text if where < 0 else where
        at = min(following.values())
        if at == end_of_text:
            break
        while text[at] == "\\" and at > place and text[at - 1] == "\\" and following[_ESCAPE] - at < _NESTED:
            at -= 1
        found = read_reference(text, at)
        end = found.end if found.character else at + 1
        parts.append(text[place:at])
        starts.extend(range(place, at))
        parts.append(found.character or text[at])
        starts.append(at)
        place = end
    parts.append(text[place:])
    starts.extend(range(place, len(text) + 1))
    return Decoded("".join(parts), starts)
