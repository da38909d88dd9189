"""Where log lines are written; a full disk or a reader that has gone costs lines, never a request or the process."""

from __future__ import annotations

from typing import TextIO


class LogOutput:
    """Whole lines to ``out``. What could not be written is counted, and told as soon as something can be written again.

    The count is an upper bound: ``out`` may keep a few lines in its buffer and write them later.
    """

    def __init__(self, out: TextIO, *, json: bool) -> None:
        self._out = out
        self._json = json
        self.lost = 0

    def write(self, lines: str) -> None:
        """``lines`` end with a line break; never raises for what becomes of them."""
        text = self._confession() + lines if self.lost else lines
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):  # ValueError is what a closed file raises
            self.lost += lines.count("\n")
        else:
            self.lost = 0

    def flush(self) -> None:
        """Nothing waits here."""

    def _confession(self) -> str:
        if self._json:
            return f'{{"level":"error","event":"log lines lost","lines":{self.lost}}}\n'
        return f"{self.lost} log lines could not be written\n"
