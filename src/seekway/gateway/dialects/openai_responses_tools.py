"""Tools and tool choice of ``POST /responses``: flat functions, where chat nests them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from seekway.core.errors import InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import Tool, ToolChoice
from seekway.gateway.dialects.openai_responses_namespaces import flat_name
from seekway.gateway.dialects.openai_tools import check_strict

_MOST = 128
"""Functions that DeepSeek and OpenAI take."""

FunctionName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class WireFunction(msgspec.Struct, frozen=True):
    """``name`` and what follows stand with type ``function``, the only type served within a namespace."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireResponseTool(WireFunction, frozen=True):
    """A function, or with type ``namespace`` a group of them in ``tools``."""

    tools: Annotated[list[WireFunction], Meta(max_length=128)] | None = None


class WireChosenTool(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    namespace: str | None = None


class WireResponseChoice(msgspec.Struct, frozen=True):
    """``name`` stands with type ``function``, ``mode`` and ``tools`` with ``allowed_tools``."""

    type: str
    name: str | None = None
    namespace: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list[WireChosenTool] | None = None


WireResponseToolChoice = Literal["none", "auto", "required"] | WireResponseChoice


class FunctionEcho(msgspec.Struct, frozen=True, tag="function", tag_field="type"):
    """A tool as the response repeats it."""

    name: str
    description: str | None
    parameters: dict[str, Any]
    strict: bool


class NamespaceEcho(msgspec.Struct, frozen=True, tag="namespace", tag_field="type"):
    name: str
    description: str
    tools: tuple[FunctionEcho, ...]


class FunctionChoiceEcho(msgspec.Struct, frozen=True, tag="function", tag_field="type"):
    name: str
    namespace: str | UnsetType = UNSET


class AllowedToolsEcho(msgspec.Struct, frozen=True, tag="allowed_tools", tag_field="type"):
    mode: Literal["auto", "required"]
    tools: tuple[FunctionChoiceEcho, ...]


ToolChoiceEcho = Literal["none", "auto", "required"] | FunctionChoiceEcho | AllowedToolsEcho


class _Offered:
    """The functions so far, those of namespaces among them."""

    def __init__(self) -> None:
        self.tools: list[Tool] = []
        self.namespaced: dict[str, tuple[str, str]] = {}
        self._names: set[str] = set()

    def add(self, wire: WireFunction, at: str, namespace: str | None = None, described: str = "") -> FunctionEcho:
        """``described`` is the namespace's description, which its first function bears for all."""
        own = _name(wire.name, f"{at}.name")
        name = flat_name(namespace, own)
        if name in self._names:
            raise InvalidRequest(f"{at}: the function {name} stands twice.", param=f"{at}.name")
        parameters = wire.parameters or {}
        if parameters.get("type", "object") != "object":
            raise InvalidRequest(f"{at}: parameters must be a schema of type object.", param=f"{at}.parameters")
        if wire.strict:
            check_strict(parameters, f"{at}.parameters")
        if len(self.tools) == _MOST:
            raise InvalidParameter(f"tools holds more than {_MOST} functions.", param="tools")
        description = "\n\n".join(text for text in (described, wire.description) if text)
        self._names.add(name)
        self.tools.append(Tool(name, description, parameters, bool(wire.strict)))
        if namespace is not None:
            self.namespaced[name] = namespace, own
        return FunctionEcho(own, wire.description or None, parameters, bool(wire.strict))


def read_response_tools(
    wire: list[WireResponseTool],
) -> tuple[tuple[Tool, ...], dict[str, tuple[str, str]], tuple[FunctionEcho | NamespaceEcho, ...]]:
    """Every function, those of namespaces under their names among all and with namespace and name apart, and what the response repeats.

    Raises ``UnsupportedParameter`` for tools that are no functions, ``InvalidRequest`` for a bad schema or two of one name.
    """
    offered = _Offered()
    echo: list[FunctionEcho | NamespaceEcho] = []
    for index, tool in enumerate(wire):
        at = f"tools[{index}]"
        match tool.type:
            case "function":
                echo.append(offered.add(tool, at))
            case "namespace":
                echo.append(_read_namespace(offered, tool, at))
            case _:
                raise _unserved(tool.type, at)
    if len({tool.strict for tool in offered.tools}) > 1:
        raise InvalidRequest("Either every function is strict or none is.", param="tools")
    return tuple(offered.tools), offered.namespaced, tuple(echo)


def _read_namespace(offered: _Offered, wire: WireResponseTool, at: str) -> NamespaceEcho:
    if not wire.name:
        raise InvalidParameter(f"{at}.name is missing.", param=f"{at}.name")
    if not wire.tools:
        raise InvalidParameter(f"{at}.tools is missing; a namespace holds functions.", param=f"{at}.tools")
    description = wire.description or ""
    echo: list[FunctionEcho] = []
    for index, tool in enumerate(wire.tools):
        inner = f"{at}.tools[{index}]"
        if tool.type != "function":
            raise _unserved(tool.type, inner)
        echo.append(offered.add(tool, inner, wire.name, "" if index else description))
    return NamespaceEcho(wire.name, description, tuple(echo))


def _unserved(kind: str, at: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"{at}: the tool {kind!r} is not served; only functions, which the client runs, and namespaces of them are.",
        param=f"{at}.type",
    )


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
        name = _offered(wire, tools, "tool_choice")
        return ToolChoice("named", name), tools, _chosen(wire)
    if wire.type != "allowed_tools":
        raise UnsupportedParameter(
            f"tool_choice: the type {wire.type!r} is not served; use function or allowed_tools.",
            param="tool_choice.type",
        )
    if wire.mode is None or not wire.tools:
        missing = "mode" if wire.mode is None else "tools"
        raise InvalidParameter(f"tool_choice.{missing} is missing.", param=f"tool_choice.{missing}")
    names = [_allowed(tool, tools, f"tool_choice.tools[{index}]") for index, tool in enumerate(wire.tools)]
    echo = AllowedToolsEcho(wire.mode, tuple(map(_chosen, wire.tools)))
    return ToolChoice(wire.mode), tuple(tool for tool in tools if tool.name in names), echo


def _allowed(wire: WireChosenTool, tools: tuple[Tool, ...], at: str) -> str:
    if wire.type != "function":
        raise UnsupportedParameter(f"{at}: the tool {wire.type!r} is not served; name functions.", param=f"{at}.type")
    return _offered(wire, tools, at)


def _chosen(wire: WireChosenTool | WireResponseChoice) -> FunctionChoiceEcho:
    return FunctionChoiceEcho(wire.name or "", UNSET if wire.namespace is None else wire.namespace)


def _offered(wire: WireChosenTool | WireResponseChoice, tools: tuple[Tool, ...], at: str) -> str:
    if wire.name is None:
        raise InvalidParameter(f"{at}.name is missing.", param=f"{at}.name")
    name = flat_name(wire.namespace, wire.name)
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
