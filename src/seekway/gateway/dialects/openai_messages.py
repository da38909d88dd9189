"""Chat messages on the wire, and what of them is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter, InvalidRequest
from seekway.core.types import ContentPart, FilePart, ImagePart, Message, Role, TextPart, ToolCall

_MOST_IMAGES = 600


class WireText(msgspec.Struct, frozen=True, tag="text", tag_field="type"):
    text: str


class WireImageUrl(msgspec.Struct, frozen=True):
    url: Annotated[str, Meta(min_length=1)]
    detail: Literal["low", "high", "original", "auto"] | None = None


class WireImage(msgspec.Struct, frozen=True, tag="image_url", tag_field="type"):
    image_url: WireImageUrl


class WireFileBody(msgspec.Struct, frozen=True):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class WireFile(msgspec.Struct, frozen=True, tag="file", tag_field="type"):
    file: WireFileBody


WirePart = WireText | WireImage | WireFile


class WireFunctionCall(msgspec.Struct, frozen=True):
    name: str
    arguments: str = "{}"


class WireToolCall(msgspec.Struct, frozen=True):
    id: str
    function: WireFunctionCall
    type: Literal["function"] = "function"


class WireMessage(msgspec.Struct, frozen=True):
    """``developer`` is OpenAI's newer word for ``system``; ``reasoning`` another spelling of ``reasoning_content``."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[WirePart] | None = None
    name: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[WireToolCall] | None = None
    tool_call_id: str | None = None
    prefix: bool | None = None


_PLAIN_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def read_messages(wire: list[WireMessage]) -> tuple[Message, ...]:
    """Raises ``InvalidParameter`` (422) for a message that lacks something, ``InvalidRequest`` (400) for one in the wrong place."""
    called: set[str] = set()
    messages: list[Message] = []
    last = len(wire) - 1
    parts = False
    for index, message in enumerate(wire):
        content = message.content
        if type(content) is str and message.role in _PLAIN_ROLES and not (message.tool_calls or message.prefix):
            # By far the most; what follows is for the others.
            reasoning = message.reasoning_content if message.reasoning_content is not None else message.reasoning
            messages.append(Message(_PLAIN_ROLES[message.role], content, message.name, reasoning))
            continue
        at = f"messages[{index}]"
        messages.append(_read(message, at))
        parts = parts or isinstance(content, list)
        called.update(call.id for call in message.tool_calls or ())
        if message.role == "tool" and message.tool_call_id not in called:
            raise InvalidRequest(
                f"{at}: a tool message must answer a tool_call of an earlier assistant message; there is no call {message.tool_call_id!r}.",
                param=f"{at}.tool_call_id",
            )
        if message.prefix and (message.role != "assistant" or index != last):
            raise InvalidRequest(
                f"{at}: prefix may only stand in the last message, and its role must be assistant.",
                param=f"{at}.prefix",
            )
    if parts:
        check_images(messages, "messages")
    return tuple(messages)


def check_images(messages: Sequence[Message], param: str) -> None:
    """Raises ``InvalidRequest`` for more images than DeepSeek allows."""
    images = sum(
        isinstance(part, ImagePart)
        for message in messages
        if not isinstance(message.content, str)
        for part in message.content
    )
    if images > _MOST_IMAGES:
        raise InvalidRequest(f"There are {images} images; at most {_MOST_IMAGES} are allowed.", param=param)


def texts(messages: tuple[Message, ...]) -> Iterator[str]:
    """Every text of the conversation, part by part."""
    for message in messages:
        if isinstance(message.content, str):
            yield message.content
        else:
            yield from (part.text for part in message.content if isinstance(part, TextPart))


def _read(message: WireMessage, at: str) -> Message:
    role = "system" if message.role == "developer" else message.role
    reasoning = message.reasoning_content if message.reasoning_content is not None else message.reasoning
    if message.content is None and not (role == "assistant" and (message.tool_calls or reasoning is not None)):
        raise InvalidParameter(f"{at}.content is missing.", param=f"{at}.content")
    if message.tool_calls and role != "assistant":
        raise InvalidRequest(f"{at}: only assistant messages have tool_calls.", param=f"{at}.tool_calls")
    if role == "tool" and message.tool_call_id is None:
        raise InvalidParameter(f"{at}.tool_call_id is missing.", param=f"{at}.tool_call_id")
    return Message(
        role=role,
        content=_content(message.content, role, at),
        name=message.name,
        reasoning=reasoning,
        tool_calls=tuple(
            ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
        ),
        tool_call_id=message.tool_call_id if role == "tool" else None,
        prefix=bool(message.prefix),
    )


def _content(content: str | list[WirePart] | None, role: str, at: str) -> str | tuple[ContentPart, ...]:
    if not isinstance(content, list):
        return content or ""
    if not content:
        raise InvalidParameter(
            f"{at}.content is an empty list; send a text or at least one part.", param=f"{at}.content"
        )
    parts = tuple(_part(part, f"{at}.content[{i}]") for i, part in enumerate(content))
    if role != "user" and any(not isinstance(part, TextPart) for part in parts):
        raise InvalidRequest(f"{at}: images and files may only stand in user messages.", param=f"{at}.content")
    return parts


def _part(part: WirePart, at: str) -> ContentPart:
    match part:
        case WireText():
            return TextPart(part.text)
        case WireImage():
            return ImagePart(part.image_url.url, part.image_url.detail or "auto")
        case WireFile():
            if (part.file.file_id is None) == (part.file.file_data is None):
                raise InvalidParameter(f"{at}.file needs either file_id or file_data.", param=f"{at}.file")
            return FilePart(part.file.file_id, part.file.file_data, part.file.filename)
