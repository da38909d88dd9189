"""The model routes answered straight from the connection: no task, no ASGI message and no framework a request.

A request takes this path when it comes to an idle connection, its first line is one of the table's, its whole head is in the first read
and it says its body's length. Every other one takes uvicorn's and FastAPI's way and reaches the same operations through :mod:`seekway.gateway.asgi_call`.
"""

from __future__ import annotations

import http
import re
from typing import Any

import httptools

from seekway.gateway.client_writer import RawHeaders
from seekway.gateway.front import Front
from seekway.gateway.http_protocol import MOST_HEAD_BYTES, BoundedHttpProtocol
from seekway.gateway.model_call import ModelCall
from seekway.gateway.operations.table import FastRoute
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Headers

_MOST_BACKLOG = 64 * 1024
_LONGEST_LINE = 256
_MOST_KNOWN = 4096
"""Bytes of a head that is remembered: one is kept for each connection."""
_MOST_DIGITS = 15
_QUERY = re.compile(rb"\?[\w.~%&=+:@/,;-]* ")
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
_STATUS_LINES[529] = b"HTTP/1.1 529 Overloaded\r\n"
_CLIENT_CLOSED = b"HTTP/1.1 499 Client Closed Request\r\n"


class _Reader:
    """What httptools found: it judges every head and body length, so that both paths read HTTP alike."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = False
        self.complete = 0
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.keep_alive = self.parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.complete += 1


class _KnownHead:
    """A head that httptools has judged, but for the digits of its ``Content-Length``.

    The requests of a client mostly differ in nothing else, and the verdict on one of them is that on all.
    """

    __slots__ = ("after", "before", "headers", "keep_alive", "route")

    def __init__(self, head: bytes, digits: slice, route: FastRoute, headers: Headers, *, keep_alive: bool) -> None:
        self.before = head[: digits.start]
        self.after = head[digits.stop :]
        self.route = route
        self.headers = headers
        self.keep_alive = keep_alive

    def split(self, data: bytes) -> tuple[int, int] | None:
        """Where the body begins in ``data`` and how long it is; None where the head is another one."""
        if not data.startswith(self.before):
            return None
        start = len(self.before)
        after = self.after
        stop = data.find(after[:2], start, start + _MOST_DIGITS + 2)
        if stop < 0 or not data.startswith(after, stop):
            return None
        digits = data[start:stop]
        return (stop + len(after), int(digits)) if digits.isdigit() else None


class FastHttpProtocol(BoundedHttpProtocol):
    """A :class:`seekway.gateway.client_writer.ClientWriter` for the one call it answers at a time; what comes meanwhile waits, bounded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._front: Front | None = self.app_state.get("front")
        self._reader = _Reader()
        self._known: _KnownHead | None = None
        self._parsing = False
        """Whether the reader waits for the body."""
        self._call: ModelCall | None = None
        self._record: RequestRecord | None = None
        self._path = ""
        self._body: bytearray | None = None
        self._missing = 0
        self._discard = 0
        self._backlog = bytearray()
        self._pending_head = b""
        self._keep_alive = True
        self._idle_since: float | None = None
        self._unread = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self._front is not None:
            self._front.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._front is not None:
            self._front.connections.discard(self)
        self._backlog.clear()
        self._keep_alive = False
        if self._call is not None:
            self._call.gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._body is not None:
            self._take_body(data)
        elif self._call is not None or self._backlog:
            self._wait_behind(data)
        else:
            if self._discard:
                data = self._throw_away(data)
                if not data:
                    return
            if self._front is None or not self._between_requests or not self._begin_fast(self._front, data):
                self._idle_since = None
                super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._call is not None:
            self._call.hold()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._call is not None:
            self._call.go_on()

    def shutdown(self) -> None:
        if self._call is not None:
            self._keep_alive = False
        else:
            super().shutdown()

    def sweep(self, now: float) -> None:
        call = self._call
        if call is not None:
            if self._body is not None and now >= call.deadline:
                self._body = None
                self._keep_alive = False
                call.body_is_late()
        else:
            self._sweep_idle(now)

    # The call's writer.

    def answer(self, status: int, media_type: str, headers: RawHeaders, body: bytes) -> None:
        head = self._head(status, media_type, headers)
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))

    def begin(self, media_type: str, headers: RawHeaders) -> None:
        self._pending_head = self._head(200, media_type, headers) + b"transfer-encoding: chunked\r\n\r\n"

    def write(self, body: bytes) -> None:
        head, self._pending_head = self._pending_head, b""
        self.transport.write(b"%b%x\r\n%b\r\n" % (head, len(body), body))

    def finish(self, body: bytes) -> None:
        if body:
            self.write(body)
        self.transport.write(self._pending_head + b"0\r\n\r\n")
        self._pending_head = b""

    def _sweep_idle(self, now: float) -> None:
        """Cut off whoever neither asks nor reads; an answer that is still being read keeps its connection."""
        if self._idle_since is None:
            if not self.transport.is_closing():
                return
            self._idle_since = now
        unread, before = self.transport.get_write_buffer_size(), self._unread
        self._unread = unread
        if unread < before:
            self._idle_since = now
        elif now - self._idle_since >= (self.head_timeout_s if self._discard else self.timeout_keep_alive):
            self.transport.abort()

    def _begin_fast(self, front: Front, data: bytes) -> bool:
        """False when the other path must read this request."""
        known = self._known
        found = known.split(data) if known is not None else None
        if known is not None and found is not None and found[1] <= front.services.settings.max_body_bytes:
            self._head_came()
            self._unset_keepalive_if_required()
            self._idle_since = None
            self._parsing = False
            self._open(front, known, data, *found)
            return True
        return self._parse(front, data)

    def _parse(self, front: Front, data: bytes) -> bool:
        line = data[: data.find(b"\r\n", 0, _LONGEST_LINE)]
        route = front.fast.get(line)
        if route is None and b"?" in line:
            # Some clients add a query that means nothing here, such as ``?beta=true``.
            route = front.fast.get(_QUERY.sub(b" ", line, count=1))
        if route is None:
            return False
        end = data.find(b"\r\n\r\n", 0, MOST_HEAD_BYTES) + 4
        head = data[:end]
        digits = _body_length(head)
        if end < 4 or digits is None:
            return False
        length = int(head[digits])
        if length > front.services.settings.max_body_bytes:
            return False
        self._head_came()
        self._unset_keepalive_if_required()
        self._idle_since = None
        reader = self._reader
        reader.complete = 0
        try:
            reader.parser.feed_data(head)
        except httptools.HttpParserError:
            self.send_400_response("")
            return True
        if reader.complete != (length == 0):
            self.send_400_response("")
            return True
        known = _KnownHead(head, digits, route, Headers(reader.headers), keep_alive=reader.keep_alive)
        self._known = known if end <= _MOST_KNOWN else None
        self._parsing = True
        self._open(front, known, data, end, length)
        return True

    def _open(self, front: Front, known: _KnownHead, data: bytes, at: int, length: int) -> None:
        """``data`` has the body's beginning at ``at``."""
        route, headers = known.route, known.headers
        record = front.ledger.begin("POST", route.path, headers)
        record.route = self._path = route.path
        self._record = record
        self._keep_alive = known.keep_alive and not front.ledger.drain.draining
        call = self._call = ModelCall(front.services, route.operation, record, headers, self, self._call_over)
        self._missing = length
        end = at + length
        here = len(data)
        if not call.admit():
            # Answered already; what is left of its body is nobody's.
            self._discard = max(end - here, 0)
            self._backlog += data[end:]
            self._reader = _Reader()
            self._go_on_behind()
        elif here == end:
            self._run(call, data[at:])
        elif here > end:
            self._backlog += data[end:]
            self._run(call, data[at:end])
        else:
            self._body = bytearray(data[at:])

    def _take_body(self, data: bytes) -> None:
        body, call = self._body, self._call
        if body is None or call is None:
            return
        needed = self._missing - len(body)
        body += data[:needed]
        if len(data) >= needed:
            self._body = None
            self._backlog += data[needed:]
            self._run(call, bytes(body))

    def _run(self, call: ModelCall, body: bytes) -> None:
        if not self._parsing:
            call.run(self._path, body)
            return
        reader = self._reader
        if body:
            try:
                reader.parser.feed_data(body)
            except httptools.HttpParserError:
                reader.complete = 0
        if reader.complete != 1:
            # The two readings of where this request ends differ: nothing that follows on this connection can be trusted.
            self._keep_alive = False
            self._backlog.clear()
            self.send_400_response("")
            call.gone()
            return
        call.run(self._path, body)

    def _wait_behind(self, data: bytes) -> None:
        self._backlog += data
        if len(self._backlog) > _MOST_BACKLOG:
            self.flow.pause_reading()

    def _throw_away(self, data: bytes) -> bytes:
        thrown = min(self._discard, len(data))
        self._discard -= thrown
        if not self._discard:
            self._idle_since = self.loop.time()
        return data[thrown:]

    def _call_over(self) -> None:
        front, record = self._front, self._record
        self._call = self._record = self._body = None
        if front is not None and record is not None:
            front.ledger.ended(record)
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        if not self._keep_alive:
            self.transport.close()
        self._go_on_behind()

    def _go_on_behind(self) -> None:
        if self._backlog and not self.transport.is_closing():
            self.loop.call_soon(self._next)

    def _next(self) -> None:
        """The request that was sent before its predecessor was answered."""
        if self._call is None and self._backlog and not self.transport.is_closing():
            data = bytes(self._backlog)
            self._backlog.clear()
            self.flow.resume_reading()
            self.data_received(data)

    def _head(self, status: int, media_type: str, headers: RawHeaders) -> bytes:
        front, record = self._front, self._record
        # The server's own headers change once a second, with the date.
        defaults = self.server_state.default_headers
        if front is None or record is None:
            lines = [_first_lines(status, media_type, defaults)]
        else:
            if defaults is not front.head_defaults:
                front.head_defaults = defaults
                front.heads.clear()
            head = front.heads.get((status, media_type))
            if head is None:
                head = front.heads[status, media_type] = _first_lines(status, media_type, defaults)
            lines = [head, b"x-request-id: ", record.request_id.encode(), b"\r\n"]
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        if not self._keep_alive:
            lines.append(b"connection: close\r\n")
        return b"".join(lines)


def _first_lines(status: int, media_type: str, defaults: RawHeaders) -> bytes:
    lines = [_STATUS_LINES.get(status, _CLIENT_CLOSED), b"content-type: ", media_type.encode(), b"\r\n"]
    for name, value in defaults:
        lines += (name, b": ", value, b"\r\n")
    return b"".join(lines)


def _body_length(head: bytes) -> slice | None:
    """Where the digits of ``Content-Length`` stand, None where the head is not of the plain kind that is read here; httptools judges it afterwards."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0 or b"\r\ntransfer-encoding" in lowered or b"\r\nexpect" in lowered or b"\r\nupgrade" in lowered:
        return None
    end = lowered.find(b"\r\n", at + 2)
    value = lowered[at + 17 : end].lstrip(b" \t")
    start = end - len(value)
    digits = value.rstrip(b" \t")
    return slice(start, start + len(digits)) if digits.isdigit() and len(digits) <= _MOST_DIGITS else None
