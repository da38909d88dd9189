"""uvicorn's HTTP protocol with what it lacks against abuse: bounds on a request's head, in time and size, and the envelope for what is no HTTP."""

from __future__ import annotations

import asyncio
import http
import re
from typing import Any, cast

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from seekway.core.errors import InvalidRequest, RequestTimeout, SeekwayError
from seekway.gateway.dialects.openai_errors import encode_error

MOST_HEAD_BYTES = 64 * 1024
_MOST_FRAMING = 16


_UPGRADE = re.compile(rb"(?<=\r\n)upgrade(?=:)", re.IGNORECASE)


def _without_upgrade(data: bytes) -> bytes:
    """``data``, which begins with a head or a part of one, with ``Upgrade`` under another name.

    A server may ignore the header (RFC 9110, 7.8), and then the request is one of HTTP/1.1 like any other; the parser would leave out its body.
    The name is as long as the other, so that nothing of the framing changes.
    """
    found = _UPGRADE.search(data)
    if found is None:
        return data
    end = data.find(b"\r\n\r\n") + 2
    head = data[:end] if end > 1 else data
    return _UPGRADE.sub(b"ignored", head) + data[len(head) :]


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers do not come within ``head_timeout_s`` or are larger than ``MOST_HEAD_BYTES``.

    The first head is awaited from the connection's beginning, later ones from their first byte; between requests ``timeout_keep_alive`` holds.
    What a client still sends of a body that is answered already is taken for ``head_timeout_s``, and chunks may not be mostly framing.
    """

    head_timeout_s = 15.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = False
        self._in_message = False
        self._messages = 0
        self._body_bytes = 0
        self._framing_bytes = 0

    @property
    def _between_requests(self) -> bool:
        """Nothing of a request has come that is not answered."""
        return not (self._in_message or self._answering() or self.pipeline)

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - narrowed as uvicorn's own is
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        message, in_body, body_bytes = self._messages, self._in_message and not self._in_head, self._body_bytes
        if not in_body:
            data = _without_upgrade(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(InvalidRequest(f"The request's headers are larger than {MOST_HEAD_BYTES} bytes; send fewer."))
        if in_body and self._in_message and message == self._messages:
            self._framing_bytes += len(data) - (self._body_bytes - body_bytes)
            if self._framing_bytes > MOST_HEAD_BYTES + _MOST_FRAMING * self._body_bytes:
                self._refuse(InvalidRequest("The request's chunks are mostly framing; send larger ones."))
        if not self._answering():
            # Whatever came took away the timer of an idle connection.
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._messages += 1
        self._body_bytes = self._framing_bytes = 0
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is no header: whoever judged the head on the way here has not seen it.
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_headers_complete(self) -> None:
        # None only when the connection is lost.
        parser = cast("HttpRequestParser", self.parser)
        if parser.get_http_version() not in ("1.0", "1.1"):
            # The parser lets 0.9 and 2.0 pass, whose framing is another; what is raised here becomes a 400.
            raise InvalidRequest("Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        super().on_headers_complete()
        self._head_came()
        if parser.should_upgrade():
            # One whose header came in pieces: the parser passes over what stands behind it, so no later request can be told from it.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._in_message = False
        super().on_message_complete()
        if not self._answering():
            self._head_came()

    def send_400_response(self, msg: str) -> None:
        self._refuse(InvalidRequest("The request is not valid HTTP; see /docs."))

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_is_late)

    def _head_came(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._answering():
            # A pipelined head may wait behind an answer that is not read; that answer has its own deadline.
            self._await_head()
        elif self._in_head:
            self._refuse(RequestTimeout("The request's headers did not arrive in time; send it again."))
        else:
            self.transport.close()

    def _answering(self) -> bool:
        # Not set before the first request, whatever its annotation says.
        cycle = cast("object | None", self.cycle)
        return cycle is not None and not self.cycle.response_complete

    def _refuse(self, error: SeekwayError) -> None:
        """The last words on a connection; into an answer that has begun none are put, and a request that has had its answer gets no second."""
        in_body = self._in_message and not self._in_head
        if not self._answering() and not in_body:
            body = encode_error(error)
            head = (
                f"HTTP/1.1 {error.status} {http.HTTPStatus(error.status).phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
