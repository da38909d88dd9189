"""Structured logs on standard error: lines for people on a terminal, JSON elsewhere; secrets are masked in every field.

An event is a name in lower case with underscores, what it is about before what happened to it (``process_died``, ``config_refused``);
the particulars are fields of their own. So it can be searched for, and counted, whatever the sentence of the day would be.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from seekway.core.sections.log import LogSettings
from seekway.observability.log_output import LogOutput

_SECRET = re.compile(r"(?i)(bearer\s+)[^\s\"',}]+|\b(?:(sk)-[a-z0-9_\-]{6,}|(app|dataset)-[a-z0-9]{16,})")
_SECRET_FIELDS = frozenset({"authorization", "api_key", "api-key", "x-api-key", "password", "secret"})
_MASK = "***"


def make_logger(settings: LogSettings, stream: TextIO | None = None) -> FilteringBoundLogger:
    """A logger of its own; nothing global is configured, so two in one process do not disturb each other."""
    out = stream or sys.stderr
    console = is_console(settings, out)
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if console:
        # The renderer writes tracebacks itself, so its lines are masked once more; the prettier formatters would show local variables.
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        processors += [mask_secrets, renderer, _mask_line]
    else:
        # The traceback becomes text before masking, since an exception's message may quote a key.
        processors += [structlog.processors.format_exc_info, mask_secrets, structlog.processors.JSONRenderer()]
    level = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
    return cast(
        "FilteringBoundLogger",
        structlog.wrap_logger(
            structlog.WriteLogger(cast("TextIO", LogOutput(out, json=not console))),
            processors=processors,
            wrapper_class=structlog.make_filtering_bound_logger(level[settings.level]),
            cache_logger_on_first_use=True,
        ),
    )


def is_console(settings: LogSettings, out: TextIO) -> bool:
    """Whether lines are for people."""
    return settings.format == "console" or (settings.format == "auto" and out.isatty())


def mask_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace Bearer tokens, API keys and secret fields by ``***``, also inside nested values."""
    return {key: _MASK if key.lower() in _SECRET_FIELDS else _masked(value) for key, value in event.items()}


def mask(text: str) -> str:
    if text.isalnum():
        # Every secret has a hyphen or a space before it.
        return text
    return _SECRET.sub(lambda match: (match.group(1) or f"{match.group(2) or match.group(3)}-") + _MASK, text)


def _mask_line(logger: WrappedLogger, method: str, line: EventDict) -> str:
    return mask(str(line))


def _masked(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return {k: _MASK if str(k).lower() in _SECRET_FIELDS else _masked(v) for k, v in items}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in cast("list[object] | tuple[object, ...]", value)]
    return value
