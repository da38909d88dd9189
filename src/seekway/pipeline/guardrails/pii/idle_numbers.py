"""A first look at the numbers of a text: most are a year, an amount or a count, and nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seekway.pipeline.guardrails.pii.numbers import LEAST, has_word_beside
from seekway.pipeline.guardrails.pii.spelled import may_be_birth_date, may_be_street
from seekway.pipeline.guardrails.pii.window import MOST_BETWEEN, Piece, Window

_MOST_DIGITS: Final = 10
"""Eleven may be a mobile number, or begin with a country's zeros."""
_CAPITALS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BEFORE_PLATE: Final = 3
"""Characters before the digits of a plate in which its letter stands."""


def are_idle(window: Window, pieces: Sequence[Piece]) -> bool:
    """Whether no number among ``pieces``, which are all that may be of what is new, can be personal data; False where that takes a closer look.

    Only digits that stand by themselves are: no group of digits near, no sign of a country or of a fraction before them, no word beside them
    that personal data stand beside, and too few to tell by themselves. Addresses of machines are looked for apart from this.
    """
    folded = window.folded
    is_ascii = window.text.isascii()
    if b"\x03" in folded:
        return False  # degrees
    end = -MOST_BETWEEN - 1
    for piece in pieces:
        begin = piece.begin
        if begin - end <= MOST_BETWEEN or not piece.text.isdigit():
            return False
        end = piece.end
        size = end - begin
        if size > _MOST_DIGITS or (begin and folded[begin - 1] in b"+(."):
            return False
        if size >= LEAST and has_word_beside(window, begin):
            return False
        if not is_ascii and not _CAPITALS.isdisjoint(folded[max(0, begin - _BEFORE_PLATE) : begin]):
            return False
    return not (may_be_birth_date(window, pieces) or may_be_street(window, pieces))
