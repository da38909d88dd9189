"""Anthropic's messages, and how many tokens one would have."""

from __future__ import annotations

import random
from functools import partial

import msgspec

from seekway.core.types import GenerateRequest, TokenCount
from seekway.gateway.dialects.anthropic_answer import MessageCollector, MessageHead, MessageStream
from seekway.gateway.dialects.anthropic_count_tokens import encode_token_count, read_count_tokens
from seekway.gateway.dialects.anthropic_errors import ANTHROPIC_ERRORS
from seekway.gateway.dialects.anthropic_messages import model_for, read_messages_request
from seekway.gateway.encoder import Encoder
from seekway.gateway.model_call import ModelCall
from seekway.pipeline.exchange import Exchange

_ESTIMATED = (b"seekway-token-count", b"estimated")


class Messages:
    """A message in Anthropic's dialect, streamed or whole. A last assistant message is continued."""

    name = "chat"
    errors = ANTHROPIC_ERRORS

    def open(self, call: ModelCall, path: str, body: bytes) -> None:
        request_id = _name_request(call)
        request, delivery = read_messages_request(body, _message_id())

        def encoder(exchange: Exchange) -> Encoder:
            head = MessageHead(request.id, exchange.resolved.model.id, request_id)
            return MessageStream(head, delivery) if delivery.stream else MessageCollector(head, delivery)

        call.generate(_with_model(call, request), encoder)


class CountTokens:
    """How many tokens a message's prompt has; `estimated` says that no backend could count them."""

    name = "count_tokens"
    errors = ANTHROPIC_ERRORS

    def open(self, call: ModelCall, path: str, body: bytes) -> None:
        _name_request(call)
        request = _with_model(call, read_count_tokens(body, _message_id()))

        def encode(count: TokenCount) -> bytes:
            if not count.exact:
                call.exchange.response_headers.append(_ESTIMATED)
            return encode_token_count(count)

        call.inquire(partial(call.pipeline.start_count, request, call.exchange), encode)


def _with_model(call: ModelCall, request: GenerateRequest) -> GenerateRequest:
    model = model_for(request.model, call.pipeline.names.named)
    return request if model == request.model else msgspec.structs.replace(request, model=model)


def _name_request(call: ModelCall) -> str:
    """The request's id, also under the header's name that Anthropic's clients read."""
    request_id = call.exchange.record.request_id
    call.exchange.response_headers.append((b"request-id", request_id.encode()))
    return request_id


def _message_id() -> str:
    return f"msg_{random.getrandbits(128):032x}"
