"""Requests and answers as a reader who trusts nobody takes them apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import httptools

_CHANGING = re.compile(rb'[0-9a-f]{32}|"created(_at)?":[0-9.]+|fp_[0-9a-f]{12}|"(created_at|completed_at)":[0-9.]+')


_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [A-Za-z0-9 \-]+")
_FIELD = re.compile(rb"[a-z0-9\-]+: [^\x00-\x1f\x7f]*", re.IGNORECASE)
_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")


class Answer(NamedTuple):
    """``body`` is without its framing, and without ids and times."""

    status: int
    body: bytes


class Asked(NamedTuple):
    method: bytes
    target: bytes
    body: bytes
    headers: list[tuple[bytes, bytes]]
    """Without the trailers."""


class _Requests:
    def __init__(self) -> None:
        self.found: list[Asked] = []
        self.open = False
        self.closing = False
        self._target = b""
        self._body = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        self.open, self._target, self._body = True, b"", b""
        self._headers, self._in_head = [], True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.open = False
        if not self.closing:
            self.found.append(Asked(self.parser.get_method(), self._target, self._body, self._headers))
        # What stands behind the last request of a connection is nobody's.
        self.closing = self.closing or self.parser.get_http_version() == "1.0" or not self.parser.should_keep_alive()


class Reading(NamedTuple):
    """``broken``: after the requests came what is none, or what no reader can tell from an upgrade; ``open``: one has begun and not ended.

    ``upgrade``: the last request asked for another protocol, which the gateway may pass over and go on.
    """

    requests: list[Asked]
    broken: bool
    open: bool
    upgrade: bool = False


def read_requests(data: bytes) -> Reading:
    """Where the requests of a connection begin and end."""
    reader = _Requests()
    broken = False
    try:
        reader.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        return Reading(reader.found, True, reader.open, upgrade=True)
    except httptools.HttpParserError:
        broken = True
    return Reading(reader.found, broken, reader.open)


def read_answers(data: bytes, requests: Sequence[Asked]) -> list[Answer]:
    """The whole answers in ``data``, which must hold nothing else; a last one that is cut off is left out.

    Read by the letter of RFC 9112, more strictly than clients read; ``requests`` tell which answers have no body.
    """
    found: list[Answer] = []
    while data:
        head, ended, rest = data.partition(b"\r\n\r\n")
        if not ended:
            break
        line, *fields = head.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(line)
        assert status, f"The gateway wrote what is no HTTP: {data[:300]!r}"
        assert all(_FIELD.fullmatch(field) for field in fields), f"A header is none: {head!r}"
        headers = [tuple(field.lower().split(b": ", 1)) for field in fields]
        code, data = int(status[1]), rest
        if code < 200:
            continue
        bodiless = len(found) < len(requests) and requests[len(found)].method == b"HEAD"
        body, data = (b"", rest) if bodiless else _body(headers, rest)
        if body is None:
            break
        found.append(Answer(code, _CHANGING.sub(b"*", body)))
    return found


def _body(headers: Sequence[tuple[bytes, ...]], rest: bytes) -> tuple[bytes | None, bytes]:
    framing = [field for field in headers if field[0] in (b"content-length", b"transfer-encoding")]
    assert len(framing) == 1, f"An answer's length is told {len(framing)} times: {headers}"
    if framing[0][0] == b"content-length":
        length = int(framing[0][1])
        return (rest[:length], rest[length:]) if len(rest) >= length else (None, b"")
    body = b""
    while found := _CHUNK.match(rest):
        size = int(found[1], 16)
        chunk, rest = rest[found.end() : found.end() + size + 2], rest[found.end() + size + 2 :]
        if len(chunk) < size + 2:
            return None, b""
        assert chunk.endswith(b"\r\n"), f"A chunk is longer than it says: {chunk!r}"
        if not size:
            return body, rest
        body += chunk[:-2]
    assert b"\r\n" not in rest, f"What stands for a chunk is none: {rest[:300]!r}"
    return None, b""
