"""One string within broken JSON: where it ends, and what in it lacks a backslash."""

from __future__ import annotations

from typing import Final

_SPACE: Final = " \t\r\n"
_ESCAPES: Final = frozenset('"\\/bfnrt')
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_CONTROLS: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_VALUE_STARTS: Final = frozenset("\"'“‘{[-0123456789tfnTFN]}")
_KEY_STARTS: Final = frozenset("\"'“‘}]")
_MOST_LOOKED_AT: Final = 256
"""White space after a quote beyond which it is taken for the string's end."""


class JsonString:
    """Begins after its opening quote, for which ``"`` is written already; ``closers`` may end it.

    A quote ends a key wherever it stands, and a value where what follows it could follow a value.
    """

    def __init__(self, closers: str, *, key: bool, in_object: bool) -> None:
        self.key = key
        self.closed = False
        self._closers = closers
        self._in_object = in_object
        self._typographic = closers not in ('"', "'")
        self._special = frozenset(closers + '"\\')

    def scan(self, text: str, at: int, out: list[str], *, final: bool) -> int:
        """How many characters were dealt with, their JSON in ``out``; 0 where what follows must come first."""
        start, special = at, self._special
        while at < len(text) and text[at] not in special and text[at] >= " ":
            at += 1
        if at > start:
            out.append(text[start:at])
            return at - start
        mark = text[at]
        if mark == "\\":
            return _escape(text, at, out, final=final)
        if mark < " ":
            out.append(_CONTROLS.get(mark) or f"\\u{ord(mark):04x}")
            return 1
        if mark in self._closers:
            ends = self._ends(text, at + 1, final=final)
            if ends is None:
                return 0
            if ends:
                out.append('"')
                self.closed = True
                return 1
        out.append('\\"' if mark == '"' else mark)
        return 1

    def cut_off(self) -> str:
        """What ends it when nothing more comes."""
        return '"'

    def _ends(self, text: str, at: int, *, final: bool) -> bool | None:
        """Whether a quote before ``at`` is the string's end; None while that is not known."""
        if self.key:
            return True
        most = min(len(text), at + _MOST_LOOKED_AT)
        behind = _past_space(text, at, most)
        if behind == most:
            return True if final or most < len(text) or most - at == _MOST_LOOKED_AT else None
        follows = text[behind]
        if follows in "}]":
            return True
        if follows in "\"'“‘":
            return "\n" in text[at:behind]
        if follows == "/":
            return None if behind + 1 == len(text) and not final else text[behind + 1 : behind + 2] in ("/", "*")
        if follows != "," and not (follows == "，" and self._typographic):
            return False
        beyond = _past_space(text, behind + 1, most)
        if beyond == most:
            return True if final or most < len(text) or most - at == _MOST_LOOKED_AT else None
        if "\n" in text[behind:beyond] or text[beyond] in (_KEY_STARTS if self._in_object else _VALUE_STARTS):
            return True
        return self._in_object and self._bare_key(text, beyond, most, final=final)

    def _bare_key(self, text: str, at: int, most: int, *, final: bool) -> bool | None:
        """Whether a name and a colon stand at ``at``: the next key without quotes."""
        end = at
        while end < most and (text[end].isalnum() or text[end] in "_$-"):
            end += 1
        colon = _past_space(text, end, most)
        if colon == most:
            return False if final or most < len(text) else None
        return end > at and text[colon] in ":："


def _past_space(text: str, at: int, most: int) -> int:
    while at < most and text[at] in _SPACE:
        at += 1
    return at


def _escape(text: str, at: int, out: list[str], *, final: bool) -> int:
    """A backslash and what belongs to it; one that means nothing becomes a backslash of the text."""
    if at + 1 == len(text):
        # Half an escape at the very end says nothing.
        return 1 if final else 0
    follows = text[at + 1]
    if follows in _ESCAPES:
        out.append(text[at : at + 2])
        return 2
    if follows == "u":
        digits = text[at + 2 : at + 6]
        if not _HEX.issuperset(digits):
            out.append("\\\\")
            return 1
        if len(digits) == 4:
            out.append(text[at : at + 6])
            return 6
        return len(text) - at if final else 0
    if follows in "'\n":
        out.append("'" if follows == "'" else "\\n")
        return 2
    out.append("\\\\")
    return 1
