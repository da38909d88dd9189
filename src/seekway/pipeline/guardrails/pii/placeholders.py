"""Placeholders for personal data: the model reads ``<PHONE_1>``, the user the real number.

The form is one that models copy: capitals and a number in angle brackets, as in the templates they were trained on, and no word of either language.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from seekway.pipeline.guardrails.detector import Finding
from seekway.pipeline.guardrails.rules.linear_pattern import LinearPattern

_OPENERS: Final = ("<", "＜", "&lt;", "\\u003c")
_CLOSERS: Final = (">", "＞", "&gt;", "\\u003e")
"""As they are, in full width, as HTML has them, and as servers write them within JSON."""

_BEGINNINGS: Final = ("<", "＜", "&", "\\")
_FORM: Final = LinearPattern(
    "(?i)(?:<|＜|&lt;|\\\\u003c) ?[A-Z](?:[A-Z_ -]|\\\\{1,2}_){0,16}\\\\{0,2}[_ -] ?[0-9]{1,6} ?(?:>|＞|&gt;|\\\\u003e)"
)
_LONGEST: Final = 80
"""More characters than a placeholder has in any spelling."""
_MOST_ESCAPES: Final = 2

_OWN_FORM: Final = "text"
"""What a client's own text of our form is hidden as, so that it comes back as it was."""


class Placeholders:
    """Those of one exchange; the same value always has the same one, numbered in the order of appearance."""

    def __init__(self) -> None:
        self._of_value: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def hide(self, text: str, findings: Iterable[Finding]) -> str:
        """``text`` with a placeholder for each finding; of those that overlap, the first and longest counts. What looks like a placeholder already is hidden as well."""
        spans = [(finding.start, -finding.end, finding.category) for finding in findings]
        spans += [(begin, -end, _OWN_FORM) for begin, end in _forms(text)]
        pieces: list[str] = []
        done = 0
        for begin, negative_end, category in sorted(spans):
            end = -negative_end
            if begin < done or begin >= end:
                continue
            pieces += (text[done:begin], self._placeholder(category, text[begin:end]))
            done = end
        return "".join((*pieces, text[done:])) if pieces else text

    def hide_known(self, text: str) -> str:
        """``text`` with the placeholders of the values that are known by now, the longest first; for what the model said before."""
        for (_, value), placeholder in sorted(self._of_value.items(), key=lambda item: -len(item[0][1])):
            text = text.replace(value, placeholder)
        return text

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """``text`` with the values; ``in_json`` says that it is JSON, within whose strings they are to stand.

        A placeholder that nobody made is left as it is.
        """
        if not self._values or not any(beginning in text for beginning in _BEGINNINGS):
            return text
        pieces: list[str] = []
        done = 0
        for begin, end in _forms(text):
            value = self._values.get(_plain(text[begin:end]))
            if value is not None:
                pieces += (text[done:begin], json.dumps(value, ensure_ascii=False)[1:-1] if in_json else value)
                done = end
        return "".join((*pieces, text[done:])) if pieces else text

    def restorer(self, *, in_json: bool = False) -> Restorer:
        return Restorer(self, in_json=in_json)

    def _placeholder(self, category: str, value: str) -> str:
        known = self._of_value.get((category, value))
        if known is None:
            number = sum(1 for other, _ in self._of_value if other == category) + 1
            known = self._of_value[category, value] = f"<{category.upper()}_{number}>"
            self._values[_plain(known)] = value
        return known


class Restorer:
    """:meth:`Placeholders.restore` for a text that arrives in pieces; only what may become a placeholder is held back."""

    def __init__(self, placeholders: Placeholders, *, in_json: bool = False) -> None:
        self._placeholders = placeholders
        self._in_json = in_json
        self._held = ""

    def feed(self, text: str) -> str:
        text = self._held + text
        cut = _held_from(text)
        self._held = text[cut:]
        return self._placeholders.restore(text[:cut], in_json=self._in_json)

    def end(self) -> str:
        text, self._held = self._held, ""
        return self._placeholders.restore(text, in_json=self._in_json)


def _forms(text: str) -> list[tuple[int, int]]:
    """Where placeholders stand, in characters."""
    if not any(beginning in text for beginning in _BEGINNINGS):
        return []
    data = text.encode("utf-8", "surrogatepass")
    spans: list[tuple[int, int]] = []
    known_byte = known = 0
    for begin, end in _FORM.all(data, 0):
        known += len(data[known_byte:begin].decode("utf-8", "surrogatepass"))
        length = len(data[begin:end].decode())
        spans.append((known, known + length))
        known, known_byte = known + length, end
    return spans


def _plain(form: str) -> str:
    """One spelling for all of a placeholder: ``phone_1``."""
    plain = form.lower()
    for bracket in (*_OPENERS, *_CLOSERS):
        plain = plain.replace(bracket, "")
    return "_".join(plain.replace("\\", " ").replace("-", " ").replace("_", " ").split())


def _held_from(text: str) -> int:
    """Where the longest end begins that may still become a placeholder."""
    for at in range(max(0, len(text) - _LONGEST), len(text)):
        if text[at] in _BEGINNINGS and _may_become(text[at:].lower()):
            return at
    return len(text)


def _may_become(tail: str) -> bool:
    for opener in _OPENERS:
        if opener.startswith(tail):
            return True
        if tail.startswith(opener):
            return _may_go_on(tail[len(opener) :])
    return False


def _may_go_on(body: str) -> bool:
    """Letters, digits and what joins them, and at the end the beginning of a closing bracket."""
    place = 0
    while place < len(body):
        char = body[place]
        rest = body[place:]
        if any(closer.startswith(rest) for closer in _CLOSERS):
            return True
        if char == "\\":
            after = rest.lstrip("\\")
            if len(rest) - len(after) > _MOST_ESCAPES or (after and after[0] not in "_- "):
                return False
        elif not (char in "_ -" or (char.isascii() and char.isalnum())):
            return False
        place += 1
    return True
