"""What is taken out of a document's text before it is cut, in time that grows with its length.

The rules are Dify's ``pre_processing_rules``. Patterns here are single classes of characters, which cannot backtrack; addresses, whose beginning is only known from what follows, are found by plain code.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, Literal, NamedTuple

from seekway.knowledge.parsing.parsed import Heading, Page, Parsed

CleaningRule = Literal["remove_extra_spaces", "remove_urls_emails", "remove_stopwords"]
"""``remove_stopwords`` is taken and does nothing, as with Dify: full text leaves such words out by itself, and meaning needs them."""

_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ufeff]++")
_EMPTY_LINES: Final = re.compile(r"\n(?:[ \t]*+\n){2,}+")
_SPACES: Final = re.compile("[\t\f\r \u00a0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]{2,}+")
_URL: Final = re.compile(r"https?+://[!-;=?-~]++", re.IGNORECASE)
_URL_TAIL: Final = ".,;:!?'\")]}*_"
_MAIL_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-")
_MAIL_HOST: Final = _MAIL_NAME - {"_", "+"}


class _Edit(NamedTuple):
    """Characters ``start`` to ``end`` become ``text``."""

    start: int
    end: int
    text: str


_Finder = Callable[[str], Iterator[_Edit]]


def clean(parsed: Parsed, rules: Sequence[CleaningRule]) -> Parsed:
    """Control characters always go. Offsets of titles and pages, and the pairs, follow."""
    for edits_of in _edits_of(rules):
        parsed = _edited(parsed, list(edits_of(parsed.text)))
        parsed = Parsed(
            *(parsed.text, parsed.title, parsed.headings, parsed.pages),
            tuple((_apply(one, edits_of(one)), _apply(other, edits_of(other))) for one, other in parsed.pairs),
        )
    return parsed


def _edits_of(rules: Sequence[CleaningRule]) -> Iterator[_Finder]:
    yield _control_edits
    # Where an address was, spaces may remain.
    if "remove_urls_emails" in rules:
        yield _address_edits
    if "remove_extra_spaces" in rules:
        yield _line_edits
        yield _space_edits


def _control_edits(text: str) -> Iterator[_Edit]:
    return (_Edit(*match.span(), "") for match in _CONTROLS.finditer(text))


def _line_edits(text: str) -> Iterator[_Edit]:
    return (_Edit(*match.span(), "\n\n") for match in _EMPTY_LINES.finditer(text))


def _space_edits(text: str) -> Iterator[_Edit]:
    return (_Edit(*match.span(), " ") for match in _SPACES.finditer(text))


def _address_edits(text: str) -> Iterator[_Edit]:
    """A link's or picture's target in Markdown stays, for it is shown."""
    urls = [edit for match in _URL.finditer(text) if (edit := _url(text, match)) is not None]
    past = 0
    for edit in sorted([*urls, *_mails(text)]):
        if edit.start >= past:
            past = edit.end
            yield edit


def _url(text: str, match: re.Match[str]) -> _Edit | None:
    start, end = match.span()
    if text.startswith("](", max(start - 2, 0)):
        return None
    return _Edit(start, start + len(text[start:end].rstrip(_URL_TAIL)), "")


def _mails(text: str) -> Iterator[_Edit]:
    # No name or host has an ``@``: what is looked at for one is not looked at for another.
    at = text.find("@")
    while at >= 0:
        start, end = at, at + 1
        while start and text[start - 1] in _MAIL_NAME:
            start -= 1
        while end < len(text) and text[end] in _MAIL_HOST:
            end += 1
        end = at + 1 + len(text[at + 1 : end].rstrip(".-"))
        if start < at and "." in text[at + 1 : end]:
            yield _Edit(start, end, "")
        at = text.find("@", at + 1)


def _apply(text: str, edits: Iterable[_Edit]) -> str:
    pieces: list[str] = []
    past = 0
    for edit in edits:
        pieces += (text[past : edit.start], edit.text)
        past = edit.end
    return "".join((*pieces, text[past:])) if past else text


def _edited(parsed: Parsed, edits: Sequence[_Edit]) -> Parsed:
    if not edits:
        return parsed
    starts = [edit.start for edit in edits]
    moved = [0, *accumulate(len(edit.text) - (edit.end - edit.start) for edit in edits)]

    def place(offset: int) -> int:
        """Within what was taken out, the end of what stands in its place."""
        before = bisect_right(starts, offset)
        if before and offset < edits[before - 1].end:
            edit = edits[before - 1]
            inside = min(offset - edit.start, len(edit.text))
            return edit.start + moved[before - 1] + inside
        return offset + moved[before]

    return Parsed(
        _apply(parsed.text, edits),
        parsed.title,
        tuple(Heading(heading.level, heading.text, place(heading.start)) for heading in parsed.headings),
        tuple(Page(page.name, place(page.start), place(page.end)) for page in parsed.pages),
        parsed.pairs,
    )
