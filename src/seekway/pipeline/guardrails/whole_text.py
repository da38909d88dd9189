"""Checks of a whole text as a detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seekway.pipeline.guardrails.detector import Finding, Scan


class WholeText:
    """``check`` gives the findings of a text. In a stream it could only speak at the end, so that it is for texts that are whole."""

    context_chars = 0
    needs_whole = True

    def __init__(self, name: str, check: Callable[[str], Sequence[Finding]]) -> None:
        self._name = name
        self._check = check

    @property
    def name(self) -> str:
        return self._name

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        """What comes in pieces is not looked at."""
        return Scan(self._check(text) if final and not start else (), len(text))
