"""The application's knowledge bases, searched when the model finds that it needs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from seekway.applications.records import Source
from seekway.applications.tools.tool import Calling, ToolResult
from seekway.core.types import JsonSchema

FindSources = Callable[[Calling, str], Awaitable[Sequence[Source]]]
"""The passages of the application's knowledge bases that may answer a question."""

_SCHEMA: Final[JsonSchema] = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What to look for, as a question or in key words."}},
    "required": ["query"],
}


class KnowledgeSearch:
    name = "search_knowledge"
    label = "Knowledge"
    description = "Search the knowledge base. Use it for whatever may stand in the documents, and cite the numbers of what you use as [1]."
    parameters = _SCHEMA

    def __init__(self, find: FindSources) -> None:
        self._find = find

    async def call(self, arguments: Mapping[str, Any], calling: Calling) -> ToolResult:
        sources = tuple(await self._find(calling, str(arguments["query"])))
        if not sources:
            return ToolResult("Nothing was found.")
        return ToolResult(as_text(sources), sources)


def as_text(sources: Sequence[Source]) -> str:
    """As the model reads them, each with the number that it is cited by."""
    return "\n\n".join(f"[{source.position}] {source.document_name}\n{source.content}" for source in sources)
