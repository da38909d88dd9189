"""The input items of ``POST /responses`` as the messages of a chat.

What the model said in one turn comes as several items there (reasoning, message, function calls) and is one assistant message here.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from seekway.core.errors import InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import ContentPart, FilePart, ImagePart, Message, TextPart, ToolCall
from seekway.gateway.dialects.openai_messages import check_images
from seekway.gateway.dialects.openai_responses_namespaces import flat_name
from seekway.gateway.dialects.openai_responses_reasoning import unwrap

_TEXTS = ("input_text", "output_text", "text")


class WireInputPart(msgspec.Struct, frozen=True):
    """A part of any type; which members count depends on ``type``."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: Literal["low", "high", "original", "auto"] | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None


class WireInputItem(msgspec.Struct, frozen=True):
    """An item of any type; ``type`` may be left out of a message. ``id`` and ``status`` of items sent back mean nothing here."""

    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[WireInputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    output: str | list[WireInputPart] | None = None
    encrypted_content: str | None = None


def read_input(wire: str | list[WireInputItem] | None, instructions: str | None) -> tuple[Message, ...]:
    """``instructions`` are the first system message.

    Raises ``InvalidParameter`` (422) for an item that lacks something, ``InvalidRequest`` (400) for one in the wrong place,
    ``UnsupportedParameter`` (400) for items of tools that are not served.
    """
    turns = _Turns()
    if instructions is not None:
        turns.add(Message("system", instructions))
    if isinstance(wire, str):
        turns.add(Message("user", wire))
    else:
        for index, item in enumerate(wire or ()):
            _read_item(turns, item, f"input[{index}]")
    turns.close()
    if not turns.messages:
        raise InvalidParameter("input is missing; send a text or at least one item.", param="input")
    check_images(turns.messages, "input")
    return tuple(turns.messages)


class _Turns:
    """Messages so far, and the assistant's turn that is still open."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.called: set[str] = set()
        self._reasoning: list[str] = []
        self._text: str | None = None
        self._calls: list[ToolCall] = []

    def add(self, message: Message) -> None:
        self.close()
        self.messages.append(message)

    def reason(self, text: str) -> None:
        # Reasoning after an answer's text begins another answer; calls may follow one reasoning in any order.
        if self._text is not None and not self._calls:
            self.close()
        self._reasoning.append(text)

    def say(self, text: str) -> None:
        if self._text is not None:
            self.close()
        self._text = text

    def call(self, call: ToolCall) -> None:
        self.called.add(call.id)
        self._calls.append(call)

    def close(self) -> None:
        # Reasoning that nothing came of belongs to no answer: it would make an empty assistant message.
        if self._text is not None or self._calls:
            reasoning = "\n".join(self._reasoning) if self._reasoning else None
            self.messages.append(
                Message("assistant", self._text or "", reasoning=reasoning, tool_calls=tuple(self._calls))
            )
        self._reasoning, self._text, self._calls = [], None, []


def _read_item(turns: _Turns, item: WireInputItem, at: str) -> None:
    match item.type:
        case "message":
            _read_message(turns, item, at)
        case "reasoning":
            _read_reasoning(turns, item, at)
        case "function_call":
            for name in ("call_id", "name", "arguments"):
                if getattr(item, name) is None:
                    raise InvalidParameter(f"{at}.{name} is missing.", param=f"{at}.{name}")
            turns.call(ToolCall(item.call_id or "", flat_name(item.namespace, item.name or ""), item.arguments or ""))
        case "function_call_output":
            _read_output(turns, item, at)
        case "item_reference":
            raise UnsupportedParameter(
                f"{at}: no items are kept here, so none can be referred to; send the item itself.", param=at
            )
        case _:
            raise UnsupportedParameter(
                f"{at}: items of type {item.type!r} are not served; send message, reasoning, function_call and function_call_output.",
                param=f"{at}.type",
            )


def _read_message(turns: _Turns, item: WireInputItem, at: str) -> None:
    if item.role is None:
        raise InvalidParameter(f"{at}.role is missing.", param=f"{at}.role")
    if item.content is None:
        raise InvalidParameter(f"{at}.content is missing.", param=f"{at}.content")
    at = f"{at}.content"
    match item.role:
        case "user":
            turns.add(Message("user", item.content if isinstance(item.content, str) else _parts(item.content, at)))
        case "assistant":
            turns.say(_text(item.content, at))
        case "system" | "developer":
            turns.add(Message("system", _text(item.content, at)))


def _read_reasoning(turns: _Turns, item: WireInputItem, at: str) -> None:
    """``content`` goes before ``encrypted_content``; a summary is no reasoning, and an item with neither says nothing."""
    if item.content is not None:
        parts = item.content if isinstance(item.content, list) else [WireInputPart("reasoning_text", item.content)]
        text = "".join(part.text or "" for part in parts if part.type == "reasoning_text")
        if text:
            turns.reason(text)
            return
    if item.encrypted_content is None:
        return
    text = unwrap(item.encrypted_content)
    if text is None:
        raise InvalidRequest(
            f"{at}.encrypted_content was not made by this server; leave out reasoning items of another one.",
            param=f"{at}.encrypted_content",
        )
    turns.reason(text)


def _read_output(turns: _Turns, item: WireInputItem, at: str) -> None:
    if item.call_id is None:
        raise InvalidParameter(f"{at}.call_id is missing.", param=f"{at}.call_id")
    if item.output is None:
        raise InvalidParameter(f"{at}.output is missing.", param=f"{at}.output")
    if item.call_id not in turns.called:
        raise InvalidRequest(
            f"{at}: there is no function_call {item.call_id!r} before this output; send the call's item too, nothing is kept here.",
            param=f"{at}.call_id",
        )
    turns.add(Message("tool", _text(item.output, f"{at}.output"), tool_call_id=item.call_id))


def _text(content: str | list[WireInputPart], at: str) -> str:
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for index, part in enumerate(content):
        if part.type == "refusal" and part.refusal is not None:
            texts.append(part.refusal)
            continue
        read = _part(part, f"{at}[{index}]")
        if not isinstance(read, TextPart):
            raise InvalidRequest(f"{at}: images and files may only stand in user messages.", param=f"{at}[{index}]")
        texts.append(read.text)
    return "".join(texts)


def _parts(content: list[WireInputPart], at: str) -> tuple[ContentPart, ...]:
    if not content:
        raise InvalidParameter(f"{at} is an empty list; send a text or at least one part.", param=at)
    return tuple(_part(part, f"{at}[{index}]") for index, part in enumerate(content))


def _part(part: WireInputPart, at: str) -> ContentPart:
    if part.type in _TEXTS:
        if part.text is None:
            raise InvalidParameter(f"{at}.text is missing.", param=f"{at}.text")
        return TextPart(part.text)
    if part.type == "input_image":
        if not part.image_url:
            raise InvalidParameter(
                f"{at}.image_url is missing; images go by address or data: URL.", param=f"{at}.image_url"
            )
        return ImagePart(part.image_url, part.detail or "auto")
    if part.type == "input_file":
        if part.file_url is not None:
            raise UnsupportedParameter(f"{at}.file_url is not served; send file_data.", param=f"{at}.file_url")
        if (part.file_id is None) == (part.file_data is None):
            raise InvalidParameter(f"{at} needs either file_id or file_data.", param=at)
        return FilePart(part.file_id, part.file_data, part.filename)
    raise InvalidParameter(
        f"{at}.type is {part.type!r}; send input_text, output_text, input_image or input_file.", param=f"{at}.type"
    )
