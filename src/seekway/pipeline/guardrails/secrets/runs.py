"""How far a stretch of certain characters goes."""

from __future__ import annotations

from typing import Final

_STEP: Final = 64


def run_end(text: str, place: int, letters: str, most: int) -> int:
    """The first place from ``place`` on that holds none of ``letters``; at most one more than ``most`` are looked at."""
    limit = min(len(text), place + most + 1)
    while place < limit:
        piece = text[place : min(limit, place + _STEP)]
        rest = piece.lstrip(letters)
        place += len(piece) - len(rest)
        if rest:
            break
    return place


class Value:
    """A place that may be a secret. ``open``: what follows the text may lengthen or change it."""

    __slots__ = ("begin", "category", "end", "open", "rule", "score", "secret")

    def __init__(
        self, begin: int, end: int, rule: str, category: str, score: float, *, secret: bool, open_: bool
    ) -> None:
        self.begin = begin
        self.end = end
        self.rule = rule
        self.category = category
        self.score = score
        self.secret = secret
        self.open = open_
