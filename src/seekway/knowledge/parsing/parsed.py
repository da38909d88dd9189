"""What is left of a file when it has been read, and how it is written down while it is read."""

from __future__ import annotations

from typing import Final

import msgspec

from seekway.core.errors import DocumentUnreadable

_DEEPEST_TITLE: Final = 6


class Heading(msgspec.Struct, frozen=True, array_like=True):
    """``start`` is the first character of the title's line; ``level`` is 1 for the greatest."""

    level: int
    text: str
    start: int


class Page(msgspec.Struct, frozen=True, array_like=True):
    """A page of a PDF, a slide or a sheet; ``name`` is a sheet's, else its number."""

    name: str
    start: int
    end: int


class Parsed(msgspec.Struct, frozen=True):
    """``text`` with offsets in characters. ``pairs`` are a table's first two columns, of which question-answer documents are made."""

    text: str
    title: str = ""
    headings: tuple[Heading, ...] = ()
    pages: tuple[Page, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()


class Bounds(msgspec.Struct, frozen=True):
    """What one file may take. A book has about a million characters."""

    bytes: int = 64 * 2**20
    characters: int = 20_000_000
    unpacked_bytes: int = 512 * 2**20
    members: int = 20_000
    pages: int = 10_000
    cells: int = 4_000_000
    depth: int = 200


class TextWriter:
    """Builds a :class:`Parsed`; every piece is a block of its own, with an empty line before it.

    Raises ``DocumentUnreadable`` as soon as the text is longer than it may be.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._pieces: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []
        self._pages: list[Page] = []
        self._page: str | None = None
        self._page_start: int | None = None
        self.title = ""

    @property
    def length(self) -> int:
        return self._length

    def block(self, text: str) -> None:
        text = text.strip("\n")
        if text.strip():
            self._separate()
            self._add(text)

    def heading(self, level: int, text: str) -> None:
        """The first is the document's title where it has no other."""
        text = " ".join(text.split())
        if not text:
            return
        level = min(max(level, 1), _DEEPEST_TITLE)
        self._separate()
        self._headings.append(Heading(level, text, self._length))
        self._add(f"{'#' * level} {text}")
        self.title = self.title or text

    def table(self, rows: list[list[str]]) -> None:
        """In Markdown's way; the first row is the head."""
        self.block(table_lines(rows))

    def page(self, name: str) -> None:
        """What comes now belongs to this page."""
        self._end_page()
        self._page = name

    def done(self, pairs: tuple[tuple[str, str], ...] = ()) -> Parsed:
        self._end_page()
        return Parsed("".join(self._pieces), self.title, tuple(self._headings), tuple(self._pages), pairs)

    def _end_page(self) -> None:
        if self._page is not None:
            start = self._length if self._page_start is None else self._page_start
            self._pages.append(Page(self._page, start, self._length))
        self._page = self._page_start = None

    def _separate(self) -> None:
        if self._length:
            self._add("\n\n")
        # The empty line before it is no page's.
        if self._page_start is None:
            self._page_start = self._length

    def _add(self, text: str) -> None:
        self._length += len(text)
        if self._length > self._bounds.characters:
            raise DocumentUnreadable(
                f"It has more than {self._bounds.characters:,} characters of text; split the file into several."
            )
        self._pieces.append(text)


def table_lines(rows: list[list[str]]) -> str:
    """Rows of a table as Markdown has them; empty rows are left out."""
    kept = [[cell_text(cell) for cell in row] for row in rows]
    kept = [row for row in kept if any(row)]
    if not kept:
        return ""
    width = max(len(row) for row in kept)
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in kept]
    lines.insert(1, f"|{' --- |' * width}")
    return "\n".join(lines)


def cell_text(cell: str) -> str:
    """On one line, and without what would end the cell."""
    return " ".join(cell.split()).replace("|", "\\|")
