"""Anthropic's turns and content blocks to canonical messages (platform.claude.com "Messages"; api-docs.deepseek.com "Using the Anthropic API").

What is not said the same way on both sides:

- Turns of one role in a row are one turn, as Anthropic documents it.
- The texts of an assistant's turn are joined without anything between, so that an answer that was split around its tool calls is whole again.
- ``thinking`` becomes the turn's reasoning; its ``signature`` is taken and not looked at, for nothing here signs.
- ``redacted_thinking`` is taken and left out: what it holds can be read only where it was encrypted.
- A result with ``is_error`` begins with ``Error:``, since canonical tool messages have no such mark.
- Images in a tool's result follow it in a user message, for tool messages hold text only; ``[image]`` stands in their place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from seekway.core.errors import InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import ContentPart, FilePart, ImagePart, Message, TextPart, ToolCall

_MOST_IMAGES = 600
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_SERVED = "text, image, thinking, redacted_thinking, tool_use, tool_result"


WireRole = Literal["user", "assistant", "system"]


class WireSource(msgspec.Struct, frozen=True):
    """An image's: ``base64`` (``media_type``, ``data``), ``url`` or ``file`` (``file_id``)."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class WireBlock(msgspec.Struct, frozen=True):
    """The members of every block in one, so that a block that is not served can be refused by its name and place.

    ``cache_control``, ``citations`` and what else is not here are skipped: prefixes are cached without being asked.
    """

    type: str
    text: str | None = None
    source: WireSource | str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: str | list[WireBlock] | dict[str, Any] | None = None
    is_error: bool | None = None


class WireTurn(msgspec.Struct, frozen=True):
    role: WireRole
    content: str | list[WireBlock]


class _Placed(NamedTuple):
    """A block and where it stands in the body."""

    block: WireBlock
    at: str


def read_conversation(system: str | list[WireBlock] | None, wire: Sequence[WireTurn]) -> tuple[Message, ...]:
    """Raises ``InvalidRequest``, ``InvalidParameter`` or ``UnsupportedParameter`` with the place of what is wrong.

    A last assistant turn is a prefix that the model continues.
    """
    messages: list[Message] = []
    if system:
        messages.append(Message("system", _only_text(_place(system, "system"), "system prompts")))
    called: set[str] = set()
    for role, blocks in _turns(wire):
        if isinstance(blocks, str):
            messages.append(Message(role, blocks))
        elif role == "user":
            messages += _read_user(blocks, called)
        elif role == "assistant":
            messages.append(turn := _read_assistant(blocks))
            called.update(call.id for call in turn.tool_calls)
        else:
            messages.append(Message("system", _only_text(blocks, "system messages")))
    _check_images(messages)
    last = messages[-1]
    if last.role == "assistant":
        if last.tool_calls:
            raise InvalidRequest(
                f"messages[{len(wire) - 1}] calls a tool; send its tool_result in a user message after it.",
                param=f"messages[{len(wire) - 1}]",
            )
        messages[-1] = msgspec.structs.replace(last, prefix=True)
    return tuple(messages)


def _place(content: str | list[WireBlock], at: str) -> list[_Placed]:
    if isinstance(content, str):
        return [_Placed(WireBlock("text", content), at)]
    if not content:
        raise InvalidRequest(f"{at} is an empty list; send a text or at least one block.", param=at)
    return [_Placed(block, f"{at}[{index}]") for index, block in enumerate(content)]


def _turns(wire: Sequence[WireTurn]) -> Iterator[tuple[WireRole, str | list[_Placed]]]:
    """Each turn's role and blocks; a turn that is one plain text is given as that."""
    index, count = 0, len(wire)
    while index < count:
        first = index
        role, content = wire[first].role, wire[first].content
        index += 1
        while index < count and wire[index].role == role:
            index += 1
        if isinstance(content, str) and index == first + 1:
            yield role, content
            continue
        blocks: list[_Placed] = []
        for at in range(first, index):
            blocks += _place(wire[at].content, f"messages[{at}].content")
        yield role, blocks


def _read_user(blocks: list[_Placed], called: set[str]) -> Iterator[Message]:
    """The tools' results, each a message, then the rest."""
    parts: list[ContentPart] = []
    for placed in blocks:
        block, at = placed
        if block.type == "tool_result":
            if _need(block.tool_use_id, f"{at}.tool_use_id") not in called:
                raise InvalidRequest(
                    f"{at}.tool_use_id: no earlier assistant message has a tool_use {block.tool_use_id!r}.",
                    param=f"{at}.tool_use_id",
                )
            text, images = _read_result(block, at)
            yield Message("tool", text, tool_call_id=block.tool_use_id)
            parts += images
        elif block.type == "text":
            parts.append(TextPart(_need(block.text, f"{at}.text")))
        elif block.type == "image":
            parts.append(_image(placed))
        else:
            raise _misplaced(placed, "user messages")
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        yield Message("user", parts[0].text)
    elif parts:
        yield Message("user", tuple(parts))


def _read_assistant(blocks: list[_Placed]) -> Message:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for placed in blocks:
        block, at = placed
        if block.type == "text":
            texts.append(_need(block.text, f"{at}.text"))
        elif block.type == "thinking":
            thoughts.append(_need(block.thinking, f"{at}.thinking"))
        elif block.type == "tool_use":
            calls.append(_call(block, at))
        elif block.type == "redacted_thinking":
            _need(block.data, f"{at}.data")
        else:
            raise _misplaced(placed, "assistant messages")
    return Message(
        "assistant",
        "".join(texts),
        reasoning="".join(thoughts) if thoughts else None,
        tool_calls=tuple(calls),
    )


def _call(block: WireBlock, at: str) -> ToolCall:
    if block.input is None:
        raise InvalidParameter(f"{at}.input is missing.", param=f"{at}.input")
    # The standard library's encoder, because a client's numbers may be larger than 64 bits.
    arguments = json.dumps(block.input, ensure_ascii=False, separators=(",", ":"))
    return ToolCall(_need(block.id, f"{at}.id"), _need(block.name, f"{at}.name"), arguments)


def _read_result(block: WireBlock, at: str) -> tuple[str, list[ContentPart]]:
    """The result's text and the images that stood in it."""
    content, images = block.content, list[ContentPart]()
    if isinstance(content, dict):
        raise InvalidParameter(f"{at}.content must be a text or a list of blocks.", param=f"{at}.content")
    if isinstance(content, list):
        lines: list[str] = []
        for index, inner in enumerate(content):
            placed = _Placed(inner, f"{at}.content[{index}]")
            if inner.type == "image":
                images.append(_image(placed))
                lines.append("[image]")
            elif inner.type == "text":
                lines.append(_need(inner.text, f"{placed.at}.text"))
            else:
                raise _misplaced(placed, "tool results")
        content = "\n".join(lines)
    text = content or ""
    return (f"Error: {text}" if block.is_error else text), images


def _only_text(blocks: list[_Placed], where: str) -> str:
    for placed in blocks:
        if placed.block.type != "text":
            raise _misplaced(placed, where)
    return "\n".join(_need(block.text, f"{at}.text") for block, at in blocks)


def _image(placed: _Placed) -> ContentPart:
    at = f"{placed.at}.source"
    source = placed.block.source
    if not isinstance(source, WireSource):
        raise InvalidParameter(f"{at} is missing or no object.", param=at)
    if source.type == "base64":
        if source.media_type not in _IMAGE_TYPES:
            raise InvalidParameter(
                f"{at}.media_type must be one of {', '.join(_IMAGE_TYPES)}.", param=f"{at}.media_type"
            )
        return ImagePart(f"data:{source.media_type};base64,{_need(source.data, f'{at}.data')}")
    if source.type == "url":
        return ImagePart(_need(source.url, f"{at}.url"))
    if source.type == "file":
        return FilePart(_need(source.file_id, f"{at}.file_id"))
    raise InvalidParameter(f"{at}.type must be base64, url or file, not {source.type!r}.", param=f"{at}.type")


def _need(value: str | None, at: str) -> str:
    if value is None:
        raise InvalidParameter(f"{at} is missing.", param=at)
    return value


def _misplaced(placed: _Placed, where: str) -> InvalidRequest | UnsupportedParameter:
    kind, at = placed.block.type, f"{placed.at}.type"
    if kind in _SERVED.split(", "):
        return InvalidRequest(f"{at}: {kind} blocks may not stand in {where}.", param=at)
    return UnsupportedParameter(f"{at}: {kind!r} blocks are not served; send {_SERVED}.", param=at)


def _check_images(messages: Sequence[Message]) -> None:
    images = 0
    for message in messages:
        if not isinstance(message.content, str):
            images += sum(not isinstance(part, TextPart) for part in message.content)
    if images > _MOST_IMAGES:
        raise InvalidRequest(f"There are {images} images; at most {_MOST_IMAGES} are allowed.", param="messages")
