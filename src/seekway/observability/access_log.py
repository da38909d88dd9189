"""One line a request: JSON written in batches, or a line for people at a terminal."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from seekway.core.sections.log import LogSettings
from seekway.observability.log_output import LogOutput
from seekway.observability.logging import is_console, make_logger, mask
from seekway.observability.record import RequestRecord

_FLUSH_S = 0.1
_MOST_WAITING = 256


class AccessLine(msgspec.Struct, omit_defaults=True):
    """Times in milliseconds. ``key`` is a key's public id."""

    timestamp: str
    level: str
    event: str
    request_id: str
    method: str
    path: str
    status: int
    duration_ms: float
    model: str = ""
    backend: str = ""
    tenant: str = ""
    key: str = ""
    cache: str = ""
    attempts: int = 0
    ttft_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str = ""
    error_type: str = ""


class AccessLog:
    """Lines wait at most ``_FLUSH_S`` for company and go out in one write; :meth:`flush` at the end of the process.

    Only JSON is batched: at a terminal somebody watches.
    """

    def __init__(self, settings: LogSettings, stream: TextIO | None = None) -> None:
        out = stream or sys.stderr
        self._out = LogOutput(out, json=True)
        self._console = make_logger(settings, stream) if is_console(settings, out) else None
        self._debug = settings.level == "debug"
        self._quiet = settings.level in ("warning", "error")
        self._waiting: list[bytes] = []
        self._encode = msgspec.json.Encoder().encode
        self._second = 0
        self._prefix = ""

    def write(self, record: RequestRecord) -> None:
        # Probes and scrapes come every few seconds and say nothing while they succeed.
        routine = record.status < 400 and record.route.startswith(("/health", "/metrics"))
        if self._quiet or (routine and not self._debug):
            return
        line = self._line(record, "debug" if routine else "info")
        if self._console is not None:
            fields = msgspec.to_builtins(line)
            for name in ("timestamp", "level", "event"):
                del fields[name]
            (self._console.debug if routine else self._console.info)("request", **fields)
            return
        self._waiting.append(self._encode(line))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)
        elif len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self._out.write((b"\n".join(lines) + b"\n").decode())

    def _line(self, record: RequestRecord, level: str) -> AccessLine:
        first = record.time_to_first_token_s()
        usage = record.usage
        return AccessLine(
            self._now(),
            level,
            "request",
            mask(record.request_id),
            record.method,
            record.path if record.path == record.route else mask(record.path),
            record.status,
            round(record.duration_s() * 1000, 2),
            record.model,
            record.backend,
            record.tenant,
            record.key_id,
            record.cache,
            record.attempts,
            None if first is None else round(first * 1000, 2),
            None if usage is None else usage.prompt_tokens,
            None if usage is None else usage.completion_tokens,
            record.finish_reason,
            record.error,
        )

    def _now(self) -> str:
        """ISO 8601 in UTC; the part up to the second is made once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{int((now - second) * 1e6):06d}Z"
