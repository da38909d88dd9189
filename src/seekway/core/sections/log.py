"""Logs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least level logged.")] = "info"
    format: Annotated[
        Literal["auto", "console", "json"], Meta(description="`auto` is colour on a terminal, JSON elsewhere.")
    ] = "auto"
