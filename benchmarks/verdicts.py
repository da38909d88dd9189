"""Figures beside what was promised, and how both are written."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """One promise: what was asked, what came out, and whether that is enough. Nothing asked: a figure for comparison."""

    figure: str
    target: str
    found: str
    met: bool
    gap: str

    @property
    def word(self) -> str:
        if not self.target:
            return ""
        return "met" if self.met else f"missed by {self.gap}"


def at_least(figure: str, found: float, target: float, unit: str) -> Verdict:
    return Verdict(
        figure, f"≥ {target:g} {unit}", f"{found:.2f} {unit}", found >= target, f"{target - found:.2f} {unit}"
    )


def at_most(figure: str, found: float, target: float, unit: str, digits: int = 1) -> Verdict:
    return Verdict(
        figure,
        f"≤ {target:g} {unit}",
        f"{found:.{digits}f} {unit}",
        found <= target,
        f"{found - target:.{digits}f} {unit}",
    )


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, and the least and the greatest behind it."""
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines in Markdown."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def in_columns(verdicts: Iterable[Verdict]) -> str:
    """For the terminal."""
    rows = [(v.figure, v.target, v.found, v.word) for v in verdicts]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
