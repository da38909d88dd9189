"""Changes at an answer's beginning and end."""

from __future__ import annotations


class TrimEdges:
    """Takes away white space at both ends."""

    def __init__(self) -> None:
        self._begun = False
        self._held: list[str] = []

    def feed(self, text: str) -> str:
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        shown = text.rstrip()
        if not shown:
            self._held.append(text)
            return ""
        self._held.append(shown)
        out = "".join(self._held)
        self._held = [text[len(shown) :]]
        return out

    def end(self, *, last: bool) -> str:
        self._held.clear()
        return ""


class Prepend:
    """Begins an answer that has any text with ``text``."""

    def __init__(self, text: str) -> None:
        self._text = text

    def feed(self, text: str) -> str:
        if text and self._text:
            text, self._text = self._text + text, ""
        return text

    def end(self, *, last: bool) -> str:
        return ""


class Append:
    """Ends an answer with ``text``; one that ends in a tool call goes on in another answer and is left as it is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._seen = False

    def feed(self, text: str) -> str:
        self._seen = self._seen or bool(text)
        return text

    def end(self, *, last: bool) -> str:
        seen, self._seen = self._seen, False
        return self._text if last and seen else ""


class MaxLength:
    """At most ``characters``; where something is cut off, ``suffix`` follows and ``cut`` is true."""

    def __init__(self, characters: int, suffix: str = "") -> None:
        self._left = characters
        self._suffix = suffix
        self.cut = False

    def feed(self, text: str) -> str:
        if self.cut:
            return ""
        if len(text) <= self._left:
            self._left -= len(text)
            return text
        self.cut = True
        return text[: self._left] + self._suffix

    def end(self, *, last: bool) -> str:
        return ""
