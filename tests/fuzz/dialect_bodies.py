"""Any body, to every dialect's reader: a request that can go on its way comes out, or an error that a client can be told."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from seekway.core.errors import OperatorError, SeekwayError, ServerError
from seekway.gateway.dialects.anthropic_count_tokens import CountTokensBody, read_count_tokens
from seekway.gateway.dialects.anthropic_errors import AnthropicErrorEnvelope, encode_anthropic_error
from seekway.gateway.dialects.anthropic_messages import MessagesBody, read_messages_request
from seekway.gateway.dialects.openai_chat import ChatBody, read_chat
from seekway.gateway.dialects.openai_completions import CompletionBody, read_completion
from seekway.gateway.dialects.openai_embeddings import EmbeddingBody, read_embedding
from seekway.gateway.dialects.openai_errors import ErrorEnvelope, encode_error
from seekway.gateway.dialects.openai_responses import ResponsesBody, read_response_request
from seekway.gateway.dialects.rerank import RerankBody, read_rerank
from tests.fuzz.choices import Choices, body_of

MOST_BYTES = 65_536


def _beta(body: bytes, request_id: str) -> object:
    return read_completion(body, request_id, beta=True)


def _completion(body: bytes, request_id: str) -> object:
    return read_completion(body, request_id, beta=False)


READERS: tuple[tuple[type[msgspec.Struct], Callable[[bytes, str], object]], ...] = (
    (ChatBody, read_chat),
    (CompletionBody, _completion),
    (CompletionBody, _beta),
    (MessagesBody, read_messages_request),
    (CountTokensBody, read_count_tokens),
    (ResponsesBody, read_response_request),
    (EmbeddingBody, read_embedding),
    (RerankBody, read_rerank),
)


def attack(data: bytes) -> None:
    """The first byte picks the reader, and whether the rest is the body itself or decides what the body is made of."""
    choices = Choices(data[:MOST_BYTES])
    way = choices.below(2 * len(READERS))
    struct, read = READERS[way // 2]
    body = choices.rest() if way % 2 else body_of(struct, choices)
    try:
        read_one(read, body)
    except (AssertionError, RecursionError):
        raise
    except Exception as error:
        raise AssertionError(f"{read.__name__} raises {error!r} for {body[:2000]!r}") from error


def read_one(read: Callable[[bytes, str], object], body: bytes) -> None:
    try:
        made = read(body, "id-1")
    except SeekwayError as error:
        _check_refusal(error)
        return
    # It crosses the worker's pipe and, as JSON, the wire to other servers.
    msgspec.msgpack.decode(msgspec.msgpack.encode(made))
    msgspec.json.decode(msgspec.json.encode(made))


def _check_refusal(error: SeekwayError) -> None:
    assert not isinstance(error, (ServerError, OperatorError)), f"A body is said to be our fault: {error!r}"
    assert error.message.strip(), "An error says nothing."
    msgspec.json.decode(encode_error(error), type=ErrorEnvelope)
    msgspec.json.decode(encode_anthropic_error(error, "id-1"), type=AnthropicErrorEnvelope)
