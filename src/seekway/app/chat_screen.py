"""How a chat looks: thinking apart, dim and under its heading, then the answer."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from seekway.app.chat_client import Finished, Said

# A model's words must not steer the terminal: everything of C0 and C1 but tab and line feed goes.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_THINKING = "dim italic"


class ChatScreen:
    """Prints one answer after another. Thinking goes to ``notes`` where ``answers`` is no terminal, so that a pipe gets the answer alone."""

    def __init__(self, answers: Console, notes: Console, *, show_thinking: bool = True) -> None:
        self._answers = answers
        self._notes = notes
        self._thoughts = answers if answers.is_terminal else notes
        self._show_thinking = show_thinking
        self._thinking = False
        self._begun = False

    def begin(self) -> None:
        self._thinking = False
        self._begun = False

    def say(self, said: Said) -> None:
        text = _CONTROLS.sub("", said.text)
        if said.thinking:
            if not self._show_thinking:
                return
            if not self._thinking:
                self._thoughts.print(Text("thinking", style="bold dim"))
                self._thinking = True
                text = text.lstrip()
            self._print(self._thoughts, text, _THINKING)
            return
        if not self._begun:
            if self._thinking:
                self._thoughts.print("\n")
            text = text.lstrip("\n")
            self._begun = bool(text)
        self._print(self._answers, text)

    def end(self, finished: Finished | None, *, stats: bool) -> None:
        """After the answer, or after it was stopped (``finished`` None)."""
        if self._begun or not self._thinking:
            self._answers.print()
        else:
            self._thoughts.print()
        if finished is None:
            self._notes.print(Text("(stopped)", style="yellow"))
        elif finished.reason == "length":
            self._notes.print(Text("(cut off: the most tokens were reached)", style="yellow"))
        if finished is not None and stats:
            self._notes.print(Text(stats_line(finished), style="dim"))

    def _print(self, console: Console, text: str, style: str = "") -> None:
        console.print(Text(text, style=style), end="")
        console.file.flush()


def stats_line(finished: Finished) -> str:
    parts = [f"first token {finished.first_token_s:.2f} s"]
    if finished.tokens is not None:
        parts.append(f"{finished.tokens} tokens in {finished.total_s:.2f} s")
    if (rate := finished.tokens_per_second) is not None:
        parts.append(f"{rate:.1f} tokens/s")
    if finished.cached_tokens:
        parts.append(f"{finished.cached_tokens} prompt tokens from the cache")
    return " · ".join(parts)
