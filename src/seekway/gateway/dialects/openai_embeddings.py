"""``POST /embeddings``, request and answer (platform.openai.com "Create embeddings")."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter, UnsupportedParameter
from seekway.core.types import EmbedRequest, EmbedResult
from seekway.gateway.dialects.json_body import BodyDecoder

_MOST_INPUTS = 2048

Encoding = Literal["float", "base64"]


class EmbeddingBody(msgspec.Struct, frozen=True):
    """``input_type`` is Cohere's and Voyage's word for what asymmetric models need to know; unset means passages."""

    model: Annotated[str, Meta(min_length=1)]
    input: str | list[str | int | list[int]]
    encoding_format: Encoding | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65536)] | None = None
    input_type: Literal["query", "search_query", "passage", "document", "search_document"] | None = None
    user: str | None = None


class WireEmbedding(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class EmbeddingAnswer(msgspec.Struct, frozen=True):
    data: tuple[WireEmbedding, ...]
    model: str
    usage: EmbeddingUsage
    object: Literal["list"] = "list"


_DECODER: BodyDecoder[EmbeddingBody] = BodyDecoder(EmbeddingBody)


def read_embedding(body: bytes, request_id: str) -> tuple[EmbedRequest, Encoding]:
    """Raises ``UnsupportedParameter`` for token ids: they are another model's, and a wrong answer would look right."""
    wire, _ = _DECODER.decode(body)
    inputs: list[Any] = [wire.input] if isinstance(wire.input, str) else list(wire.input)
    if not inputs or len(inputs) > _MOST_INPUTS:
        raise InvalidParameter(f"input must hold 1 to {_MOST_INPUTS} texts, not {len(inputs)}.", param="input")
    if any(not isinstance(item, str) for item in inputs):
        raise UnsupportedParameter(
            "input holds token ids, which only their own tokenizer can read; send text "
            "(LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False).",
            param="input",
        )
    if "" in inputs:
        raise InvalidParameter("input holds an empty text.", param="input")
    purpose = "query" if wire.input_type in ("query", "search_query") else "passage"
    request = EmbedRequest(request_id, wire.model, tuple(inputs), purpose, wire.dimensions)
    return request, wire.encoding_format or "float"


def encode_embedding(result: EmbedResult, model: str, encoding: Encoding) -> bytes:
    usage = EmbeddingUsage(result.prompt_tokens, result.prompt_tokens)
    read = _base64 if encoding == "base64" else _floats
    data = tuple(WireEmbedding(index, read(vector)) for index, vector in enumerate(result.vectors))
    return msgspec.json.encode(EmbeddingAnswer(data, model, usage))


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()


def _floats(vector: bytes) -> list[float]:
    values = array("f", vector)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()
