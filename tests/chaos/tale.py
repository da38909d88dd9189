"""What is asked and what must come back: every request has a number, and every token of its answer carries it."""

from __future__ import annotations

import re

MODEL = "chaos"
_ASKED = re.compile(rb"chaos #(\d+) of (\d+)")


def question(number: int, tokens: int) -> str:
    return f"chaos #{number} of {tokens}"


def asked(body: bytes) -> tuple[int, int] | None:
    """Number and tokens of the request in ``body``; None for one that is not of the load."""
    found = _ASKED.search(body)
    return (int(found[1]), int(found[2])) if found else None


def pieces(number: int, tokens: int) -> list[str]:
    """The answer, token by token: ``7.0 7.1 7.2 …``; a token that is missing, doubled, misplaced or another's shows."""
    return [f"{number}.{at} " for at in range(tokens)]
