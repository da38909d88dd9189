"""How a served process tells its supervisor how it does: JSON lines over an inherited socket.

The same socket's end-of-file tells the process that its supervisor is gone, however it went, so that none is left behind.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec

from seekway.core.errors import SeekwayError


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """A step of starting in plain English; ``fraction`` of the whole start, 0 to 1."""

    step: str
    fraction: float


class Listening(msgspec.Struct, frozen=True, tag="listening"):
    """The port is bound; ``address`` is ``host:port``. Models may still be loading."""

    address: str


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Serving."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It will not serve; ``code`` and ``message`` as in :mod:`seekway.core.errors`."""

    code: str
    message: str


Status = Progress | Listening | Ready | Failed
_DECODER = msgspec.json.Decoder(Status)


class StatusChannel:
    """The served process's end. Without a descriptor (started by hand) it says nothing and never closes."""

    def __init__(self, fd: int | None) -> None:
        self._socket = None if fd is None else socket.socket(fileno=fd)
        if self._socket is not None:
            self._socket.setblocking(False)

    def send(self, status: Status) -> None:
        """Never blocks: a supervisor that does not read, or is gone, loses the line."""
        if self._socket is None:
            return
        try:
            self._socket.send(msgspec.json.encode(status) + b"\n")
        except OSError:
            return

    def fail(self, error: SeekwayError) -> None:
        self.send(Failed(code=error.code, message=error.message))

    async def supervisor_gone(self) -> None:
        """Returns when the supervisor closed its end or died; never without a supervisor."""
        if self._socket is None:
            await asyncio.Event().wait()
            return
        loop = asyncio.get_running_loop()
        try:
            while await loop.sock_recv(self._socket, 4096):
                pass
        except OSError:
            return


async def read_statuses(reader: asyncio.StreamReader) -> AsyncIterator[Status]:
    """The supervisor's end: statuses until the process closes its socket."""
    while line := await reader.readline():
        yield _DECODER.decode(line)
