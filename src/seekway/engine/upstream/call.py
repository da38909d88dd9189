"""One request to a backend and what becomes of it, as the connection that carries it tells."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

from seekway.core.errors import SeekwayError

if TYPE_CHECKING:
    from seekway.engine.upstream.connection import Connection
    from seekway.engine.upstream.pool import Pool

_INFLATED_PIECE = 1024 * 1024


class Call:
    """Base of what is sent over a connection; a subclass takes the answer.

    The pool and the connection call ``answered`` once, ``received`` any number of times, then ``finished`` once;
    or, at any point and in place of all that would follow, ``lost`` once.
    ``deadline`` and ``patience`` (for a connection, while there is none) are on the loop's clock.
    """

    __slots__ = (
        "connection", "deadline", "inflate", "media_type", "over", "patience", "paused", "payload", "pool",
        "retry_after", "status", "total",
    )  # fmt: skip

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.payload = b""
        self.deadline = math.inf
        self.patience = math.inf
        self.connection: Connection | None = None
        self.paused = False
        self.over = False
        self.status = 0
        self.media_type = ""
        self.retry_after: str | None = None
        self.inflate: Inflate | None = None
        self.total: int = 0

    def answered(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The head has come; ``headers`` has lower-case names and is the connection's own, to be read now."""
        self.status = status
        media_type = headers.get(b"content-type")
        if media_type is not None:
            self.media_type = media_type_of(media_type)
        if status != 200 and (retry_after := headers.get(b"retry-after")) is not None:
            self.retry_after = retry_after.decode("latin-1")
        encoding = headers.get(b"content-encoding")
        if encoding is not None:
            self._encoded(encoding.decode("latin-1").strip().lower())

    def _encoded(self, encoding: str) -> None:
        if encoding in ("gzip", "x-gzip", "deflate"):
            self.inflate = Inflate()
        elif encoding not in ("", "identity"):
            self.give_up(self.pool.failures.encoded(encoding))

    def received(self, data: bytes) -> None:
        """Some of the body, as it came over the wire."""
        raise NotImplementedError

    def finished(self) -> None:
        """The body is whole, and the connection is in other hands already."""
        raise NotImplementedError

    def lost(self, error: SeekwayError) -> None:
        """Nothing more will come."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Let the connection, or the place in the queue, go; the caller of this wants to hear no more."""
        self.over = True
        self.pool.forget(self)

    def give_up(self, error: SeekwayError) -> None:
        """What came is not to be believed: close the connection and take ``error`` for the answer."""
        self.pool.forget(self)
        self.lost(error)

    def pause(self) -> None:
        self.paused = True
        if self.connection is not None and not self.over:
            self.connection.pause()

    def resume(self) -> None:
        self.paused = False
        if self.connection is not None:
            self.connection.resume()


class Inflate:
    """An answer in gzip or zlib form (RFC 1952, RFC 1950), piece by piece, so that a small answer cannot fill the memory at once."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=47)  # 32 + 15: either header, the largest window
        self._rest = b""

    def feed(self, data: bytes) -> None:
        self._rest += data

    def take(self) -> bytes:
        """The next piece, of at most a mebibyte; empty when more input is needed. Raises ``zlib.error`` for what is no such stream."""
        if not self._rest or self._stream.eof:
            return b""
        piece = self._stream.decompress(self._rest, _INFLATED_PIECE)
        self._rest = self._stream.unconsumed_tail
        return piece

    @property
    def whole(self) -> bool:
        return self._stream.eof


_MEDIA_TYPES = {
    b"application/json": "application/json",
    b"text/event-stream": "text/event-stream",
    b"text/event-stream; charset=utf-8": "text/event-stream",
}


def media_type_of(header: bytes) -> str:
    """``type/subtype`` in lower case, without parameters."""
    return _MEDIA_TYPES.get(header) or header.partition(b";")[0].strip().lower().decode("latin-1")
