"""Answers as bytes, good, refusing, broken and spoilt, and what the good ones say."""

from __future__ import annotations

import gzip
import json

from seekway.core.types import Event, Finish, ReasoningDelta, TextDelta, Usage
from tests.fakes.upstream import USAGE, content, finish

HELLO: list[Event] = [TextDelta("Hello"), TextDelta(" wörld"), Usage(7, 2), Finish("stop")]
EVENTS = [
    f"data: {item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)}\n\n".encode()
    for item in (content("Hello"), content(" wörld"), finish(), USAGE, "[DONE]")
]
WELL = b"".join(EVENTS)
CHAT = json.dumps(
    {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "reasoning_content": "Hm"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
    }
).encode()
WHOLE: list[Event] = [ReasoningDelta("Hm"), TextDelta("Hello"), Usage(7, 2), Finish("stop")]
OK = b"HTTP/1.1 200 OK\r\n"
STREAM = b"Content-Type: text/event-stream\r\n"
JSON = b"content-type: application/json; charset=utf-8\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"


def length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


STREAMED: dict[str, bytes] = {
    "chunks": OK + STREAM + CHUNKED + b"\r\n" + chunks(*EVENTS) + b"\r\n",
    "odd chunks": OK + STREAM + CHUNKED + b"\r\n" + chunks(WELL[:41], WELL[41:45], WELL[45:]) + b"\r\n",
    "trailers and extensions": OK
    + STREAM
    + CHUNKED
    + b"\r\n"
    + chunks(WELL).replace(b"\r\n", b';a="b"\r\n', 1)
    + b"X-Checksum: 1\r\n\r\n",
    "a length": OK + STREAM + length(WELL),
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    + OK
    + STREAM
    + length(WELL),
    "a close": OK + STREAM + b"Connection: close\r\n" + length(WELL),
    "HTTP/1.0 with a length": b"HTTP/1.0 200 OK\r\n" + STREAM + length(WELL),
    "gzip": OK + STREAM + b"Content-Encoding: gzip\r\n" + length(gzip.compress(WELL, mtime=0)),
    "no done": OK + STREAM + length(b"".join(EVENTS[:-1])),
    "CRLF and comments": OK + STREAM + length(b": hello\r\n\r\n" + WELL.replace(b"\n", b"\r\n")),
    "no finish": OK + STREAM + length(b"".join(EVENTS[:2])),
    "a broken event": OK + STREAM + CHUNKED + b"\r\n" + chunks(EVENTS[0], b"data: {oops\n\n") + b"\r\n",
    "an error event": OK + STREAM + CHUNKED + b"\r\n" + chunks(EVENTS[0], b'data: {"error":{"message":"no"}}\n\n') + b"\r\n",
    "a rate limit": b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\n" + JSON + length(b'{"error":{"message":"slow"}}'),
    "a gzipped refusal": b"HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\n"
    + JSON
    + length(gzip.compress(b'{"error":{"message":"no"}}', mtime=0)),
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n" + length(b""),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an error with 200": OK + JSON + length(b'{"error":{"message":"no"}}'),
    "JSON unasked": OK + JSON + length(CHAT),
    "HTML": OK + b"Content-Type: text/html\r\n" + length(b"<html>"),
}  # fmt: skip
NOT_STREAMED: dict[str, bytes] = {
    "a length": OK + JSON + length(CHAT),
    "chunks": OK + JSON + CHUNKED + b"\r\n" + chunks(CHAT[:9], CHAT[9:]) + b"\r\n",
    "blank lines first": OK + JSON + CHUNKED + b"\r\n" + chunks(b"\n", b"\n\n", CHAT) + b"\r\n",
    "gzip": OK + JSON + b"Content-Encoding: gzip\r\n" + length(gzip.compress(CHAT, mtime=0)),
    "no JSON": OK + JSON + length(b"<html>"),
    "a stream unasked": OK + STREAM + length(WELL),
    "brotli": OK + JSON + b"Content-Encoding: br\r\n" + length(b"\x8b\x00\x80"),
    "an overload": b"HTTP/1.1 503 Busy\r\nretry-after: 2\r\n" + length(b"busy"),
}
SPOILT: dict[str, bytes] = {
    "garbage": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "garbage before the status line": b"x" + OK + STREAM + length(WELL),
    "HTTP/2": b"HTTP/2.0 200 OK\r\n" + STREAM + length(WELL),
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n" + STREAM + length(WELL),
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a folded header": OK + b"X-A: b\r\n c\r\n" + STREAM + length(WELL),
    "a space before the colon": OK + b"Content-Length : 5\r\n" + STREAM + length(WELL),
    "two lengths": OK + STREAM + b"Content-Length: 5\r\n" + length(WELL),
    "one length twice": OK + STREAM + b"Content-Length: %d\r\n" % len(WELL) + length(WELL),
    "a signed length": OK + STREAM + b"Content-Length: +%d\r\n\r\n" % len(WELL) + WELL,
    "a length beside chunks": OK + STREAM + CHUNKED + b"Content-Length: 5\r\n\r\n" + chunks(WELL) + b"\r\n",
    "chunks beside a length": OK + STREAM + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n" + chunks(WELL) + b"\r\n",
    "chunks twice": OK + STREAM + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunks(WELL) + b"\r\n",
    "chunks in two headers": OK + STREAM + CHUNKED * 2 + b"\r\n" + chunks(WELL) + b"\r\n",
    "chunks under another coding": OK + STREAM + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks(WELL) + b"\r\n",
    "a coding that is not chunks": OK + STREAM + b"Transfer-Encoding: identity\r\n\r\n" + WELL,
    "a size that is none": OK + STREAM + CHUNKED + b"\r\n0x5\r\nhello\r\n",
    "a negative size": OK + STREAM + CHUNKED + b"\r\n-5\r\nhello\r\n",
    "a size beyond all bounds": OK + STREAM + CHUNKED + b"\r\nfffffffffffffffff\r\nhello\r\n",
    "a chunk longer than it says": OK + STREAM + CHUNKED + b"\r\n5\r\nhello!\r\n",
    "bare line feeds": (OK + STREAM).replace(b"\r\n", b"\n") + b"\n",
    "a NUL in a header": OK + b"X-A: \x00\r\n" + STREAM + length(WELL),
    "a head without end": OK + b"X-A: b\r\n" * 20_000,
    "one header without end": OK + b"X-A: " + b"b" * 100_000,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
}
