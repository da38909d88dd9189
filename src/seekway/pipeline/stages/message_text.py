"""The text of a message, whatever parts it has."""

from __future__ import annotations

import msgspec

from seekway.core.types import ContentPart, GenerateRequest, Message, TextPart


def text_of(message: Message) -> str:
    """Its text parts, a line each."""
    content = message.content
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, TextPart))


def with_text(message: Message, text: str) -> Message:
    """``message`` with ``text`` in the place of its own; images and files stay, behind it."""
    if isinstance(message.content, str):
        return msgspec.structs.replace(message, content=text)
    others: tuple[ContentPart, ...] = tuple(part for part in message.content if not isinstance(part, TextPart))
    return msgspec.structs.replace(message, content=(TextPart(text), *others))


def last_user(request: GenerateRequest) -> int | None:
    """The place of the last user message."""
    return next((at for at in range(len(request.messages) - 1, -1, -1) if request.messages[at].role == "user"), None)


def question_of(request: GenerateRequest) -> str:
    """The last user message's text, or the prompt."""
    at = last_user(request)
    if at is not None:
        return text_of(request.messages[at])
    return request.prompt if isinstance(request.prompt, str) else ""
