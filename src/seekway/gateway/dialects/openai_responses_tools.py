"""Tools and tool choice of ``POST /responses``: flat functions, where chat nests them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import Tool, ToolChoice
from seekway.gateway.dialects.openai_tools import check_strict

FunctionName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class WireResponseTool(msgspec.Struct, frozen=True):
    """``name`` and what follows stand with type ``function``, the only type served."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireChosenTool(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None


class WireResponseChoice(msgspec.Struct, frozen=True):
    """``name`` stands with type ``function``, ``mode`` and ``tools`` with ``allowed_tools``."""

    type: str
    name: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list[WireChosenTool] | None = None


WireResponseToolChoice = Literal["none", "auto", "required"] | WireResponseChoice


class FunctionEcho(msgspec.Struct, frozen=True, tag="function", tag_field="type"):
    """A tool as the response repeats it."""

    name: str
    description: str | None
    parameters: dict[str, Any]
    strict: bool


class FunctionChoiceEcho(msgspec.Struct, frozen=True, tag="function", tag_field="type"):
    name: str


class AllowedToolsEcho(msgspec.Struct, frozen=True, tag="allowed_tools", tag_field="type"):
    mode: Literal["auto", "required"]
    tools: tuple[FunctionChoiceEcho, ...]


ToolChoiceEcho = Literal["none", "auto", "required"] | FunctionChoiceEcho | AllowedToolsEcho


def read_response_tools(wire: list[WireResponseTool]) -> tuple[Tool, ...]:
    """Raises ``UnsupportedParameter`` for tools that are no functions, ``InvalidRequest`` for a bad schema or two of one name."""
    tools: list[Tool] = []
    for index, tool in enumerate(wire):
        at = f"tools[{index}]"
        if tool.type != "function":
            raise UnsupportedParameter(
                f"{at}: the tool {tool.type!r} is not served; only functions, which the client runs, are.",
                param=f"{at}.type",
            )
        name = _name(tool.name, f"{at}.name")
        if any(name == other.name for other in tools):
            raise InvalidRequest(f"{at}: the function {name} stands twice.", param=f"{at}.name")
        parameters = tool.parameters or {}
        if parameters.get("type", "object") != "object":
            raise InvalidRequest(f"{at}: parameters must be a schema of type object.", param=f"{at}.parameters")
        if tool.strict:
            check_strict(parameters, f"{at}.parameters")
        tools.append(Tool(name, tool.description or "", parameters, bool(tool.strict)))
    if len({tool.strict for tool in tools}) > 1:
        raise InvalidRequest("Either every function is strict or none is.", param="tools")
    return tuple(tools)


def read_response_choice(
    wire: WireResponseToolChoice | None, tools: tuple[Tool, ...]
) -> tuple[ToolChoice, tuple[Tool, ...], ToolChoiceEcho]:
    """The choice, the tools that it leaves, and what the response repeats; raises ``InvalidRequest`` for what the tools do not offer."""
    if wire is None:
        return ToolChoice(), tools, "auto"
    if not isinstance(wire, WireResponseChoice):
        if wire == "required" and not tools:
            raise InvalidRequest("tool_choice is required, but there are no tools.", param="tool_choice")
        return ToolChoice(wire), tools, wire
    if wire.type == "function":
        name = _offered(wire.name, tools, "tool_choice")
        return ToolChoice("named", name), tools, FunctionChoiceEcho(name)
    if wire.type != "allowed_tools":
        raise UnsupportedParameter(
            f"tool_choice: the type {wire.type!r} is not served; use function or allowed_tools.",
            param="tool_choice.type",
        )
    if wire.mode is None or not wire.tools:
        missing = "mode" if wire.mode is None else "tools"
        raise InvalidParameter(f"tool_choice.{missing} is missing.", param=f"tool_choice.{missing}")
    names = [_allowed(tool, tools, f"tool_choice.tools[{index}]") for index, tool in enumerate(wire.tools)]
    echo = AllowedToolsEcho(wire.mode, tuple(FunctionChoiceEcho(name) for name in names))
    return ToolChoice(wire.mode), tuple(tool for tool in tools if tool.name in names), echo


def echo_tools(tools: tuple[Tool, ...]) -> tuple[FunctionEcho, ...]:
    return tuple(FunctionEcho(tool.name, tool.description or None, tool.parameters, tool.strict) for tool in tools)


def _allowed(wire: WireChosenTool, tools: tuple[Tool, ...], at: str) -> str:
    if wire.type != "function":
        raise UnsupportedParameter(f"{at}: the tool {wire.type!r} is not served; name functions.", param=f"{at}.type")
    return _offered(wire.name, tools, at)


def _offered(name: str | None, tools: tuple[Tool, ...], at: str) -> str:
    if name is None:
        raise InvalidParameter(f"{at}.name is missing.", param=f"{at}.name")
    if all(tool.name != name for tool in tools):
        raise InvalidRequest(f"{at} names {name!r}, which is none of tools.", param=at)
    return name


def _name(name: str | None, at: str) -> str:
    if name is None:
        raise InvalidParameter(f"{at} is missing.", param=at)
    try:
        return msgspec.convert(name, FunctionName)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"{at}: a name is 1 to 64 letters, digits, _ and -.", param=at) from error
