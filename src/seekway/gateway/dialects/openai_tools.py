"""Tools and tool choice on the wire; strict schemas are checked against the subset DeepSeek documents ("Function Calling", strict mode)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import JsonSchema, Tool, ToolChoice

_TYPES = frozenset({"object", "string", "number", "integer", "boolean", "array", "null"})
_MOST_DEPTH = 64


class WireFunction(msgspec.Struct, frozen=True):
    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireTool(msgspec.Struct, frozen=True):
    """``function`` stands with type ``function``, the only type served yet."""

    type: str
    function: WireFunction | None = None


class WireNamedFunction(msgspec.Struct, frozen=True):
    name: str


class WireNamedChoice(msgspec.Struct, frozen=True):
    function: WireNamedFunction
    type: Literal["function"] = "function"


WireToolChoice = Literal["none", "auto", "required"] | WireNamedChoice


def read_tools(wire: list[WireTool]) -> tuple[Tool, ...]:
    """Raises ``UnsupportedParameter`` for tools that are no functions, ``InvalidRequest`` for a bad strict schema or two of one name."""
    if not wire:
        return ()
    tools: list[Tool] = []
    for index, tool in enumerate(wire):
        at = f"tools[{index}]"
        if tool.type != "function":
            raise UnsupportedParameter(f"{at}: tools of type {tool.type!r} are not served; use function.", param=at)
        if tool.function is None:
            raise InvalidParameter(f"{at}.function is missing.", param=f"{at}.function")
        function = tool.function
        if any(function.name == other.name for other in tools):
            raise InvalidRequest(f"{at}: the function {function.name} stands twice.", param=f"{at}.function.name")
        parameters = function.parameters or {}
        if parameters.get("type", "object") != "object":
            raise InvalidRequest(
                f"{at}: parameters must be a schema of type object.", param=f"{at}.function.parameters"
            )
        if function.strict:
            check_strict(parameters, f"{at}.function.parameters")
        tools.append(Tool(function.name, function.description or "", parameters, bool(function.strict)))
    if len({tool.strict for tool in tools}) > 1:
        raise InvalidRequest("Either every function is strict or none is.", param="tools")
    return tuple(tools)


def read_tool_choice(wire: WireToolChoice | None, tools: tuple[Tool, ...]) -> ToolChoice:
    """Raises ``InvalidRequest`` for a choice that the tools do not offer."""
    if wire is None:
        return ToolChoice()
    if isinstance(wire, WireNamedChoice):
        if all(tool.name != wire.function.name for tool in tools):
            raise InvalidRequest(
                f"tool_choice names {wire.function.name!r}, which is none of tools.", param="tool_choice"
            )
        return ToolChoice("named", wire.function.name)
    if wire == "required" and not tools:
        raise InvalidRequest("tool_choice is required, but there are no tools.", param="tool_choice")
    return ToolChoice(wire)


def check_strict(schema: JsonSchema, at: str, depth: int = 0) -> None:
    """Raises ``InvalidRequest`` unless every object closes itself and requires all its properties, and every type is known."""
    if depth > _MOST_DEPTH:
        raise InvalidRequest(f"{at}: the schema is nested too deeply.", param=at)
    kind = schema.get("type")
    kinds: list[object] = cast("list[object]", kind) if isinstance(kind, list) else [kind]
    for one in kinds:
        if one is not None and one not in _TYPES:
            raise InvalidRequest(f"{at}: the type {one!r} is not allowed in a strict schema.", param=at)
    if kind is None and not schema.keys() & {"$ref", "anyOf", "enum", "const"} and schema:
        raise InvalidRequest(f"{at}: a strict schema needs type, anyOf, enum or $ref here.", param=at)
    if "object" in kinds:
        properties = _table(schema.get("properties", {}), f"{at}.properties")
        required = schema.get("required", [])
        if not isinstance(required, list) or set(properties) - {str(name) for name in cast("list[object]", required)}:
            raise InvalidRequest(f"{at}: a strict schema must list every property in required.", param=at)
        if schema.get("additionalProperties") is not False:
            raise InvalidRequest(f"{at}: a strict schema needs additionalProperties: false.", param=at)
    for name, inner in _inner_schemas(schema, at):
        check_strict(inner, name, depth + 1)


def _inner_schemas(schema: JsonSchema, at: str) -> Iterator[tuple[str, JsonSchema]]:
    for group in ("properties", "$defs", "$def", "definitions"):
        for name, inner in _table(schema.get(group, {}), f"{at}.{group}").items():
            yield f"{at}.{group}.{name}", _table(inner, f"{at}.{group}.{name}")
    if "items" in schema:
        yield f"{at}.items", _table(schema["items"], f"{at}.items")
    branches = schema.get("anyOf", [])
    if not isinstance(branches, list):
        raise InvalidRequest(f"{at}.anyOf must be a list.", param=at)
    for index, inner in enumerate(cast("list[object]", branches)):
        yield f"{at}.anyOf[{index}]", _table(inner, f"{at}.anyOf[{index}]")


def _table(value: object, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{at} must be an object.", param=at)
    return cast("dict[str, Any]", value)
