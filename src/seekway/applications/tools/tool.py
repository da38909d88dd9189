"""What an agent knows of a tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from seekway.applications.records import AppRecord, Source
from seekway.core.caller import Caller
from seekway.core.types import JsonSchema


class ToolResult(msgspec.Struct, frozen=True):
    """``text`` is what the model reads; ``sources`` are passages in it, to be cited."""

    text: str
    sources: tuple[Source, ...] = ()


class Calling(msgspec.Struct, frozen=True):
    """For whom a tool is called. ``user`` is the caller's name for the end user."""

    app: AppRecord
    caller: Caller
    user: str


class RunnableTool(Protocol):
    @property
    def name(self) -> str:
        """Letters, digits, ``_`` and ``-``, at most 64."""
        ...

    @property
    def label(self) -> str:
        """For people."""
        ...

    @property
    def description(self) -> str: ...

    @property
    def parameters(self) -> JsonSchema:
        """Of an object: what the model fills in."""
        ...

    async def call(self, arguments: Mapping[str, Any], calling: Calling, /) -> ToolResult:
        """``arguments`` meet :attr:`parameters`. Raises ``ToolFailed`` with a sentence for the model, and other ``SeekwayError`` where going on makes no sense."""
        ...
