"""A loopback proxy before one backend that passes its HTTP on, or does to it what networks and servers do.

``proxy.fault`` is a switch that may be turned at any time; it holds for the requests that come after.
Requests that were taken are counted in ``taken``, whether or not they ever reach the backend.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from tests.chaos.http_message import Head, Message, read_head, read_message, read_pieces
from tests.chaos.tale import asked

Kind = Literal["none", "half_open", "reset", "truncate", "corrupt", "slow_headers", "delay", "status"]
_CONNECT_S = 5.0


@dataclass(frozen=True)
class Fault:
    """``half_open`` says nothing more and never closes; ``reset`` resets, ``truncate`` closes as if all were well; ``corrupt`` spoils an event.

    ``after`` pieces of the answer's body are let through before. One request in ``every`` is hit.
    """

    kind: Kind = "none"
    after: int = 0
    every: int = 1
    seconds: float = 0.0
    """``slow_headers``: between two bytes; ``delay``: before the answer."""
    status: int = 503
    retry_after: str | None = None


NO_FAULT = Fault()


class FaultProxy:
    """``async with FaultProxy("a", port) as proxy``; ``port`` is the backend's."""

    def __init__(self, name: str, target: int) -> None:
        self.name = name
        self.fault = NO_FAULT
        self.taken: list[int] = []
        self.hits = 0
        """How many requests a fault has met."""
        self._target = target
        self._turn = itertools.count(1)
        self._port = 0
        # Held here and ended in __aexit__: connections begin and end as the gateway pleases, outside any task group of ours.
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    async def accept(self) -> None:
        """Listen, again on the same port after :meth:`refuse`."""
        self._server = await asyncio.start_server(self._open, "127.0.0.1", self._port, backlog=512)
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Listen no more, and reset every connection there is."""
        if self._server is not None:
            self._server.close()
        for writer in self._tasks.values():
            _reset(writer)

    def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks[task] = writer
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task).close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                while True:
                    request = await read_message(reader)
                    fault = self._fault_for(request)
                    if fault.kind == "status":
                        await _send(writer, _refusal(fault))
                        continue
                    if backend is None:
                        async with asyncio.timeout(_CONNECT_S):
                            backend = await asyncio.open_connection("127.0.0.1", self._target)
                    if not await self._relay(request, fault, backend, reader, writer):
                        return
        finally:
            if backend is not None:
                backend[1].close()

    def _fault_for(self, request: Message) -> Fault:
        number = asked(request.body)
        if number is None:
            # Health checks and lists of models meet what every request would.
            return self.fault if self.fault.every == 1 else NO_FAULT
        self.taken.append(number[0])
        if self.fault.kind == "none" or next(self._turn) % self.fault.every:
            return NO_FAULT
        self.hits += 1
        return self.fault

    async def _relay(
        self,
        request: Message,
        fault: Fault,
        backend: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        client: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """One request and its answer; False when the connection is done for."""
        await _send(backend[1], request.raw)
        head = await read_head(backend[0])
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "half_open" and not fault.after:
            await _until_gone(client)
            return False
        await _send_head(writer, head, fault)
        at = 0
        async for raw, data in read_pieces(backend[0], head):
            if at == fault.after and not await _spoil(fault, raw, data, client, writer):
                return False
            if not (fault.kind == "corrupt" and at == fault.after):
                await _send(writer, raw)
            at += 1
        return True


async def _spoil(
    fault: Fault, raw: bytes, data: bytes, client: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Do what ``fault`` does at its place in the body; False when nothing may follow."""
    if fault.kind == "half_open":
        await _until_gone(client)
    elif fault.kind == "reset":
        _reset(writer)
    elif fault.kind == "truncate":
        # Half a chunk, then an orderly end.
        await _send(writer, raw[: len(raw) // 2])
        writer.close()
    elif fault.kind == "corrupt":
        spoilt = data.replace(b'"choices"', b'"choi\xff{{', 1)
        await _send(writer, b"%x\r\n%b\r\n" % (len(spoilt), spoilt))
        return True
    else:
        return True
    return False


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _send_head(writer: asyncio.StreamWriter, head: Head, fault: Fault) -> None:
    if fault.kind != "slow_headers":
        await _send(writer, head.raw)
        return
    for at in range(len(head.raw)):
        await _send(writer, head.raw[at : at + 1])
        await asyncio.sleep(fault.seconds)


async def _until_gone(client: asyncio.StreamReader) -> None:
    while await client.read(65536):
        pass


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and not writer.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


def _refusal(fault: Fault) -> bytes:
    body = b'{"error":{"message":"A storm.","type":"server_error","code":null}}'
    fields = [f"HTTP/1.1 {fault.status} Storm", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    if fault.retry_after is not None:
        fields.append(f"Retry-After: {fault.retry_after}")
    return "\r\n".join((*fields, "", "")).encode() + body
