"""Token counts and log-probabilities as OpenAI's and DeepSeek's answers carry them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from seekway.core.types import TokenLogprob, Usage


class CachedTokens(msgspec.Struct, frozen=True):
    cached_tokens: int


class ReasoningTokens(msgspec.Struct, frozen=True):
    reasoning_tokens: int


class WireUsage(msgspec.Struct, frozen=True):
    """DeepSeek's members beside OpenAI's: hit and miss add up to ``prompt_tokens``."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens
    completion_tokens_details: ReasoningTokens
    prompt_cache_hit_tokens: int
    prompt_cache_miss_tokens: int


class WireTopLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None


class WireLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None
    top_logprobs: tuple[WireTopLogprob, ...]


class WireLogprobs(msgspec.Struct, frozen=True):
    content: tuple[WireLogprob, ...] | None = None
    reasoning_content: tuple[WireLogprob, ...] | None = None


def wire_usage(usage: Usage) -> WireUsage:
    return WireUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=CachedTokens(usage.cached_tokens),
        completion_tokens_details=ReasoningTokens(usage.reasoning_tokens),
        prompt_cache_hit_tokens=usage.cached_tokens,
        prompt_cache_miss_tokens=usage.prompt_tokens - usage.cached_tokens,
    )


def wire_logprobs(tokens: Iterable[TokenLogprob]) -> tuple[WireLogprob, ...]:
    return tuple(
        WireLogprob(
            token.token,
            token.logprob,
            token.bytes or None,
            tuple(WireTopLogprob(top.token, top.logprob, top.bytes or None) for top in token.top),
        )
        for token in tokens
    )
