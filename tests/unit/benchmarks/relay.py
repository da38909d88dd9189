"""A server between load client and mock upstream that spoils answers, one connection at a time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Generator

Spoil = Callable[[bytes], bytes]
"""Takes a right answer's body, gives the bytes of a whole HTTP answer; whatever it leaves out never comes."""


@contextlib.contextmanager
def relay(upstream: int, spoil: Spoil) -> Generator[int]:
    """Answers every request with ``spoil`` of the mock upstream's own answer, then closes. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, upstream, spoil))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread out of accept
            thread.join(10)


def _serve(listener: socket.socket, upstream: int, spoil: Spoil) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, contextlib.suppress(ConnectionError):
            client.settimeout(10)
            client.sendall(spoil(_answer(upstream, _request_body(client))))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):  # until the client has gone too, so that nothing sent is lost in a reset
                pass


def _request_body(client: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        got += client.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return body


def _answer(upstream: int, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=10)
    try:
        connection.request("POST", "/v1/chat/completions", body)
        return connection.getresponse().read()
    finally:
        connection.close()


def with_length(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode() + body


def chunked(body: bytes, size: int = 4096, *, end: bool = True) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    text = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + text
        + (b"0\r\n\r\n" if end else b"")
    )
