"""Where a text may be cut, from the best places to the last resort.

Each function gives spans that touch and cover from ``start`` to ``end``; what separates two belongs to the first.
Patterns are possessive, so that they cannot backtrack, and where what comes last may be missing, what comes before it is short.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from seekway.knowledge.parsing.markdown import opening_fence

# 。！？；… also before closing quotes; a full stop of Latin script only before a space, for it stands in numbers and names too.
_SENTENCE: Final = re.compile("(?:[。！？；…‼⁇]++[”’」』）》】\"')]*+|[.!?;]{1,8}+[\"')\\]”’]{0,4}+(?=\\s))\\s*+")
_CLAUSE: Final = re.compile("[，、：,:]++\\s*+")
_WORD: Final = re.compile(r"\s++")
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")
_LONGEST_CLUSTER: Final = 16


class Block(NamedTuple):
    """``whole`` blocks, tables and code, hold together; a ``title`` belongs to what follows it."""

    start: int
    end: int
    whole: bool = False
    title: bool = False


def blocks(text: str, titles: Sequence[int]) -> list[Block]:
    """Paragraphs with the empty lines after them, fenced code, tables and titles; ``titles`` are where those begin."""
    found: list[Block] = []
    starts = frozenset(titles)
    kind, fence, begun, ended = "", "", 0, False
    for start, past in lines(text, 0, len(text)):
        line = text[start:past]
        if kind == "code" and not ended:
            marks = opening_fence(line)
            ended = marks.startswith(fence) and line.strip() == marks
            continue
        now = "title" if start in starts else _kind(line)
        if not now:
            ended = bool(kind)
        elif ended or now in ("title", "code") or now != kind:
            if kind:
                found.append(_block(begun, start, kind))
                begun = start
            kind, fence, ended = now, opening_fence(line), False
    if text:
        found.append(_block(begun, len(text), kind))
    return found


def _kind(line: str) -> str:
    """Empty for an empty line."""
    bare = line.strip()
    if opening_fence(line):
        return "code"
    return "table" if bare.startswith("|") else "text" if bare else ""


def _block(start: int, end: int, kind: str) -> Block:
    return Block(start, end, kind in ("code", "table"), kind == "title")


def lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        found = text.find("\n", start, end)
        past = end if found < 0 else found + 1
        yield start, past
        start = past


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return _ended_by(_SENTENCE, text, start, end)


def clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return _ended_by(_CLAUSE, text, start, end)


def words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return _ended_by(_WORD, text, start, end)


def parts(text: str, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """The last resort: ``number`` of about one length; a character is not parted from the accents and joiners that belong to it."""
    size = max((end - start) // number, 1)
    while start < end:
        past = after_cluster(text, start + size, end) if start + size < end else end
        yield start, past
        start = past


def after_cluster(text: str, place: int, end: int) -> int:
    """The next place, from this one on, that is not within one character as it is seen."""
    for past in range(place, min(place + _LONGEST_CLUSTER, end)):
        if not (_joins(text[past]) or (past and text[past - 1] == "\u200d")):
            return past
    return place


def _joins(character: str) -> bool:
    return character in _JOINERS or unicodedata.combining(character) != 0 or "\U0001f3fb" <= character <= "\U0001f3ff"


def _ended_by(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text, start, end):
        if match.end() > start:
            yield start, match.end()
            start = match.end()
    if start < end:
        yield start, end
