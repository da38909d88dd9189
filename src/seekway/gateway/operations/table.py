"""Which path asks for what: the table behind both the fast path and the framework's routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from seekway.gateway.dialects.anthropic_answer import AnthropicMessage
from seekway.gateway.dialects.anthropic_count_tokens import CountTokensBody, TokensCount
from seekway.gateway.dialects.anthropic_errors import AnthropicErrorEnvelope
from seekway.gateway.dialects.anthropic_messages import MessagesBody
from seekway.gateway.dialects.openai_chat import ChatBody
from seekway.gateway.dialects.openai_chat_answer import ChatCompletion
from seekway.gateway.dialects.openai_completions import Completion, CompletionBody
from seekway.gateway.dialects.openai_embeddings import EmbeddingAnswer, EmbeddingBody
from seekway.gateway.dialects.openai_errors import ErrorEnvelope
from seekway.gateway.dialects.openai_responses import ResponsesBody
from seekway.gateway.dialects.openai_responses_object import ResponseObject
from seekway.gateway.dialects.rerank import RerankAnswer, RerankBody
from seekway.gateway.model_call import Operation
from seekway.gateway.operations.anthropic import CountTokens, Messages
from seekway.gateway.operations.openai import Chat, Completions
from seekway.gateway.operations.openai_responses import Responses
from seekway.gateway.operations.vectors import Embeddings, Rerank


@dataclass(frozen=True)
class ModelRoute:
    """``paths`` are POSTed to; the first is documented, with the schemas of its ``body``, ``answer`` and ``error``."""

    operation: Operation
    paths: tuple[str, ...]
    body: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    error: type[msgspec.Struct] = ErrorEnvelope


@dataclass(frozen=True, slots=True)
class FastRoute:
    operation: Operation
    path: str


def fast_routes(routes: tuple[ModelRoute, ...]) -> Mapping[bytes, FastRoute]:
    """By a request's first line."""
    return {
        f"POST {path} HTTP/1.1".encode(): FastRoute(route.operation, path) for route in routes for path in route.paths
    }


def model_routes() -> tuple[ModelRoute, ...]:
    """Each under ``/v1`` and, as DeepSeek's own base has them, without; Anthropic's under ``/anthropic`` too, where DeepSeek has them."""
    chats = ("/v1/chat/completions", "/chat/completions", "/beta/chat/completions")
    return (
        ModelRoute(Chat(), chats, ChatBody, ChatCompletion),
        ModelRoute(Responses(), ("/v1/responses", "/responses"), ResponsesBody, ResponseObject),
        ModelRoute(Completions(), ("/v1/completions", "/completions", "/beta/completions"), CompletionBody, Completion),
        ModelRoute(
            Messages(),
            ("/v1/messages", "/anthropic/v1/messages"),
            MessagesBody,
            AnthropicMessage,
            AnthropicErrorEnvelope,
        ),
        ModelRoute(
            CountTokens(),
            ("/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"),
            CountTokensBody,
            TokensCount,
            AnthropicErrorEnvelope,
        ),
        ModelRoute(Embeddings(), ("/v1/embeddings", "/embeddings"), EmbeddingBody, EmbeddingAnswer),
        ModelRoute(Rerank(), ("/v1/rerank", "/rerank"), RerankBody, RerankAnswer),
    )
