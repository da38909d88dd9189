"""HTTP/1.1 messages as the harness reads them: whole ones, and answers piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    raw: bytes
    """With the empty line that ends it."""
    start: bytes
    fields: dict[bytes, bytes]
    """Names in lower case."""

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.start.split(b" ", 2)[1])

    @property
    def length(self) -> int:
        return int(self.fields.get(b"content-length", b"0"))

    @property
    def chunked(self) -> bool:
        return self.fields.get(b"transfer-encoding", b"").lower() == b"chunked"


@dataclass(frozen=True)
class Message:
    head: Head
    body: bytes
    raw: bytes

    @property
    def start(self) -> bytes:
        return self.head.start


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Raises ``IncompleteReadError`` when the connection ends before; its ``partial`` is empty when nothing came at all."""
    raw = await reader.readuntil(b"\r\n\r\n")
    start, *lines = raw[:-4].split(b"\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return Head(raw, start, fields)


async def read_pieces(reader: asyncio.StreamReader, head: Head) -> AsyncGenerator[tuple[bytes, bytes]]:
    """The body as ``(bytes on the wire, data)``: one a chunk, the last chunk with no data, or one in all."""
    if not head.chunked:
        data = await reader.readexactly(head.length)
        yield data, data
        return
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        data = await reader.readexactly(size + 2)
        yield line + data, data[:-2]
        if not size:
            return


async def read_message(reader: asyncio.StreamReader) -> Message:
    head = await read_head(reader)
    wire = bytearray(head.raw)
    body = bytearray()
    async for raw, data in read_pieces(reader, head):
        wire += raw
        body += data
    return Message(head, bytes(body), bytes(wire))
