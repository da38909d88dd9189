"""What OpenAI-compatible servers send, as far as Seekway reads it; members that it does not know are skipped.

Sources: OpenAI's and DeepSeek's API references; vLLM's, SGLang's and Ollama's own names where they differ.
Everything a server may leave out or send as null has a default.
"""

from __future__ import annotations

import msgspec


class WireFunction(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class WireToolCall(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: WireFunction | None = None


class WireTopLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None


class WireTokenLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: tuple[WireTopLogprob, ...] | None = None


class WireLogprobs(msgspec.Struct, frozen=True):
    """Chat's form (``content``, DeepSeek's ``reasoning_content``) and the completions' older one (parallel lists) in one."""

    content: tuple[WireTokenLogprob, ...] | None = None
    reasoning_content: tuple[WireTokenLogprob, ...] | None = None
    tokens: tuple[str, ...] | None = None
    token_logprobs: tuple[float | None, ...] | None = None
    top_logprobs: tuple[dict[str, float] | None, ...] | None = None


class WireDelta(msgspec.Struct, frozen=True, gc=False):
    """``reasoning_content`` is DeepSeek's and SGLang's name, ``reasoning`` vLLM's and Ollama's; ``refusal`` is OpenAI's."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: tuple[WireToolCall, ...] | None = None


class WireChoice(msgspec.Struct, frozen=True, gc=False):
    """``stop_reason`` (vLLM) and ``matched_stop`` (SGLang) are the stop string, or the id of a stop token."""

    index: int = 0
    delta: WireDelta | None = None
    text: str | None = None
    logprobs: WireLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None


class WirePromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class WireCompletionDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct, frozen=True):
    """``prompt_cache_hit_tokens`` is DeepSeek's, the details are OpenAI's and vLLM's, ``reasoning_tokens`` SGLang's."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    reasoning_tokens: int | None = None
    prompt_tokens_details: WirePromptDetails | None = None
    completion_tokens_details: WireCompletionDetails | None = None


class WireChunk(msgspec.Struct, frozen=True, gc=False):
    """One event of a stream; an ``error`` in place of ``choices`` ends it."""

    choices: tuple[WireChoice, ...] | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


class WireWholeChoice(msgspec.Struct, frozen=True):
    """A choice of an answer that was not streamed: a chat's ``message`` or a completion's ``text``."""

    index: int = 0
    message: WireDelta | None = None
    text: str | None = None
    logprobs: WireLogprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None


class WireAnswer(msgspec.Struct, frozen=True):
    """A whole ``chat.completion`` or ``text_completion``; some servers answer an ``error`` with 200."""

    choices: tuple[WireWholeChoice, ...] | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


class WireModel(msgspec.Struct, frozen=True):
    """``max_model_len`` is vLLM's and SGLang's context length in tokens."""

    id: str
    owned_by: str | None = None
    created: int | None = None
    max_model_len: int | None = None


class WireModels(msgspec.Struct, frozen=True):
    data: tuple[WireModel, ...] | None = None


class WireEmbedding(msgspec.Struct, frozen=True):
    """``embedding`` is a list of numbers or base64 of little-endian float32."""

    embedding: tuple[float, ...] | str
    index: int


class WireEmbeddings(msgspec.Struct, frozen=True):
    data: tuple[WireEmbedding, ...]
    usage: WireUsage | None = None


class WireScore(msgspec.Struct, frozen=True):
    """``relevance_score`` is Cohere's, Jina's and vLLM's name, ``score`` SGLang's."""

    index: int
    relevance_score: float | None = None
    score: float | None = None


class WireScores(msgspec.Struct, frozen=True):
    results: tuple[WireScore, ...]
    usage: WireUsage | None = None
