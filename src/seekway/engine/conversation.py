"""Messages in the shape that chat templates read, and stand-ins for what a template does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from seekway.core.errors import UnsupportedParameter
from seekway.core.types import ContentPart, Message, TextPart, Tool, ToolCall
from seekway.engine.special_text import Shield
from seekway.engine.tool_formats import ToolFormat

TOOL_PROBE: Final = Tool(
    "probe_tool",
    "Probes.",
    {"type": "object", "properties": {"a": {"type": "integer", "description": "A."}}, "required": ["a"]},
)
CALL_PROBE: Final = Message("assistant", "", tool_calls=(ToolCall("call_probe", "probe_call", '{"a": 41}'),))


def text_of(content: str | tuple[ContentPart, ...]) -> str:
    """A message's text, parts joined by line ends; raises ``UnsupportedParameter`` for images and files."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content:
        if not isinstance(part, TextPart):
            raise UnsupportedParameter(
                "This model reads text only; leave out images and files, or choose a model that sees them.",
                param="messages",
            )
        texts.append(part.text)
    return "\n".join(texts)


def to_template(message: Message, shield: Shield, *, as_object: bool, none_content: bool) -> dict[str, Any]:
    """One message, marked by ``shield``, as templates read it.

    ``arguments`` become an object or stay JSON text, an empty content beside calls becomes None.
    """
    content = text_of(message.content)
    made: dict[str, Any] = {"role": message.role, "content": content}
    if message.name is not None:
        made["name"] = message.name
    if message.reasoning is not None:
        made["reasoning_content"] = message.reasoning
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        if not content and none_content:
            made["content"] = None
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": shield.arguments(call.arguments) if as_object else call.arguments,
                },
            }
            for call in message.tool_calls
        ]
    return made


def flatten_tools(
    messages: Sequence[Message], tools: Sequence[Tool], form: ToolFormat, *, shown: bool, calls: bool
) -> list[Message]:
    """Write tools, calls and results into plain messages for a template that does not know them.

    ``shown`` and ``calls`` say what the template does by itself: show ``tools``, render calls and their results.
    """
    made: list[Message] = []
    for message in messages:
        if calls or not (message.tool_calls or message.role == "tool"):
            made.append(message)
        elif message.role == "tool":
            result = f"<tool_response>\n{text_of(message.content)}\n</tool_response>"
            if made and made[-1].role == "user" and isinstance(made[-1].content, str) and _is_result(made[-1].content):
                made[-1] = Message("user", f"{made[-1].content}\n{result}")
            else:
                made.append(Message("user", result))
        else:
            written = form.write_calls(message.tool_calls)
            content = text_of(message.content)
            made.append(
                Message("assistant", f"{content}\n{written}" if content else written, reasoning=message.reasoning)
            )
    if tools and not shown:
        instructions = form.instructions(tools)
        if made and made[0].role == "system":
            made[0] = msgspec.structs.replace(made[0], content=f"{text_of(made[0].content)}\n\n{instructions}")
        else:
            made.insert(0, Message("system", instructions))
    return made


def merge_system(messages: Sequence[Message]) -> list[Message]:
    """Put system messages before the next user message, for a template without that role."""
    made: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message.role == "system":
            waiting.append(text_of(message.content))
        elif message.role == "user" and waiting:
            made.append(msgspec.structs.replace(message, content="\n\n".join([*waiting, text_of(message.content)])))
            waiting = []
        else:
            made.append(message)
    if waiting:
        made.append(Message("user", "\n\n".join(waiting)))
    return made


def _is_result(content: str) -> bool:
    return content.startswith("<tool_response>\n")
