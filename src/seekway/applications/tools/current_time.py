"""The time, for models that do not know it."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any, Final

from seekway.applications.tools.tool import Calling, ToolResult
from seekway.core.errors import ToolFailed
from seekway.core.types import JsonSchema

_SCHEMA: Final[JsonSchema] = {
    "type": "object",
    "properties": {
        "timezone": {
            "type": "string",
            "description": "A name such as Asia/Shanghai or Europe/Berlin; UTC where none is given.",
        }
    },
}


class CurrentTime:
    """``clock`` gives Unix seconds; ``fixed`` may name the time zone."""

    name = "current_time"
    label = "Current time"
    description = "The date, the weekday and the time now, in a time zone."

    def __init__(self, clock: Callable[[], float], fixed: Mapping[str, Any]) -> None:
        self._clock = clock
        self._zone = str(fixed.get("timezone") or "")

    @property
    def parameters(self) -> JsonSchema:
        return {"type": "object", "properties": {}} if self._zone else _SCHEMA

    async def call(self, arguments: Mapping[str, Any], calling: Calling) -> ToolResult:
        name = self._zone or str(arguments.get("timezone") or "UTC")
        try:
            zone = zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ToolFailed(f"There is no time zone {name!r}; use a name such as Asia/Shanghai.") from error
        now = datetime.datetime.fromtimestamp(self._clock(), zone)
        return ToolResult(f"{now:%Y-%m-%d %H:%M:%S} {now:%A}, {name} (UTC{now:%z})")
