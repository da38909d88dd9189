"""An incremental parser of server-sent events over bytes.

Source of the format: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
Lines end in LF, CRLF or CR; a leading byte order mark is dropped; an event cut off by the end of the stream is none.
"""

from __future__ import annotations

from typing import NamedTuple

from seekway.core.errors import BackendProtocolError

_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """``event`` is the type (``message`` unless the server names one), ``data`` the data lines joined by LF."""

    event: str
    data: bytes


class SseParser:
    """Feed it bytes as they come, split anywhere; it returns the events that they complete.

    ``max_bytes`` bounds one line and one event's data together; ``BackendProtocolError`` is raised beyond it,
    so that a server that never ends a line cannot fill the memory.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event = ""
        self._at_start = True
        self._after_cr = False

    def payloads(self, chunk: bytes) -> list[bytes]:
        """The data of the events that ``chunk`` completes, in order.

        Most reads are whole events of one ``data`` line each: those are cut out at once, and anything else is for :meth:`feed`.
        """
        if (
            self._line
            or self._data
            or self._event
            or not chunk.startswith(b"data: ")
            or not chunk.endswith(b"\n\n")
            or b"\r" in chunk
        ):
            return [event.data for event in self.feed(chunk)]
        if chunk.count(b"\n") == 2:
            data = [chunk[6:-2]]
        else:
            data = chunk[6:-2].split(b"\n\ndata: ")
            # A line feed that is left belongs to a blank line too many, another field or an event of several lines.
            for payload in data:
                if b"\n" in payload:
                    return [event.data for event in self.feed(chunk)]
        self._at_start = self._after_cr = False
        if len(chunk) > self._max_bytes:
            for payload in data:
                self._bound(len(payload) + 1)
        return data

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that ``chunk`` completes, in order."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if b"\r" in chunk:
            # A CR at the very end already ends the line; whether an LF belongs to it shows with the next bytes.
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            self._line += chunk
            self._bound(len(self._line))
            return []
        lines = chunk.split(b"\n")
        lines[0] = bytes(self._line) + lines[0]
        self._line = bytearray(lines.pop())
        self._bound(len(self._line))
        events: list[ServerSentEvent] = []
        for line in lines:
            event = self._take(line)
            if event is not None:
                events.append(event)
        return events

    def _take(self, line: bytes) -> ServerSentEvent | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_bytes += len(value) + 1
            self._bound(self._data_bytes)
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        event = ServerSentEvent(self._event or "message", b"\n".join(self._data)) if self._data else None
        self._data = []
        self._data_bytes = 0
        self._event = ""
        return event

    def _bound(self, size: int) -> None:
        if size > self._max_bytes:
            raise BackendProtocolError(
                f"The backend sent an event longer than {self._max_bytes} bytes; it is not a usable stream."
            )
