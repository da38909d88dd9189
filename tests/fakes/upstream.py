"""A loopback HTTP server that behaves or misbehaves byte by byte as a test's script says."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

STREAM = "Content-Type: text/event-stream"
JSON = "Content-Type: application/json"


class Received(NamedTuple):
    """One request as it came; ``connection`` counts from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Exchange:
    """What a script answers one request with."""

    def __init__(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.keep_alive = True
        self.client_gone = asyncio.Event()
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int, *headers: str) -> None:
        await self.send("\r\n".join((f"HTTP/1.1 {status} Scripted", *headers, "", "")).encode())

    async def answer(self, status: int, body: bytes, *headers: str) -> None:
        await self.head(status, f"Content-Length: {len(body)}", *headers)
        await self.send(body)

    async def stream(self, *headers: str) -> None:
        """Begin a chunked stream of events."""
        await self.head(200, STREAM, "Transfer-Encoding: chunked", *headers)

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def event(self, data: object) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        await self.chunk(f"data: {text}\n\n".encode())

    async def end(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def until_gone(self) -> None:
        """Say nothing until the client closes the connection."""
        self.keep_alive = False
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass
        self.client_gone.set()

    def hang_up(self) -> None:
        """Close without another byte."""
        self.keep_alive = False
        self._writer.close()

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.keep_alive = False
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


class FakeUpstream:
    """``async with FakeUpstream(script) as upstream``; each request runs the next script, the last one again and again."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._scripts = list(scripts)
        self._tls = tls
        # Held here and ended in __aexit__: connections begin and end as the client pleases, outside any task group of ours.
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        try:
            while (request := await _read_request(reader, connection)) is not None:
                self.requests.append(request)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                exchange = Exchange(request, reader, writer)
                await script(exchange)
                if not exchange.keep_alive:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode().split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body, connection)


def content(text: str, **choice: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}, **choice}]}


def finish(reason: str = "stop", **choice: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason, **choice}]}


USAGE: dict[str, object] = {
    "choices": [],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
}


async def good_chat(exchange: Exchange) -> None:
    """A well-behaved answer, "Hello world"."""
    await exchange.stream()
    await exchange.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    await exchange.event(content("Hello"))
    await exchange.event(content(" world"))
    await exchange.event(finish())
    await exchange.event(USAGE)
    await exchange.event("[DONE]")
    await exchange.end()
