"""A worker's standard output and error, line by line into the log, so that a native library's words are not lost."""

from __future__ import annotations

import asyncio
from collections import deque

from structlog.typing import FilteringBoundLogger

_READ_BYTES = 64 * 1024
_LINE_BYTES = 8 * 1024
_WORD_CHARACTERS = 300


class OutputLog:
    """Reads all the time, so that the worker never waits on a full pipe; remembers its last lines."""

    def __init__(self, model: str, log: FilteringBoundLogger) -> None:
        self._model = model
        self._log = log
        self._last: deque[str] = deque(maxlen=5)

    @property
    def last_words(self) -> str:
        """The last lines of standard error, for the reason of a failed start."""
        return " / ".join(self._last)

    async def read(self, stream: asyncio.StreamReader, name: str, pid: int) -> None:
        """Log ``stream`` until it ends; a line longer than 8 KiB comes in pieces."""
        rest = b""
        while data := await stream.read(_READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LINE_BYTES:
                lines.append(rest)
                rest = b""
            for line in lines:
                self._write(line, name, pid)
        self._write(rest, name, pid)

    def _write(self, raw: bytes, name: str, pid: int) -> None:
        line = raw.decode("utf-8", "replace").rstrip()
        if not line:
            return
        if name == "stderr":
            self._last.append(line[:_WORD_CHARACTERS])
        self._log.info("worker_output", model=self._model, pid=pid, stream=name, line=line)
