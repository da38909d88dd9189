"""``POST /rerank`` in the shape that Cohere and Jina made common and vLLM serves."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from seekway.core.types import RerankRequest, RerankResult
from seekway.gateway.dialects.json_body import BodyDecoder


class WireDocument(msgspec.Struct, frozen=True):
    text: str


class RerankBody(msgspec.Struct, frozen=True):
    model: Annotated[str, Meta(min_length=1)]
    query: Annotated[str, Meta(min_length=1)]
    documents: Annotated[list[str | WireDocument], Meta(min_length=1, max_length=4096)]
    top_n: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    return_documents: bool | None = None


class WireRerankResult(msgspec.Struct, frozen=True, omit_defaults=True):
    index: int
    relevance_score: float
    document: WireDocument | None = None


class RerankUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class RerankAnswer(msgspec.Struct, frozen=True):
    id: str
    model: str
    results: tuple[WireRerankResult, ...]
    usage: RerankUsage


_DECODER: BodyDecoder[RerankBody] = BodyDecoder(RerankBody)


def read_rerank(body: bytes, request_id: str) -> tuple[RerankRequest, bool]:
    """The request, and whether the answer repeats the documents (it does unless told not to, as in vLLM and Jina)."""
    wire, _ = _DECODER.decode(body)
    documents = tuple(document if isinstance(document, str) else document.text for document in wire.documents)
    request = RerankRequest(request_id, wire.model, wire.query, documents, wire.top_n)
    return request, wire.return_documents is not False


def encode_rerank(result: RerankResult, request: RerankRequest, model: str, *, with_documents: bool) -> bytes:
    results = tuple(
        WireRerankResult(
            score.index,
            score.score,
            WireDocument(request.documents[score.index]) if with_documents else None,
        )
        for score in result.scores
    )
    usage = RerankUsage(result.prompt_tokens, result.prompt_tokens)
    return msgspec.json.encode(RerankAnswer(request.id, model, results, usage))
