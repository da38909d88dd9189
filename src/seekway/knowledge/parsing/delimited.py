"""CSV and its like."""

from __future__ import annotations

import csv
import io
from typing import Final

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter

_DELIMITERS: Final = (",", "\t", ";", "|")
_SAMPLE_LINES: Final = 20
_TITLES: Final = frozenset(
    {"question", "questions", "q", "问题", "問題", "提问", "answer", "answers", "a", "答案", "回答"}
)


def parse_delimited(text: str, bounds: Bounds, delimiter: str | None = None) -> Parsed:
    """As one table; ``pairs`` of its first two columns.

    Raises ``DocumentUnreadable`` with the line at which it cannot be read.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text))
    rows: list[list[str]] = []
    cells = 0
    try:
        for row in reader:
            cells += len(row)
            if cells > bounds.cells:
                raise DocumentUnreadable(f"It has more than {bounds.cells:,} cells; split it into several files.")
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        raise DocumentUnreadable(
            f"Line {reader.line_num} cannot be read as a table: {error}; save it as CSV again."
        ) from error
    writer = TextWriter(bounds)
    writer.table(rows)
    return writer.done(pairs_of(rows))


def pairs_of(rows: list[list[str]]) -> tuple[tuple[str, str], ...]:
    """The first two columns where both are filled, less a first row that only names them."""
    pairs = [(row[0].strip(), row[1].strip()) for row in rows if len(row) > 1]
    if pairs and all(cell.lower() in _TITLES for cell in pairs[0]):
        del pairs[0]
    return tuple(pair for pair in pairs if all(pair))


def _delimiter(text: str) -> str:
    """The one that the first lines have most evenly."""
    head = "\n".join(text[:65_536].split("\n")[:_SAMPLE_LINES])
    best, score = ",", (0, 0.0)
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not widths or max(widths) == 1:
            continue
        usual = max(set(widths), key=widths.count)
        found = (int(usual > 1), widths.count(usual) / len(widths))
        if found > score:
            best, score = delimiter, found
    return best
