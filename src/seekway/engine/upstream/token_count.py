"""Tokens of a prompt that another server will read: counted by that server where it can, otherwise estimated.

vLLM and newer SGLang count a chat at ``/tokenize`` beside ``/v1``, by the model's own template. DeepSeek and OpenAI have no such endpoint.
The estimate follows DeepSeek's documentation ("Token & Token Usage"): 0.3 tokens an English character, 0.6 a Chinese one,
and at most 1024 an image. It is a rule of thumb, off by a third either way, and is marked as one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from seekway.core.types import GenerateRequest, Message, TextPart, TokenCount

CANNOT_COUNT = frozenset({400, 404, 405, 422, 501})
"""Answers of a server that has no such endpoint, or one that counts plain texts only."""

_ASCII, _OTHER = 0.3, 0.6
_IMAGE = 1024
_TURN = 4
"""What a template writes around a message, in most models."""
_COUNTED = ("model", "messages", "tools", "chat_template_kwargs", "continue_final_message", "add_generation_prompt")


class _Counted(msgspec.Struct, frozen=True):
    count: int


def tokenize_address(base_url: str) -> str:
    return base_url.rstrip("/").removesuffix("/v1") + "/tokenize"


def tokenize_body(chat: dict[str, Any]) -> dict[str, Any]:
    """Of a chat completion's body what makes its prompt."""
    return {name: chat[name] for name in _COUNTED if name in chat}


def read_count(body: bytes) -> TokenCount | None:
    """None when the answer is no count."""
    try:
        return TokenCount(msgspec.json.decode(body, type=_Counted).count)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def estimate(request: GenerateRequest) -> TokenCount:
    tokens = sum(_of_message(message) for message in request.messages)
    if request.tool_choice.mode != "none":
        for tool in request.tools:
            parameters = msgspec.json.encode(tool.parameters).decode()
            tokens += _of_text(tool.name) + _of_text(tool.description) + _of_text(parameters)
    return TokenCount(int(tokens) + 1, exact=False)


def _of_message(message: Message) -> float:
    tokens = _TURN + _of_text(message.reasoning or "")
    if isinstance(message.content, str):
        tokens += _of_text(message.content)
    else:
        tokens += sum(_of_text(part.text) if isinstance(part, TextPart) else _IMAGE for part in message.content)
    return tokens + sum(_of_text(call.name) + _of_text(call.arguments) for call in message.tool_calls)


def _of_text(text: str) -> float:
    plain = len(text.encode("ascii", "ignore"))
    return plain * _ASCII + (len(text) - plain) * _OTHER
