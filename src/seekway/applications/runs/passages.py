"""What the knowledge bases say to a question, before the model is asked."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from seekway.applications.definition import KnowledgeUse
from seekway.applications.ports import Passages
from seekway.applications.records import Source
from seekway.applications.tools.tool import Calling
from seekway.core.errors import AppUnavailable, InvalidParameter, NotFound
from seekway.core.token_estimate import mixed_tokens
from seekway.knowledge.retrieval.retriever import Citation, Method, Retrieval

_FRESH_S: Final = 5.0
_MOST_KNOWN: Final = 1000
_LONGEST_QUERY: Final = 4000
"""Characters of a question that are searched for: what is longer is a text rather than a question."""

MOST_TOKENS: Final = 16_000.0
"""Of all passages together, whatever a model reads."""

_LEAST_PART: Final = 64.0
"""Tokens of a passage that are worth giving where it does not fit whole."""


class KnowledgeLookup:
    """``clock`` goes in seconds."""

    def __init__(self, passages: Passages, clock: Callable[[], float]) -> None:
        self._passages = passages
        self._clock = clock
        self._vectors: dict[tuple[str, tuple[str, ...]], tuple[float, bool]] = {}

    async def find(self, tenant: str, use: KnowledgeUse, query: str) -> tuple[Citation, ...]:
        """Best first. Raises ``AppUnavailable`` for a knowledge base that is not there or cannot be searched this way, and what else the search raises."""
        query = query.strip()[:_LONGEST_QUERY]
        if not use.datasets or not query:
            return ()
        try:
            how = await self._how(tenant, use)
            return await self._passages.retrieve(tenant, use.datasets, query, how)
        except NotFound as error:
            raise AppUnavailable(
                f"The application's knowledge base is missing; its operator must name another. {error.message}",
                param="datasets",
            ) from error
        except InvalidParameter as error:
            raise AppUnavailable(
                f"The application's knowledge base cannot be searched as it is set up. {error.message}",
                param=error.param,
            ) from error

    async def sources(self, calling: Calling, query: str) -> Sequence[Source]:
        """What an agent's tool finds: a :data:`seekway.applications.tools.knowledge_search.FindSources`."""
        found = await self.find(calling.app.tenant, calling.app.definition.knowledge, query)
        return sources(within(found, MOST_TOKENS))

    async def _how(self, tenant: str, use: KnowledgeUse) -> Retrieval:
        method: Method | None = use.method
        if method is None:
            method = "hybrid" if await self._has_vectors(tenant, use.datasets) else "full_text"
        how = Retrieval(method, use.top_k, use.score_threshold, rerank=use.rerank, conditions=use.conditions)
        if use.vector_weight is None:
            return how
        return msgspec.structs.replace(how, fusion="weighted", vector_weight=use.vector_weight)

    async def _has_vectors(self, tenant: str, datasets: tuple[str, ...]) -> bool:
        key, now = (tenant, datasets), self._clock()
        known = self._vectors.get(key)
        if known is not None and now - known[0] < _FRESH_S:
            return known[1]
        found = await self._passages.has_vectors(tenant, datasets)
        if len(self._vectors) >= _MOST_KNOWN:
            self._vectors.clear()
        self._vectors[key] = (now, found)
        return found


def within(citations: Sequence[Citation], tokens: float) -> list[tuple[Citation, str]]:
    """As many as fit into ``tokens``, the best first, with the text that the model reads; the last may be cut."""
    fitting: list[tuple[Citation, str]] = []
    for citation in citations:
        text = citation.text
        size = mixed_tokens(text)
        if size > tokens:
            if tokens >= _LEAST_PART:
                fitting.append((citation, cut_to(text, tokens)))
            break
        fitting.append((citation, text))
        tokens -= size
    return fitting


def cut_to(text: str, tokens: float) -> str:
    """Its beginning, of about ``tokens`` at most."""
    size = mixed_tokens(text)
    return text if size <= tokens else text[: max(0, int(len(text) * tokens / size) - 1)] + "…"


def passage_block(found: Sequence[tuple[Citation, str]]) -> str:
    """Numbered, and marked off from everything else; nothing in a passage can look like the mark."""
    if not found:
        return "<passages>\n(nothing was found)\n</passages>"
    entries = [
        f"[{place}] {_one_line(citation.document_name)}\n{quoted(text)}"
        for place, (citation, text) in enumerate(found, 1)
    ]
    return "<passages>\n" + "\n\n".join(entries) + "\n</passages>"


def quoted(text: str) -> str:
    """Without what could end or begin one of the prompt's own marks."""
    if "<" not in text:
        return text
    for mark in ("passages", "file", "summary", "conversation", "message"):
        for opening in ("<", "</"):
            if opening + mark in text.lower():
                text = _replaced(text, opening + mark)
    return text


def sources(found: Sequence[tuple[Citation, str]]) -> tuple[Source, ...]:
    return tuple([_source(place, citation, text) for place, (citation, text) in enumerate(found, 1)])


def _source(position: int, citation: Citation, text: str) -> Source:
    return Source(
        position,
        citation.dataset_id,
        citation.dataset_name,
        citation.document_id,
        citation.document_name,
        segment_id(citation.document_id, citation.passage.position),
        citation.passage.position,
        citation.score,
        text,
        word_count=len(text),
        metadata=citation.metadata,
    )


def segment_id(document: str, position: int) -> str:
    """The same for the same place in the same document."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{document}/{position}"))


def _replaced(text: str, mark: str) -> str:
    pieces: list[str] = []
    at, lower = 0, text.lower()
    # A letter whose small form is longer moves what follows it; such a text is searched as it is.
    if len(lower) != len(text):
        lower = text
    while (found := lower.find(mark, at)) >= 0:
        pieces += (text[at:found], "‹", text[found + 1 : found + len(mark)])
        at = found + len(mark)
    pieces.append(text[at:])
    return "".join(pieces)


def _one_line(text: str) -> str:
    return quoted(" ".join(text.split()))
