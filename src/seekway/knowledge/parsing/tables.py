"""Tables within running text, also tables within tables, whose text goes into the cell around them."""

from __future__ import annotations


class TableReader:
    """Told of rows and cells as they begin and end; inner tables count as text."""

    def __init__(self) -> None:
        self.depth = 0
        self._rows: list[list[str]] = []
        self._cell: list[str] = []

    def began(self) -> None:
        self.depth += 1

    def row(self) -> None:
        if self.depth == 1:
            self._rows.append([])

    def text(self, text: str) -> None:
        self._cell.append(text)

    def cell_ended(self) -> None:
        if self.depth == 1 and self._rows:
            self._rows[-1].append(" ".join(self._cell))
            self._cell.clear()

    def ended(self) -> list[list[str]] | None:
        """The whole table, when it is the outermost that ended."""
        self.depth = max(self.depth - 1, 0)
        if self.depth:
            return None
        rows, self._rows = self._rows, []
        self._cell.clear()
        return rows
