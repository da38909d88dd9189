"""A provider's keys kept out of what its tools say: a service may repeat the request that it was sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from seekway.applications.tools.tool import Calling, RunnableTool, ToolResult
from seekway.core.errors import ToolFailed
from seekway.core.types import JsonSchema

MASK: Final = "[concealed]"
_SHORTEST: Final = 6
"""Of what is looked for: a shorter text stands in too many others."""


def concealing(tools: Sequence[RunnableTool], secrets: Iterable[str]) -> Sequence[RunnableTool]:
    """``tools`` without ``secrets`` in their answers and errors. Of ``Bearer KEY`` the key alone counts too."""
    hidden = {part for secret in secrets for part in (secret, secret.rpartition(" ")[2]) if len(part) >= _SHORTEST}
    longest_first = sorted(hidden, key=len, reverse=True)
    return [_ConcealingTool(tool, longest_first) for tool in tools] if hidden else tools


class _ConcealingTool:
    def __init__(self, tool: RunnableTool, secrets: Sequence[str]) -> None:
        self._tool = tool
        self._secrets = secrets

    @property
    def name(self) -> str:
        return self._tool.name

    @property
    def label(self) -> str:
        return self._tool.label

    @property
    def description(self) -> str:
        return self._tool.description

    @property
    def parameters(self) -> JsonSchema:
        return self._tool.parameters

    async def call(self, arguments: Mapping[str, Any], calling: Calling, /) -> ToolResult:
        try:
            result = await self._tool.call(arguments, calling)
        except ToolFailed as error:
            raise ToolFailed(self._without(error.message)) from error
        return msgspec.structs.replace(result, text=self._without(result.text))

    def _without(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text
