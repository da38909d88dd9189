"""One answer of the model within an agent's work, gathered while it streams."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.types import ToolCall, ToolCallDelta


class Turn:
    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, tuple[str, str, list[str]]] = {}

    def say(self, text: str) -> None:
        self._text.append(text)

    def reason(self, text: str) -> None:
        self._reasoning.append(text)

    def call(self, delta: ToolCallDelta) -> None:
        known = self._calls.get(delta.index)
        if known is None:
            known = self._calls[delta.index] = (delta.id or f"call_{delta.index}", delta.name or "", [])
        known[2].append(delta.arguments)

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    def calls(self) -> Sequence[ToolCall]:
        return [ToolCall(key, name, "".join(parts)) for _, (key, name, parts) in sorted(self._calls.items())]
