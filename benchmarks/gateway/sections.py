"""What a sub-benchmark found, in one form for the page, the file and the verdicts."""

from __future__ import annotations

import statistics

import msgspec


class Column(msgspec.Struct, frozen=True):
    key: str
    head: str
    digits: int = 1


class Row(msgspec.Struct):
    """``values[key]`` has one value a round; a column may be missing where it does not apply."""

    name: str
    values: dict[str, list[float]] = msgspec.field(default_factory=dict[str, list[float]])

    def add(self, **values: float | None) -> None:
        for key, value in values.items():
            if value is not None:
                self.values.setdefault(key, []).append(value)

    def median(self, key: str) -> float | None:
        found = self.values.get(key)
        return statistics.median(found) if found else None


class Section(msgspec.Struct):
    """``skipped`` says why nothing was measured; ``notes`` are sentences under the table, failed requests among them."""

    name: str
    title: str
    how: str
    columns: list[Column]
    rows: list[Row] = msgspec.field(default_factory=list[Row])
    notes: list[str] = msgspec.field(default_factory=list[str])
    skipped: str | None = None

    def row(self, name: str) -> Row:
        """The row of that name, made at its first use."""
        for row in self.rows:
            if row.name == name:
                return row
        row = Row(name)
        self.rows.append(row)
        return row

    def find(self, row: str, key: str) -> float | None:
        """The median in a cell; None where nothing stands."""
        return next((one.median(key) for one in self.rows if one.name == row), None)

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
