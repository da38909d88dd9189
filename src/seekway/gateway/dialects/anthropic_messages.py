"""``POST /v1/messages``: Anthropic's request, as DeepSeek's compatible endpoint takes it, to the canonical request.

Sources: platform.claude.com "Create a Message" (versions 2023-06-01 and 2026-10-21), api-docs.deepseek.com "Using the Anthropic API".
Where the two differ DeepSeek's rules hold, so that its clients work unchanged:

- ``anthropic-version`` and ``anthropic-beta`` are not looked at; ``temperature`` (0 to 2), ``top_p`` and ``top_k`` are taken in every version.
- ``container``, ``mcp_servers``, ``service_tier``, ``cache_control``, ``thinking.budget_tokens`` and a tool's ``strict`` have no effect;
  nor has any field that is not named here, and none of them is passed on.
- ``tool_choice`` ``any`` acts as ``auto`` while thinking was asked for. A choice that forces a tool turns thinking off when the client did not
  speak of it, as Anthropic has thinking off unless asked for, and as models need it to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter, InvalidRequest, SeekwayError, UnsupportedParameter
from seekway.core.types import (
    GenerateRequest,
    ReasoningEffort,
    ResponseFormat,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)
from seekway.gateway.dialects.anthropic_blocks import WireBlock, WireTurn, read_conversation
from seekway.gateway.dialects.json_body import BodyDecoder, sendable
from seekway.gateway.dialects.list_positions import with_positions

_MOST_TOKENS = 393216
_MOST_USER_BYTES = 512
_NO_SAMPLING = Sampling()
_EFFORTS: dict[str, ReasoningEffort] = {
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}

Name = Annotated[str, Meta(min_length=1)]
StopString = Annotated[str, Meta(min_length=1)]


class WireThinking(msgspec.Struct, frozen=True):
    """``adaptive`` leaves it to the model; ``display`` ``omitted`` keeps the thoughts out of the answer."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=0)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class WireFormat(msgspec.Struct, frozen=True, rename={"schema_": "schema"}):
    type: Literal["json_schema"]
    schema_: dict[str, Any]


class WireOutput(msgspec.Struct, frozen=True):
    effort: Literal["minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    format: WireFormat | None = None


class WireMetadata(msgspec.Struct, frozen=True):
    user_id: str | None = None


class WireTool(msgspec.Struct, frozen=True):
    """``type`` is absent or ``custom`` for a client's own tool, the only kind served yet."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,128}$")] | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    type: str | None = None


class WireChoice(msgspec.Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class PromptBody(msgspec.Struct, frozen=True, kw_only=True):
    """What both a message and a count of its tokens take."""

    model: Name
    messages: Annotated[list[WireTurn], Meta(min_length=1)]
    system: str | list[WireBlock] | None = None
    thinking: WireThinking | None = None
    output_config: WireOutput | None = None
    tools: list[WireTool] | None = None
    tool_choice: WireChoice | None = None


class MessagesBody(PromptBody, frozen=True, kw_only=True):
    max_tokens: Annotated[int, Meta(ge=1, le=_MOST_TOKENS)]
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stop_sequences: Annotated[list[StopString], Meta(max_length=16)] | None = None
    stream: bool | None = None
    metadata: WireMetadata | None = None


BodyT = TypeVar("BodyT", bound=PromptBody)


class AnthropicDelivery(msgspec.Struct, frozen=True):
    """How the client wants the answer."""

    stream: bool = False
    show_thinking: bool = True


ELEMENTS: dict[str, Any] = {
    "messages": WireTurn,
    "content": WireBlock,
    "system": WireBlock,
    "tools": WireTool,
    "stop_sequences": StopString,
}
_DECODER = BodyDecoder(MessagesBody)


def read_messages_request(body: bytes, request_id: str) -> tuple[GenerateRequest, AnthropicDelivery]:
    """``request_id`` becomes the message's id.

    Raises ``MalformedBody``, ``InvalidRequest``, ``UnsupportedParameter`` or ``InvalidParameter``; this dialect sends them all as 400.
    """
    wire = decode_prompt(_DECODER, body)
    stream = bool(wire.stream)
    sampling = Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        max_tokens=wire.max_tokens,
        stop=tuple(wire.stop_sequences or ()),
    )
    request = read_prompt(wire, request_id, sampling, user=_user(wire.metadata), stream=stream)
    shown = wire.thinking is None or wire.thinking.display != "omitted"
    return request, AnthropicDelivery(stream, shown)


def decode_prompt(decoder: BodyDecoder[BodyT], body: bytes) -> BodyT:
    try:
        return decoder.decode_known(body)
    except InvalidParameter as error:
        raise _placed(error, body) from error


def read_prompt(
    wire: PromptBody,
    request_id: str,
    sampling: Sampling = _NO_SAMPLING,
    *,
    user: str | None = None,
    stream: bool = True,
) -> GenerateRequest:
    """Everything that decides what the model reads; what does not is given beside it."""
    tools = _tools(wire.tools or [])
    thinking = _thinking(wire)
    choice = _choice(wire, tools)
    if choice.mode in ("required", "named") and wire.thinking is None:
        thinking = msgspec.structs.replace(thinking, enabled=False)
    one_call = wire.tool_choice is not None and wire.tool_choice.disable_parallel_tool_use and tools
    request = GenerateRequest(
        id=request_id,
        model=wire.model,
        messages=read_conversation(wire.system, wire.messages),
        sampling=sampling,
        tools=tools,
        tool_choice=choice,
        response_format=_response_format(wire.output_config),
        thinking=thinking,
        user_id=user,
        stream=stream,
        # OpenAI's name for it, which the servers that heed it know.
        extra={"parallel_tool_calls": False} if one_call else {},
    )
    return sendable(request)


def model_for(name: str, known: Callable[[str], bool]) -> str:
    """The model that ``name`` means: DeepSeek's own mapping for ``claude*``, unless the name is ``known`` as a model or alias here."""
    if not name.startswith("claude") or known(name):
        return name
    return "deepseek-v4-pro" if name.startswith("claude-opus") else "deepseek-flash"


def _placed(error: InvalidParameter, body: bytes) -> SeekwayError:
    if error.param is None or "[...]" not in error.param:
        return error
    param = with_positions(body.removeprefix(b"\xef\xbb\xbf"), error.param, ELEMENTS)
    return InvalidParameter(error.message.replace(error.param, param), param=param)


def _tools(wire: list[WireTool]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    names: set[str] = set()
    for index, tool in enumerate(wire):
        at = f"tools[{index}]"
        if tool.type not in (None, "custom"):
            raise UnsupportedParameter(
                f"{at}.type: tools of type {tool.type!r} are not served; describe a tool of your own by its input_schema.",
                param=f"{at}.type",
            )
        if tool.name is None:
            raise InvalidParameter(f"{at}.name is missing.", param=f"{at}.name")
        if tool.input_schema is None:
            raise InvalidParameter(f"{at}.input_schema is missing.", param=f"{at}.input_schema")
        if tool.name in names:
            raise InvalidRequest(f"{at}.name: the tool {tool.name} stands twice.", param=f"{at}.name")
        if tool.input_schema.get("type", "object") != "object":
            raise InvalidRequest(f"{at}.input_schema.type must be object.", param=f"{at}.input_schema.type")
        names.add(tool.name)
        tools.append(Tool(tool.name, tool.description or "", tool.input_schema))
    return tuple(tools)


def _choice(wire: PromptBody, tools: tuple[Tool, ...]) -> ToolChoice:
    choice = wire.tool_choice
    if choice is None or choice.type == "auto":
        return ToolChoice()
    if choice.type == "none":
        return ToolChoice("none")
    if not tools:
        raise InvalidRequest(f"tool_choice.type is {choice.type}, but there are no tools.", param="tool_choice.type")
    if choice.type == "any":
        thinks = wire.thinking is not None and wire.thinking.type != "disabled"
        return ToolChoice("auto" if thinks else "required")
    if choice.name is None:
        raise InvalidParameter("tool_choice.name is missing.", param="tool_choice.name")
    if all(tool.name != choice.name for tool in tools):
        raise InvalidRequest(f"tool_choice.name is {choice.name!r}, which is none of tools.", param="tool_choice.name")
    return ToolChoice("named", choice.name)


def _thinking(wire: PromptBody) -> Thinking:
    effort = wire.output_config.effort if wire.output_config is not None else None
    enabled = None
    if wire.thinking is not None and wire.thinking.type != "adaptive":
        enabled = wire.thinking.type == "enabled"
    return Thinking(enabled, None if effort is None else _EFFORTS[effort])


def _response_format(wire: WireOutput | None) -> ResponseFormat:
    if wire is None or wire.format is None:
        return ResponseFormat()
    return ResponseFormat("json_schema", wire.format.schema_)


def _user(metadata: WireMetadata | None) -> str | None:
    user = metadata.user_id if metadata is not None else None
    if user is not None and len(user.encode()) > _MOST_USER_BYTES:
        raise InvalidParameter(f"metadata.user_id is longer than {_MOST_USER_BYTES} bytes.", param="metadata.user_id")
    return user or None
