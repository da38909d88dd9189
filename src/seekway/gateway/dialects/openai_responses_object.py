"""The ``response`` object and its output items (OpenAI's API reference, "The response object")."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from seekway.core.errors import RateLimited, RequestError, SeekwayError
from seekway.core.types import Usage
from seekway.gateway.dialects.openai_responses import RequestEcho
from seekway.gateway.dialects.openai_usage import ReasoningTokens

ItemStatus = Literal["in_progress", "completed", "incomplete"]
ResponseStatus = Literal["in_progress", "completed", "incomplete", "failed"]


class ResponseTopLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: tuple[int, ...]


class ResponseLogprob(msgspec.Struct, frozen=True):
    """``bytes`` is a list here always, where chat may have null."""

    token: str
    logprob: float
    bytes: tuple[int, ...]
    top_logprobs: tuple[ResponseTopLogprob, ...]


class OutputText(msgspec.Struct, frozen=True, tag="output_text", tag_field="type"):
    text: str
    annotations: tuple[()] = ()
    logprobs: tuple[ResponseLogprob, ...] = ()


class ReasoningText(msgspec.Struct, frozen=True, tag="reasoning_text", tag_field="type"):
    text: str


class MessageItem(msgspec.Struct, frozen=True, tag="message", tag_field="type"):
    id: str
    status: ItemStatus
    content: tuple[OutputText, ...]
    role: Literal["assistant"] = "assistant"


class ReasoningItem(msgspec.Struct, frozen=True, tag="reasoning", tag_field="type"):
    id: str
    status: ItemStatus
    content: tuple[ReasoningText, ...]
    summary: tuple[()] = ()
    encrypted_content: str | UnsetType = UNSET


class FunctionCallItem(msgspec.Struct, frozen=True, tag="function_call", tag_field="type"):
    id: str
    status: ItemStatus
    arguments: str
    call_id: str
    name: str
    namespace: str | UnsetType = UNSET


OutputItem = MessageItem | ReasoningItem | FunctionCallItem


class InputTokensDetails(msgspec.Struct, frozen=True):
    """``cache_write_tokens`` are those that cost more for being written to a cache; no cache behind Seekway charges for it."""

    cached_tokens: int
    cache_write_tokens: int = 0


class ResponseUsage(msgspec.Struct, frozen=True):
    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class IncompleteDetails(msgspec.Struct, frozen=True):
    reason: Literal["max_output_tokens", "content_filter"]


class ResponseError(msgspec.Struct, frozen=True):
    """``code`` is one of the few words that OpenAI allows here; the ``error`` event before it has our own."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class ResponseObject(RequestEcho, frozen=True, kw_only=True):
    id: str
    object: Literal["response"] = "response"
    created_at: int
    completed_at: int | None = None
    status: ResponseStatus
    model: str
    output: tuple[OutputItem, ...] = ()
    usage: ResponseUsage | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None


def response_usage(usage: Usage) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(usage.cached_tokens),
        output_tokens=usage.completion_tokens,
        output_tokens_details=ReasoningTokens(usage.reasoning_tokens),
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )


def response_error(error: SeekwayError) -> ResponseError:
    match error:
        case RateLimited():
            return ResponseError("rate_limit_exceeded", error.message)
        case RequestError():
            return ResponseError("invalid_prompt", error.message)
        case _:
            return ResponseError("server_error", error.message)
