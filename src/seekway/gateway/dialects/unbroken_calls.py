"""Tool calls one after the other, for dialects whose blocks cannot be taken up again once they are closed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from seekway.core.errors import BackendProtocolError
from seekway.core.types import Event, Finish, ToolCallDelta, Usage


class UnbrokenCalls:
    """Lets events through in their order, but holds back what comes between the pieces of a call until the call's arguments are whole JSON.

    Backends nearly always send one call after the other, and then nothing is held.
    ``Usage`` and ``Finish`` are never held.
    """

    def __init__(self) -> None:
        self._call: int | None = None
        self._arguments: list[str] = []
        self._done: set[int] = set()
        self._held: list[Event] = []

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        """Raises ``BackendProtocolError`` for arguments that go on after their end."""
        if self._call is None and not any(isinstance(event, ToolCallDelta) for event in events):
            return events
        out: list[Event] = []
        for event in events:
            self._take(event, out)
        return out

    def end(self) -> list[Event]:
        """What is still held, call by call."""
        out: list[Event] = []
        while self._held:
            self._leave(out)
        return out

    def _take(self, event: Event, out: list[Event]) -> None:
        if isinstance(event, ToolCallDelta):
            if event.index == self._call:
                self._arguments.append(event.arguments)
                out.append(event)
                return
            if event.index in self._done:
                if event.arguments.strip():
                    raise BackendProtocolError("The model's tool call went on after its end; send the request again.")
                return
        if self._call is not None and not isinstance(event, Usage | Finish):
            if not self._whole():
                self._held.append(event)
                return
            if self._leave(out):
                self._take(event, out)
                return
        if isinstance(event, ToolCallDelta):
            self._call, self._arguments = event.index, [event.arguments]
        out.append(event)

    def _leave(self, out: list[Event]) -> bool:
        """Be done with the open call and take what waited for it; whether another call is open then."""
        if self._call is not None:
            self._done.add(self._call)
            self._call = None
        waiting, self._held = self._held, []
        for event in waiting:
            self._take(event, out)
        return self._call is not None

    def _whole(self) -> bool:
        text = "".join(self._arguments)
        self._arguments = [text]
        # A glance at the end spares decoding what is plainly unfinished.
        return text.rstrip().endswith("}") and is_object(text)


def is_object(text: str) -> bool:
    """Whether ``text`` is a whole JSON object."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
