"""One kept-alive HTTP/1.1 connection to a backend: one request at a time, its answer parsed as it comes.

llhttp (through httptools) reads the framing in its strict mode: a folded header, a bare line feed, conflicting or repeated lengths,
a length beside chunks and a wrong chunk size are errors there. What it does not bound, heads, trailers and bytes that are no body,
is bounded here; what follows an answer that nobody asked for closes the connection and is never read as the next answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from seekway.engine.upstream.call import Call

if TYPE_CHECKING:
    from seekway.engine.upstream.pool import Pool

MAX_HEAD_BYTES = 64 * 1024
"""Bounds a head with the interim answers before it, and between two pieces of body the bytes that are none."""

_LENGTHS_READ = frozenset(
    map(len, ("content-type", "retry-after", "content-encoding", "content-length", "transfer-encoding"))
)


class Connection(asyncio.Protocol):
    """Made by the pool, and given back to it with ``Pool.put`` after each answer that leaves it usable."""

    __slots__ = (
        "_announced", "_complete", "_feed", "_framed", "_headers", "_interim", "_keep", "_loop",
        "_overhead", "_parser", "_paused", "_pieces", "_pool", "_status", "_transport", "_write",
        "call", "drain_until", "heard", "on_body", "reused", "since",
    )  # fmt: skip

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.call: Call | None = None
        self.reused = False
        self.heard = False
        self.since = 0.0
        self.drain_until = 0.0
        self._transport: asyncio.Transport | None = None
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        # The parser calls the list's own method: no Python frame for a piece of body.
        self.on_body = self._pieces.append
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data
        self._paused = False
        self._keep = False
        self._interim = False
        self._begin_answer()

    def _begin_answer(self) -> None:
        self._status = 0
        self._overhead = 0
        self._announced = False
        self._complete = False
        self._framed = False
        self._headers.clear()

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def complete(self) -> bool:
        """Whether the last byte of the answer has been parsed."""
        return self._complete

    def send(self, call: Call) -> None:
        """Write the request of ``call`` at once; its answer goes to it."""
        self.call = call
        call.connection = self
        self.heard = True
        self._write(call.payload)
        if call.paused:
            self.pause()

    def pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self.heard = True
            self._transport.resume_reading()

    def abort(self) -> Call | None:
        """Close now, without a word to the call that was under way, which is returned."""
        call, self.call = self.call, None
        if call is not None:
            call.connection = None
        if self._transport is not None:
            self._transport.abort()
        return call

    def is_silent(self, now: float, limit_s: float) -> bool:
        """Whether nothing came for ``limit_s``; asked again and again with the time, which is all the clock a connection has."""
        if self.heard or self._paused:
            self.heard = False
            self.since = now
            return False
        return now - self.since >= limit_s

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Both loops' TCP and TLS transports are of this kind, though not all say so by their class.
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write

    def data_received(self, data: bytes) -> None:
        call = self.call
        if call is None:
            # An idle connection has nothing to say; whatever this is, it is no answer to a request of ours.
            self._pool.drop(self)
            return
        broken = False
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade):
            broken = True
        if not self._announced and not self._announce(call, data, broken):
            return
        pieces = self._pieces
        if pieces:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._overhead = 0
            self.heard = True
            call.received(body)
            if self.call is not call:
                return
        elif not self._complete and self._beyond(len(data)):
            broken = True
        if self._complete:
            self._end(call, reusable=self._keep and not broken)
        elif broken:
            self._pool.fail(self, self._pool.failures.malformed())

    def connection_lost(self, exc: Exception | None) -> None:
        call, self.call = self.call, None
        self._transport = None
        self._pool.gone(self)
        if call is None:
            return
        call.connection = None
        if exc is None and self._announced and not self._framed and not self._complete:
            # An answer without a length ends where the connection does (RFC 9112, 6.3).
            self._complete = True
            self._pool.release()
            call.finished()
        elif self.reused and not self._announced and not self._overhead:
            # The backend closed it before it saw the request; the next connection is a new one, so this happens once.
            self._pool.retry(call)
        else:
            self._pool.release()
            call.lost(self._pool.failures.lost(begun=self._announced))

    def _announce(self, call: Call, data: bytes, broken: bool) -> bool:
        """Tell ``call`` of the head once it is whole; False when there is nothing more to do with ``data``."""
        if not self._status or (
            # The parser would take HTTP/2.0 in a status line for a version like any other.
            not data.startswith(b"HTTP/1.1 ") and self._parser.get_http_version() not in ("1.1", "1.0")
        ):
            if not self._overhead:
                self.heard = True  # the head's first byte is a sign of life, one that dribbles in is none
            if broken or self._status or self._beyond(len(data)):
                self._pool.fail(self, self._pool.failures.malformed())
            return False
        self._announced = True
        self._overhead = 0
        self.heard = True
        call.answered(self._status, self._headers)
        return self.call is call

    def _beyond(self, size: int) -> bool:
        self._overhead += size
        return self._overhead > MAX_HEAD_BYTES

    def _end(self, call: Call, *, reusable: bool) -> None:
        self.call = None
        call.connection = None
        if self._transport is not None and self._transport.get_write_buffer_size():
            # The answer came before the request was all sent: what is left of it would be read as the next.
            reusable = False
        if reusable:
            self._begin_answer()
            self.resume()
            self.reused = True
            self._pool.put(self)
        else:
            self._pool.drop(self)
            self._pool.release()
        call.finished()

    # What the parser calls, beside on_body.

    def on_message_begin(self) -> None:
        if self._complete:
            # Stops the parser, so that no byte of a second answer is taken for one of the first.
            raise HttpParserError("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name)
        if size in _LENGTHS_READ and not self._status:
            name = name.lower()
            if name == b"content-length":
                self._framed = True
            elif name == b"transfer-encoding":
                if self._headers.get(name) is not None or value.strip().lower() != b"chunked":
                    # The parser takes the last coding of a list for all of it.
                    raise HttpParserError("a transfer coding that nobody asked for")
                self._framed = True
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
        else:
            self._interim = True
            self._framed = False
            self._headers.clear()

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
            self.heard = True
        else:
            self._complete = True
            self._keep = self._parser.should_keep_alive()
