"""An application's answer on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from seekway.app.app_client import Answered, Piece, Step

_LONGEST = 160


class AppScreen:
    """The answer goes to ``out``, all else to ``notes``."""

    def __init__(self, out: Console, notes: Console) -> None:
        self._out = out
        self._notes = notes
        self._began = False
        self._answered: Answered | None = None

    def show(self, event: Piece | Step | Answered) -> None:
        match event:
            case Piece(text=text, instead=instead):
                if instead:
                    self._notes.print()
                    self._notes.print(Text("The answer was withdrawn; in its place:", style="yellow"))
                if text:
                    self._began = True
                    self._out.print(text, end="")
            case Step():
                if self._began:
                    self._notes.print()
                shown = " ".join(event.observation.split())[:_LONGEST]
                self._notes.print(Text(f"→ {event.tool} {event.tool_input[:_LONGEST]}\n  {shown}", style="dim"))
            case Answered():
                self._answered = event

    def end(self) -> None:
        self._out.print()
        if self._answered is None:
            return
        for source in self._answered.sources:
            self._notes.print(Text(f"[{source.position}] {source.document_name} · {source.score:.2f}", style="dim"))
        if self._answered.conversation:
            self._notes.print(Text(f"conversation {self._answered.conversation}", style="dim"))
