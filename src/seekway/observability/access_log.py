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
_PIPE_BYTES = 4096
"""What goes into a pipe in one piece: lines of several processes must not be mixed."""


class AccessLine(msgspec.Struct, omit_defaults=True):
    """Times in milliseconds. ``key`` is a key's public id; ``fallback`` the canary rule whose backends failed."""

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
    fallback: str = ""
    attempts: int = 0
    ttft_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str = ""
    error_type: str = ""
    guardrails: tuple[str, ...] = ()
    policy: str = ""
    language: str = ""
    trimmed_messages: int = 0


class AccessLog:
    """Records wait at most ``_FLUSH_S`` for company, and their lines are made and written together; :meth:`flush` at the end of the process.

    One after the other, lines cost half of what they do in between requests. Only JSON is batched: at a terminal somebody watches.
    """

    def __init__(self, settings: LogSettings, stream: TextIO | None = None) -> None:
        out = stream or sys.stderr
        self._out = LogOutput(out, json=True)
        self._console = make_logger(settings, stream) if is_console(settings, out) else None
        self._debug = settings.level == "debug"
        self._quiet = settings.level in ("warning", "error")
        self._waiting: list[RequestRecord] = []
        self._encode = msgspec.json.Encoder().encode
        self._second = 0
        self._prefix = ""

    def write(self, record: RequestRecord) -> None:
        # Probes and scrapes come every few seconds and say nothing while they succeed.
        if self._quiet:
            return
        if self._console is not None:
            routine = _is_routine(record)
            if routine and not self._debug:
                return
            fields = msgspec.to_builtins(self._line(record, "debug" if routine else "info", 0.0))
            for name in ("timestamp", "level", "event"):
                del fields[name]
            (self._console.debug if routine else self._console.info)("request", **fields)
            return
        self._waiting.append(record)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)
        elif len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            records, self._waiting = self._waiting, []
            since = time.time() - time.perf_counter()
            lines: list[bytes] = []
            size = 0
            for record in records:
                routine = _is_routine(record)
                if routine and not self._debug:
                    continue
                line = self._encode(self._line(record, "debug" if routine else "info", since))
                if size + len(line) >= _PIPE_BYTES:
                    self._write(lines)
                    lines, size = [], 0
                lines.append(line)
                size += len(line) + 1
            self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            self._out.write((b"\n".join(lines) + b"\n").decode())

    def _line(self, record: RequestRecord, level: str, since: float) -> AccessLine:
        """``since`` is when ``time.perf_counter`` was 0, in seconds since 1970."""
        first = record.time_to_first_token_s()
        usage = record.usage
        return AccessLine(
            self._timestamp(since + (record.ended or time.perf_counter())),
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
            record.fallback,
            record.attempts,
            None if first is None else round(first * 1000, 2),
            None if usage is None else usage.prompt_tokens,
            None if usage is None else usage.completion_tokens,
            record.finish_reason,
            record.error,
            record.guardrails,
            record.policy,
            record.language,
            record.trimmed_messages,
        )

    def _timestamp(self, at: float) -> str:
        """ISO 8601 in UTC; the part up to the second is made once a second."""
        second = int(at)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{int((at - second) * 1e6):06d}Z"


def _is_routine(record: RequestRecord) -> bool:
    return record.status < 400 and record.route.startswith(("/health", "/metrics"))
