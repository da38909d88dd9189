"""Makes valid JSON (RFC 8259) of what a model wrote for it, as it streams in; valid JSON comes out byte for byte as it went in.

Mended are: words and code fences around it; what was cut off (strings, brackets, half a literal); commas too many or too few;
single, typographic and missing quotes; quotes and line breaks within strings that lack their backslash; ``True``, ``None``, ``NaN``;
numbers such as ``.5`` and ``1.``; comments; full-width commas and colons.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from seekway.pipeline.stages.answer_text.json_string import JsonString
from seekway.pipeline.stages.answer_text.json_words import bare_key, bare_value, is_word

_MOST_PREFACE: Final = 4096
"""Characters before the first bracket; an answer that has none until then is no JSON and passes as it is."""
_MOST_BARE: Final = 1024
_SPACE: Final = frozenset(" \t\r\n")
_QUOTES: Final = {'"': '"', "'": "'", "“": '”“"', "”": '”“"', "‘": "’‘'", "’": "’‘'"}
_BARE_ENDS: Final = frozenset(",:，：{}[]\"'“”\n/")


class _Mode(Enum):
    PREFACE = 0
    PASSING = 1
    STRUCTURE = 2
    STRING = 3
    DONE = 4
    OVER = 5


class _Next(Enum):
    """What a container waits for."""

    KEY = 0
    COLON = 1
    VALUE = 2
    COMMA = 3


class JsonMender:
    """A :class:`seekway.pipeline.stages.answer_text.text_filter.TextFilter`; ``openers`` are the brackets that the JSON may begin with."""

    def __init__(self, openers: str = "{[") -> None:
        self._openers = openers
        self._mode = _Mode.PREFACE
        self._held = ""
        self._stack: list[str] = []
        self._open = {"{": 0, "[": 0}
        self._next = _Next.VALUE
        self._gap = ""
        """White space, and at most one comma, that wait for what follows them."""
        self._string: JsonString | None = None
        self._out: list[str] = []

    @property
    def begun(self) -> bool:
        """Whether any JSON, or what passes for it, was seen."""
        return self._mode is not _Mode.PREFACE

    def feed(self, text: str) -> str:
        self._scan(self._held + text, final=False)
        return self._taken()

    def end(self, *, last: bool) -> str:
        self._scan(self._held, final=True)
        if self._mode is _Mode.STRING and self._string is not None:
            self._out.append(self._string.cut_off())
            self._after_string(self._string)
        while self._stack:
            self._close(self._stack[-1])
        return self._taken()

    def _taken(self) -> str:
        out, self._out = "".join(self._out), []
        return out

    def _scan(self, text: str, *, final: bool) -> None:
        at = 0
        while at < len(text):
            if self._mode is _Mode.STRING and self._string is not None:
                taken = self._string.scan(text, at, self._out, final=final)
                if self._string.closed:
                    self._after_string(self._string)
                elif not taken:
                    break
            elif self._mode is _Mode.STRUCTURE:
                taken = self._structure(text, at, final=final)
                if not taken:
                    break
            else:
                taken = self._around(text, at, final=final)
                if not taken:
                    break
            at += taken
        self._held = text[at:]

    def _around(self, text: str, at: int, *, final: bool) -> int:
        rest = text[at:]
        if self._mode is _Mode.DONE:
            # What follows is no part of it, but for a last line end.
            space = len(rest) - len(rest.lstrip(" \t\r\n"))
            self._out.append(rest[:space])
            if space < len(rest):
                self._mode = _Mode.OVER
            return len(rest)
        if self._mode is _Mode.OVER:
            return len(rest)
        if self._mode is _Mode.PREFACE:
            found = [place for opener in self._openers if (place := rest.find(opener, 0, _MOST_PREFACE)) >= 0]
            if found:
                self._mode = _Mode.STRUCTURE
                return min(found) or self._structure(text, at, final=final)
            if len(rest) < _MOST_PREFACE and not final:
                return 0
            self._mode = _Mode.PASSING
        self._out.append(rest)
        return len(rest)

    def _structure(self, text: str, at: int, *, final: bool) -> int:
        mark = text[at]
        if mark in _SPACE:
            self._gap += mark
        elif mark in "{[":
            if not self._before_value():
                return 1
            self._out.append(mark)
            self._stack.append(mark)
            self._open[mark] += 1
            self._next = _Next.KEY if mark == "{" else _Next.VALUE
        elif mark in "}]":
            self._close_to("{" if mark == "}" else "[")
        elif mark in ",，":
            self._comma()
        elif mark in ":：":
            if self._next is _Next.COLON:
                self._write(":")
                self._next = _Next.VALUE
        elif mark in _QUOTES:
            self._open_string(mark)
        elif mark == "/" and (at + 1 == len(text) or text[at + 1] in "/*"):
            return _comment(text, at, final=final)
        elif mark.isspace() or mark == "\ufeff" or not mark.isprintable():
            pass
        else:
            return self._bare(text, at, final=final)
        return 1

    def _write(self, text: str) -> None:
        self._out.append(self._gap + text)
        self._gap = ""

    def _before_value(self) -> bool:
        """Write what must stand before a value; False where a key belongs here and a bracket is nonsense."""
        if self._next is _Next.COMMA:
            self._comma(missing=True)
        if self._next is _Next.KEY:
            return False
        if self._next is _Next.COLON:
            self._out.append(":")
        self._write("")
        return True

    def _before_word(self) -> bool:
        """As before a value, for what may be a key as well; whether it is one."""
        if self._next is _Next.COMMA:
            self._comma(missing=True)
        if self._next is _Next.KEY:
            self._write("")
            return True
        self._before_value()
        return False

    def _comma(self, *, missing: bool = False) -> None:
        if self._next is _Next.COLON:
            self._out.append(":null")
        elif self._next is _Next.VALUE and self._stack[-1] == "{":
            self._out.append("null")
        elif self._next is not _Next.COMMA:
            return
        self._gap = "," + self._gap if missing else self._gap + ","
        self._next = _Next.KEY if self._stack[-1] == "{" else _Next.VALUE

    def _open_string(self, quote: str) -> None:
        key = self._before_word()
        self._out.append('"')
        self._string = JsonString(_QUOTES[quote], key=key, in_object=self._stack[-1] == "{")
        self._mode = _Mode.STRING

    def _after_string(self, string: JsonString) -> None:
        self._string = None
        self._mode = _Mode.STRUCTURE
        self._next = _Next.COLON if string.key else _Next.COMMA

    def _bare(self, text: str, at: int, *, final: bool) -> int:
        """A number, a literal, or text without quotes, which may hold spaces."""
        end = at
        limit = min(len(text), at + _MOST_BARE)
        while end < limit and text[end] not in _BARE_ENDS:
            if text[end] in _SPACE and is_word(text[at:end]):
                break
            end += 1
        if end == len(text) and end - at < _MOST_BARE and not final:
            return 0
        end = max(end, at + 1)
        word = text[at:end].rstrip()
        if self._before_word():
            self._out.append(bare_key(word))
            self._next = _Next.COLON
        else:
            self._out.append(bare_value(word, cut_off=final and end == len(text)))
            self._next = _Next.COMMA
        return end - at

    def _close_to(self, opener: str) -> None:
        """Close the innermost ``opener`` and what is open within it; a bracket that closes nothing is left out."""
        if self._open[opener]:
            while self._stack[-1] != opener:
                self._close(self._stack[-1])
            self._close(opener)

    def _close(self, opener: str) -> None:
        if self._next is _Next.COLON:
            self._out.append(":null")
        elif self._next is _Next.VALUE and opener == "{":
            self._out.append("null")
        self._gap = self._gap.replace(",", "")
        self._write("}" if opener == "{" else "]")
        self._open[self._stack.pop()] -= 1
        self._next = _Next.COMMA
        if not self._stack:
            self._mode = _Mode.DONE


def _comment(text: str, at: int, *, final: bool) -> int:
    """Its length, or 0 while its end is not there; of one that never ends, all."""
    if at + 1 == len(text):
        return 1 if final else 0
    ending = "\n" if text[at + 1] == "/" else "*/"
    end = text.find(ending, at + 2)
    if end < 0:
        return len(text) - at if final else 0
    return end + len(ending) - at
