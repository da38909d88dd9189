"""Embeddings and reranking: one question, one JSON body."""

from __future__ import annotations

from functools import partial

import msgspec

from seekway.core.types import EmbedResult, RerankResult
from seekway.gateway.dialects.openai_embeddings import encode_embedding, read_embedding
from seekway.gateway.dialects.openai_errors import OPENAI_ERRORS
from seekway.gateway.dialects.rerank import encode_rerank, read_rerank
from seekway.gateway.model_call import ModelCall
from seekway.gateway.operations.answer_head import new_id


class Embeddings:
    """Vectors of one text or many, as numbers or base64 of little-endian float32."""

    name = "embeddings"
    errors = OPENAI_ERRORS

    def open(self, call: ModelCall, path: str, body: bytes) -> None:
        request, encoding = read_embedding(body, new_id("embd"))
        request = msgspec.structs.replace(request, deadline_s=call.left_s())

        def encode(result: EmbedResult) -> bytes:
            return encode_embedding(result, call.exchange.resolved.model.id, encoding)

        call.inquire(partial(call.pipeline.start_embed, request, call.exchange), encode)


class Rerank:
    """Documents in the order of their relevance to a query."""

    name = "rerank"
    errors = OPENAI_ERRORS

    def open(self, call: ModelCall, path: str, body: bytes) -> None:
        request, with_documents = read_rerank(body, new_id("rerank"))
        request = msgspec.structs.replace(request, deadline_s=call.left_s())

        def encode(result: RerankResult) -> bytes:
            return encode_rerank(result, request, call.exchange.resolved.model.id, with_documents=with_documents)

        call.inquire(partial(call.pipeline.start_rerank, request, call.exchange), encode)
