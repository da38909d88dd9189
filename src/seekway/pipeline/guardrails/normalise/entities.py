"""HTML's character references read as the characters they name, with the way back.

Syntax: https://html.spec.whatwg.org/multipage/syntax.html#character-references
An ampersand that is itself written as a reference (``&amp;#36829;``) is followed a few times.
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


def read_reference(text: str, at: int) -> Reference:
    """Reads what follows the ``&`` at ``at``."""
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
    at = text.find("&", max(start, len(text) - REFERENCE_CHARS))
    while at >= 0:
        if read_reference(text, at).open:
            return at
        at = text.find("&", at + 1)
    return len(text)


def decode_references(text: str) -> Decoded:
    """Reads every reference of a text; linear in its length."""
    parts: list[str] = []
    starts: list[int] = []
    place = 0
    while (at := text.find("&", place)) >= 0:
        found = read_reference(text, at)
        end = found.end if found.character else at + 1
        parts.append(text[place:at])
        starts.extend(range(place, at))
        parts.append(found.character or "&")
        starts.append(at)
        place = end
    parts.append(text[place:])
    starts.extend(range(place, len(text) + 1))
    return Decoded("".join(parts), starts)
