"""The texts of a request that are reviewed, and the request with others in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import msgspec

from seekway.core.sections.guardrails import PartName
from seekway.core.types import ContentPart, GenerateRequest, Message, TextPart

Source = PartName | Literal["history"]
"""What a text counts as; ``history`` is what the model answered before, which was reviewed then: only placeholders are put in again."""
Change = Callable[[str, Source], str]


def changed(request: GenerateRequest, change: Change) -> GenerateRequest:
    """``request`` with each of its texts as ``change`` returns it, in their order; the same object where none is another.

    Texts among the parameters that are passed on untouched count as the user's: some servers put them into the prompt.
    System messages and the descriptions of tools are the operator's own and are left out.
    """
    extra = _values(request.extra, change) if request.extra else request.extra
    if extra is not request.extra:
        request = msgspec.structs.replace(request, extra=extra)
    if request.prompt is not None:
        prompt = change(request.prompt, "input") if isinstance(request.prompt, str) else request.prompt
        suffix = None if request.suffix is None else change(request.suffix, "input")
        if prompt is request.prompt and suffix is request.suffix:
            return request
        return msgspec.structs.replace(request, prompt=prompt, suffix=suffix)
    messages = tuple([_message(message, change) for message in request.messages])
    if all(new is old for new, old in zip(messages, request.messages, strict=True)):
        return request
    return msgspec.structs.replace(request, messages=messages)


def question_of(request: GenerateRequest) -> str:
    """The last thing the user wrote."""
    if request.prompt is not None:
        return request.prompt if isinstance(request.prompt, str) else ""
    for message in reversed(request.messages):
        if message.role == "user":
            content = message.content
            if isinstance(content, str):
                return content
            return " ".join(part.text for part in content if isinstance(part, TextPart))
    return ""


def _values(value: Any, change: Change) -> Any:
    """The same object where no text in it is another. A body's JSON is only so deep."""
    if isinstance(value, str):
        return change(value, "input") if value else value
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        new = {name: _values(one, change) for name, one in entries.items()}
        return new if any(new[name] is not one for name, one in entries.items()) else entries
    if isinstance(value, list):
        items = cast("list[Any]", value)
        made = [_values(one, change) for one in items]
        return made if any(one is not old for one, old in zip(made, items, strict=True)) else items
    return value


def _message(message: Message, change: Change) -> Message:
    match message.role:
        case "system":
            return message
        case "user":
            source: Source = "input"
        case "tool":
            source = "documents"
        case "assistant":
            # A beginning that the model is to go on with is the client's own words.
            source = "input" if message.prefix else "history"
    if message.name is not None and source != "history":
        name = change(message.name, source)
        if name is not message.name:
            message = msgspec.structs.replace(message, name=name)
    content = _content(message.content, source, change)
    if message.role != "assistant":
        return message if content is message.content else msgspec.structs.replace(message, content=content)
    reasoning = message.reasoning if message.reasoning is None else change(message.reasoning, source)
    calls = message.tool_calls
    if calls:
        arguments = [change(call.arguments, source) for call in calls]
        if any(new is not call.arguments for new, call in zip(arguments, calls, strict=True)):
            calls = tuple(
                msgspec.structs.replace(call, arguments=new) for new, call in zip(arguments, calls, strict=True)
            )
    if content is message.content and reasoning is message.reasoning and calls is message.tool_calls:
        return message
    return msgspec.structs.replace(message, content=content, reasoning=reasoning, tool_calls=calls)


def _content(content: str | tuple[ContentPart, ...], source: Source, change: Change) -> str | tuple[ContentPart, ...]:
    if isinstance(content, str):
        return change(content, source) if content else content
    parts = tuple(
        TextPart(new) if isinstance(part, TextPart) and (new := change(part.text, source)) is not part.text else part
        for part in content
    )
    return content if all(new is old for new, old in zip(parts, content, strict=True)) else parts
