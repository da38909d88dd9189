"""Passages of at most so many tokens, which end where a text ends best.

Whole blocks are kept together as long as they fit; what does not fit is cut at lines, then sentences, clauses, words, and at last between characters.
What separates two passages (spaces, and the separator that was asked for) belongs to neither. Time grows with the text's length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.chunking import units
from seekway.knowledge.chunking.units import Block

CountTokens = Callable[[str], float]
"""Tokens of a text; the parts of a text should take together about what the whole does."""

MOST_PASSAGES: Final = 200_000
_FINEST: Final = 8
"""Into how many parts of a passage's length what has no sentences is cut at most."""
_UNEVEN: Final = 1.25
"""So many more parts are made of a text than would do if its tokens were evenly spread."""

_LEVELS: Final = (units.lines, units.sentences, units.clauses, units.words)
_TITLE_BREAKS: Final = 0.25
"""A passage that is so full ends before the next title."""


class Span(NamedTuple):
    start: int
    end: int


class _Piece(NamedTuple):
    start: int
    end: int
    tokens: float
    title: bool


class Cutter:
    """Cuts ``text``; ``titles`` are where its titles begin.

    A passage is at most ``max_tokens`` by ``count``, unless one character alone is more. It begins with what the one before ended with, as much as fits in ``overlap`` tokens;
    where a sentence or whole block follows that would have no room beside it, with less.
    """

    def __init__(self, text: str, titles: Sequence[int], *, max_tokens: int, overlap: int, count: CountTokens) -> None:
        self._text = text
        self._titles = titles
        self._most = float(max_tokens)
        self._overlap = float(min(overlap, max_tokens - 1))
        self._fine = max(1.0, min(self._most / _FINEST, self._most - self._overlap))
        self._count = count

    def merged(self) -> list[Span]:
        """Blocks are put together as long as they fit."""
        return self._bounded(self._spans(list(self._pieces(units.blocks(self._text, self._titles)))))

    def separated(self, separator: str) -> list[Span]:
        """``separator`` ends a passage, save within a table or code that fits into one; a section that has only titles joins the next."""
        if not separator:
            return self.merged()
        return self._bounded(
            span for section in self._sections(separator) for span in self._spans(list(self._pieces(section)))
        )

    def _bounded(self, spans: Iterator[Span]) -> list[Span]:
        found: list[Span] = []
        for span in spans:
            if len(found) >= MOST_PASSAGES:
                raise DocumentUnreadable(
                    f"It would become more than {MOST_PASSAGES:,} passages; make them longer, overlap them less, or split the file."
                )
            found.append(span)
        return found

    def _sections(self, separator: str) -> Iterator[list[Block]]:
        """The blocks, or parts of blocks, between separators."""
        blocks = units.blocks(self._text, self._titles)
        section: list[Block] = []
        at = 0
        for start, end in self._between(separator, blocks):
            while at < len(blocks) and blocks[at].start < end:
                block = blocks[at]
                part = block._replace(start=max(block.start, start), end=min(block.end, end))
                if self._text[part.start : part.end].strip():
                    section.append(part)
                if block.end > end:
                    break
                at += 1
            if not all(part.title for part in section):
                yield section
                section = []
        if section:
            yield section

    def _between(self, separator: str, blocks: Sequence[Block]) -> Iterator[Span]:
        kept = [self._trimmed(block.start, block.end) for block in blocks if block.whole and self._fits(block)]
        start = at = passed = 0
        while (found := self._text.find(separator, at)) >= 0:
            at = found + len(separator)
            while passed < len(kept) and kept[passed].end <= found:
                passed += 1
            if passed < len(kept) and kept[passed].start < at:
                at = kept[passed].end
                continue
            yield Span(start, found)
            start = at
        yield Span(start, len(self._text))

    def _fits(self, block: Block) -> bool:
        return self._count(self._text[block.start : block.end]) <= self._most

    def _pieces(self, blocks: Sequence[Block]) -> Iterator[_Piece]:
        for block in blocks:
            tokens = self._count(self._text[block.start : block.end])
            if tokens <= self._most:
                yield _Piece(block.start, block.end, tokens, block.title)
            else:
                for piece in self._smaller(Span(block.start, block.end), tokens, 0):
                    yield piece._replace(title=block.title)

    def _smaller(self, span: Span, tokens: float, level: int) -> Iterator[_Piece]:
        """Of what has so many tokens, which are too many."""
        # An overlap and one of these go into one passage.
        room = self._most - self._overlap if level < _LEVELS.index(units.clauses) else self._fine
        if level < len(_LEVELS):
            smaller = _LEVELS[level](self._text, *span)
        else:
            smaller = units.parts(self._text, *span, number=max(2, math.ceil(tokens / room * _UNEVEN)))
        for first, past in smaller:
            tokens = self._count(self._text[first:past])
            if tokens <= room or past - first <= 1:
                yield _Piece(first, past, tokens, False)
            else:
                yield from self._smaller(Span(first, past), tokens, min(level + 1, len(_LEVELS)))

    def _spans(self, pieces: Sequence[_Piece]) -> Iterator[Span]:
        at, before = 0, None
        while at < len(pieces):
            start, used = self._beginning(before, pieces[at])
            past = self._end(pieces, at, used)
            span = self._trimmed(start, pieces[past - 1].end)
            while self._count(self._text[span.start : span.end]) > self._most:
                # Only for a count by which a whole takes more than its parts.
                if start < pieces[at].start:
                    start = pieces[at].start
                elif past > at + 1:
                    past -= 1
                else:
                    break
                span = self._trimmed(start, pieces[past - 1].end)
            if span.end > max(span.start, pieces[at].start):
                yield span
                before = span
            at = past

    def _end(self, pieces: Sequence[_Piece], at: int, used: float) -> int:
        """How far the passage goes that begins with the piece ``at``."""
        past = at
        while past < len(pieces):
            piece = pieces[past]
            if past > at and (
                used + piece.tokens > self._most
                or (piece.title and not pieces[past - 1].title and used >= self._most * _TITLE_BREAKS)
            ):
                break
            used += piece.tokens
            past += 1
        # A title goes with what is below it.
        if past < len(pieces):
            last = past
            while last > at and pieces[last - 1].title:
                last -= 1
            past = last if last > at else past
        return past

    def _beginning(self, before: Span | None, piece: _Piece) -> tuple[int, float]:
        """Where the passage begins whose first new piece this is, and the tokens until there."""
        room = min(self._overlap, self._most - piece.tokens)
        if before is None or room <= 0.0 or piece.title:
            return piece.start, 0.0
        between = self._count(self._text[before.end : piece.start])
        start = self._tail(before, room - between)
        if start >= before.end:
            return piece.start, 0.0
        return start, self._count(self._text[start : piece.start])

    def _tail(self, span: Span, room: float) -> int:
        """Where the last ``room`` tokens of it begin, better a little later than amid a sentence or a word."""
        low, high = span.start + 1, span.end
        while low < high:
            middle = (low + high) // 2
            if self._count(self._text[middle : span.end]) <= room:
                high = middle
            else:
                low = middle + 1
        start = units.after_cluster(self._text, low, span.end)
        latest = start + (span.end - start) // 2
        for split in (units.lines, units.sentences, units.clauses, units.words):
            for first, _ in split(self._text, max(start - 1, span.start), span.end):
                if start <= first <= latest:
                    return first
        return start

    def _trimmed(self, start: int, end: int) -> Span:
        while start < end and self._text[start].isspace():
            start += 1
        while end > start and self._text[end - 1].isspace():
            end -= 1
        return Span(start, end)
