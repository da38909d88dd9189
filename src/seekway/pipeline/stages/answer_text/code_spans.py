"""Where Markdown's code begins and ends, so that changes to prose leave it alone (CommonMark 0.31, sections 4.5 and 6.1)."""

from __future__ import annotations

from typing import Final

MOST_RUN: Final = 256


class CodeSpans:
    """Fed with runs of backticks and line ends in order; three and more open a block, fewer a span that no line end crosses.

    Taking a span to end with its line is narrower than CommonMark, so that a lone backtick does not turn the rest of an answer into code.
    """

    def __init__(self) -> None:
        self._run = 0

    @property
    def inside(self) -> bool:
        return self._run > 0

    @property
    def in_block(self) -> bool:
        return self._run >= 3

    def backticks(self, run: int) -> None:
        if not self._run:
            self._run = run
        elif run == self._run or (self._run >= 3 and run > self._run):
            self._run = 0

    def line_end(self) -> None:
        if self._run < 3:
            self._run = 0


def run_length(text: str, at: int) -> int:
    """How often the character at ``at`` stands there in a row, up to ``MOST_RUN``; a longer run is several."""
    end = at
    while end < len(text) and text[end] == text[at] and end - at < MOST_RUN:
        end += 1
    return end - at


def may_go_on(text: str, at: int, run: int) -> bool:
    """Whether more of the run may follow."""
    return at + run == len(text) and run < MOST_RUN
