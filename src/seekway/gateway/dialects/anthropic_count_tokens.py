"""``POST /v1/messages/count_tokens``: how many tokens a message's prompt has (platform.claude.com "Count tokens in a Message")."""

from __future__ import annotations

import msgspec

from seekway.core.types import GenerateRequest, TokenCount
from seekway.gateway.dialects.anthropic_messages import PromptBody, decode_prompt, read_prompt
from seekway.gateway.dialects.json_body import BodyDecoder


class CountTokensBody(PromptBody, frozen=True, kw_only=True):
    """A message's body without what does not change its prompt; fields that are not read are skipped."""


class TokensCount(msgspec.Struct, frozen=True):
    """``estimated`` is beyond Anthropic's answer: the serving backend cannot count, and the figure is a rule of thumb."""

    input_tokens: int
    estimated: bool


_DECODER = BodyDecoder(CountTokensBody)


def read_count_tokens(body: bytes, request_id: str) -> GenerateRequest:
    """Raises as :func:`~seekway.gateway.dialects.anthropic_messages.read_messages_request` does."""
    return read_prompt(decode_prompt(_DECODER, body), request_id)


def encode_token_count(count: TokenCount) -> bytes:
    return msgspec.json.encode(TokensCount(count.tokens, estimated=not count.exact))
