"""Follows JSON values through text that arrives in pieces, character by character, without building them."""

from __future__ import annotations

import json
from enum import Enum
from typing import Final

_SPACE: Final = " \t\n\r"


class ValueScanner:
    """Finds where one JSON value ends; it does not check that the value is valid."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._begun = False
        self._bare = False
        self.done = False

    def feed(self, text: str, start: int = 0) -> int:
        """Position after the last character of the value, or of ``text`` while the value goes on; ``done`` says which.

        The end of a bare value (a number, ``true``) is seen at the character after it, which is left.
        """
        at = start
        while at < len(text) and not self.done:
            at = self._step(text[at], at)
        return at

    def _step(self, c: str, at: int) -> int:
        if self._in_string:
            if self._escaped:
                self._escaped = False
            elif c == "\\":
                self._escaped = True
            elif c == '"':
                self._in_string = False
                self.done = self._depth == 0
        elif self._bare:
            if c in ",}]" or c in _SPACE:
                self.done = True
                return at
        elif c == '"':
            self._begun = self._in_string = True
        elif c in "{[":
            self._begun = True
            self._depth += 1
        elif c in "}]":
            self._depth -= 1
            self.done = self._depth <= 0
        elif not self._begun and c not in _SPACE:
            self._begun = self._bare = True
        return at + 1


class _Expect(Enum):
    OPEN = 0
    KEY = 1
    COLON = 2
    VALUE = 3
    NEXT = 4
    END = 5
    BROKEN = 6


class CallScanner:
    """Reads ``{"name": …, "arguments": {…}}`` (or ``parameters``) and gives the arguments' text as it comes.

    Arguments that stand before the name wait for it; arguments written as a JSON string are decoded at their end.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._expect = _Expect.OPEN
        self._key = ""
        self._raw = ""
        self._value = ValueScanner()
        self._ready = ""
        self._quoted = False
        self.has_arguments = False

    @property
    def done(self) -> bool:
        return self._expect is _Expect.END

    @property
    def broken(self) -> bool:
        return self._expect is _Expect.BROKEN

    @property
    def callable_name(self) -> str | None:
        """The name, once arguments have begun or the object is whole: before that it may still turn out to be no call."""
        return self.name if self._ready or self.has_arguments or self.done else None

    def take(self) -> str:
        """The arguments' text since the last call; empty until the name is known."""
        if self.name is None:
            return ""
        ready, self._ready = self._ready, ""
        return ready

    def feed(self, text: str, start: int = 0) -> int:
        """Position after what was read; stops at the object's end and where the text is no such object."""
        at = start
        while at < len(text) and self._expect not in (_Expect.END, _Expect.BROKEN):
            if self._expect in (_Expect.KEY, _Expect.VALUE):
                at = self._feed_value(text, at)
            else:
                at = self._punctuation(text[at], at)
        return at

    def _punctuation(self, c: str, at: int) -> int:
        if c in _SPACE:
            return at + 1
        follows = {
            (_Expect.OPEN, "{"): _Expect.KEY,
            (_Expect.COLON, ":"): _Expect.VALUE,
            (_Expect.NEXT, ","): _Expect.KEY,
            (_Expect.NEXT, "}"): _Expect.END,
        }.get((self._expect, c))
        self._expect = follows or _Expect.BROKEN
        return at + 1 if follows else at

    def _feed_value(self, text: str, at: int) -> int:
        if not self._raw:
            while at < len(text) and text[at] in _SPACE:
                at += 1
            if at == len(text):
                return at
            if self._expect is _Expect.KEY and text[at] != '"':
                self._expect = _Expect.END if text[at] == "}" and self.name is not None else _Expect.BROKEN
                return at + (self._expect is _Expect.END)
            self._quoted = text[at] == '"'
        end = self._value.feed(text, at)
        piece = text[at:end]
        streaming = self._expect is _Expect.VALUE and self._is_arguments() and not self._quoted
        if streaming:
            self._ready += piece
            self._raw = self._raw or piece[:1]
        else:
            self._raw += piece
        if self._value.done:
            self._finish_value(streamed=streaming)
        return end

    def _is_arguments(self) -> bool:
        return self._key in ("arguments", "parameters")

    def _finish_value(self, *, streamed: bool) -> None:
        raw, self._raw, self._value = self._raw, "", ValueScanner()
        if self._expect is _Expect.KEY:
            self._key, self._expect = _string(raw), _Expect.COLON
            return
        self._expect = _Expect.NEXT
        if self._is_arguments():
            self.has_arguments = True
            if not streamed:
                self._ready += _string(raw)
        elif self._key == "name":
            self.name = _string(raw)
            if not self.name:
                self._expect = _Expect.BROKEN


def _string(raw: str) -> str:
    try:
        value = json.loads(raw, strict=False)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""
