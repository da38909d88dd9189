"""How many tokens a request takes: guessed before it is answered, counted afterwards.

A guess only holds tokens back for the time being; what counts in the end is the backend's own count, and the guess only where an answer was broken off.
"""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.token_estimate import ASCII, OTHER, text_tokens
from seekway.core.types import (
    Event,
    GenerateRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    TextPart,
    ToolCallDelta,
    Usage,
)
from seekway.pipeline.exchange import Exchange

_MESSAGE = 4.0
_ATTACHMENT = 1024.0
_PROMPT_TAKEN = ("cancelled", "deadline_exceeded", "stream_interrupted", "")
"""Ends without an answer after which the backend has, or may have, read the prompt; an empty code is an answer without a count."""


def prompt_tokens(request: GenerateRequest) -> int:
    """At least 1."""
    prompt = request.prompt
    if prompt is not None:
        tokens = text_tokens(prompt) if isinstance(prompt, str) else float(len(prompt))
        return int(tokens + text_tokens(request.suffix or "")) + 1
    tokens = 0.0
    for message in request.messages:
        content = message.content
        if isinstance(content, str):
            tokens += _MESSAGE + len(content) * (ASCII if content.isascii() else OTHER)
        else:
            tokens += _parts(message)
        if message.reasoning or message.tool_calls:
            tokens += text_tokens(message.reasoning or "")
            tokens += sum(text_tokens(call.name) + text_tokens(call.arguments) for call in message.tool_calls)
    return int(tokens) + 1


def message_tokens(message: Message) -> float:
    """One message's part of :func:`prompt_tokens`, and the reasoning with it."""
    content = message.content
    tokens = _MESSAGE + text_tokens(content) if isinstance(content, str) else _parts(message)
    tokens += text_tokens(message.reasoning or "")
    return tokens + sum(text_tokens(call.name) + text_tokens(call.arguments) for call in message.tool_calls)


def output_tokens(events: Sequence[Event]) -> float:
    """A delta is at least one token."""
    tokens = 0.0
    for event in events:
        if type(event) is TextDelta or type(event) is ReasoningDelta:
            text = event.text
        elif type(event) is ToolCallDelta:
            text = event.arguments
        else:
            continue
        guess = len(text) * (ASCII if text.isascii() else OTHER)
        tokens += guess if guess > 1.0 else 1.0
    return tokens


def usage_of(exchange: Exchange) -> Usage | None:
    """What an exchange that is over took: the backend's count, else what was seen to pass; None where it took nothing.

    An answer that a stage gave by itself, such as the cache's, took nothing.
    """
    record = exchange.record
    if exchange.answer is not None:
        return None
    if record.usage is not None:
        return record.usage
    if not record.streamed_tokens and record.error not in _PROMPT_TAKEN:
        return None
    return Usage(record.prompt_estimate, int(record.streamed_tokens))


def _parts(message: Message) -> float:
    return _MESSAGE + sum(
        text_tokens(part.text) if isinstance(part, TextPart) else _ATTACHMENT
        for part in message.content
        if not isinstance(part, str)
    )
