"""Tool calls one after the other, for dialects whose blocks cannot be taken up again once they are closed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from seekway.core.errors import BackendProtocolError
from seekway.core.types import Event, Finish, ToolCallDelta, Usage


class UnbrokenCalls:
    """Lets events through in their order, but holds back what comes between the pieces of a call until the call's arguments are whole JSON.

    What is held is given out call by call, and the texts and thoughts among it each in one.
    Backends nearly always send one call after the other, and then nothing is held. ``Usage`` and ``Finish`` are never held.
    """

    def __init__(self) -> None:
        self._call: int | None = None
        self._arguments = ""
        self._pieces: list[str] = []
        self._done: set[int] = set()
        self._held: dict[int | str, list[Event]] = {}

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        """Raises ``BackendProtocolError`` for arguments that go on after their end."""
        if self._call is None and not any(isinstance(event, ToolCallDelta) for event in events):
            return events
        out: list[Event] = []
        for event in events:
            while not self._take(event, out):
                self._leave(out)
        return out

    def end(self) -> list[Event]:
        """What is still held; calls that never became whole are given as they are."""
        held, self._held = self._held, {}
        return [event for events in held.values() for event in events]

    def _take(self, event: Event, out: list[Event]) -> bool:
        """False when the open call is over and must be left first; the event is then to be judged anew."""
        if isinstance(event, ToolCallDelta):
            if event.index == self._call:
                self._pieces.append(event.arguments)
                out.append(event)
                return True
            if event.index in self._done:
                if event.arguments.strip():
                    raise BackendProtocolError("The model's tool call went on after its end; send the request again.")
                return True
        if self._call is None:
            if isinstance(event, ToolCallDelta):
                self._open(event.index, [event])
            out.append(event)
        elif isinstance(event, Usage | Finish):
            out.append(event)
        elif self._whole():
            return False
        else:
            lane = event.index if isinstance(event, ToolCallDelta) else type(event).__name__
            self._held.setdefault(lane, []).append(event)
        return True

    def _leave(self, out: list[Event]) -> None:
        """Be done with the open call and give out what waited for it, up to a call that is not whole: that one is open then."""
        while self._call is not None and self._whole():
            self._done.add(self._call)
            self._call = None
            while self._held and self._call is None:
                lane = next(iter(self._held))
                events = self._held.pop(lane)
                out += events
                if isinstance(lane, int):
                    self._open(lane, events)

    def _open(self, call: int, events: list[Event]) -> None:
        self._call, self._arguments = call, ""
        self._pieces = [event.arguments for event in events if isinstance(event, ToolCallDelta)]

    def _whole(self) -> bool:
        if self._pieces:
            self._arguments = "".join((self._arguments, *self._pieces))
            self._pieces.clear()
        # A glance at the end spares decoding what is plainly unfinished.
        return self._arguments.rstrip().endswith("}") and is_object(self._arguments)


def is_object(text: str) -> bool:
    """Whether ``text`` is a whole JSON object."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
