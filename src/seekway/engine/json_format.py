"""What the output must match, from ``response_format`` and ``tool_choice``: schemas checked, then handed to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from seekway.core.errors import InvalidParameter, InvalidRequest
from seekway.core.types import JsonSchema, ResponseFormat, Tool, ToolChoice
from seekway.engine.base import Constraint

_MAX_DEPTH: Final = 64
_LONGEST_PLACE: Final = 120
_MOST_PROPERTIES: Final = 1000
_MOST_OPTIONAL: Final = 200
_MOST_VALUES: Final = 5000
"""Grammars grow with the square of an object's optional properties: 250 were seen to compile in 1.6 s, 500 in 6.6, 2000 in 100."""
_STRICT_TYPES: Final = frozenset({"object", "string", "number", "integer", "boolean", "array"})


def response_constraint(form: ResponseFormat) -> Constraint | None:
    """None for plain text; raises ``InvalidParameter`` that names the place of the fault in the schema."""
    if form.type == "text":
        return None
    if form.type == "json_object":
        return Constraint("json_schema", {"type": "object"})
    if form.schema is None:
        raise InvalidParameter(
            "response_format json_schema needs a schema.", param="response_format.json_schema.schema"
        )
    where = "response_format.json_schema.schema"
    check_schema(form.schema, where)
    if form.strict:
        check_strict(form.schema, where)
    return Constraint("json_schema", form.schema)


def tools_constraint(tools: Sequence[Tool], choice: ToolChoice) -> Constraint | None:
    """For ``required`` and a named function: one object ``{"name", "arguments"}`` of a tool; None for ``auto`` and ``none``."""
    if choice.mode not in ("required", "named"):
        return None
    chosen = [tool for tool in tools if choice.mode == "required" or tool.name == choice.function]
    if not chosen:
        what = (
            f"names {choice.function!r}, which is not among tools"
            if choice.mode == "named"
            else "is required, but tools is empty"
        )
        raise InvalidRequest(f"tool_choice {what}.", param="tool_choice")
    definitions: dict[str, Any] = {}
    calls = [_call_schema(tool, i, definitions) for i, tool in enumerate(chosen)]
    schema: JsonSchema = calls[0] if len(calls) == 1 else {"anyOf": calls}
    if definitions:
        schema = {**schema, "$defs": definitions}
    _check_size(schema, "tools")
    return Constraint("json_schema", schema)


def check_tools(tools: Sequence[Tool]) -> None:
    """Raise ``InvalidParameter`` for a repeated name or a schema that is not valid, or not strict where ``strict`` says so."""
    names: set[str] = set()
    for i, tool in enumerate(tools):
        if tool.name in names:
            raise InvalidParameter(f"tools has two functions named {tool.name!r}.", param=f"tools[{i}].function.name")
        names.add(tool.name)
        where = f"tools[{i}].function.parameters"
        check_schema(tool.parameters, where)
        if tool.strict:
            check_strict(tool.parameters, where)


def check_schema(schema: JsonSchema, where: str) -> None:
    """Raise ``InvalidParameter`` unless ``schema`` is a valid JSON schema (draft 2020-12) of a bounded size without outside references."""
    _check_depth(schema, where, 0)
    _check_size(schema, where)
    _check_references(schema, where)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = _path(where, error.absolute_path)
        raise InvalidParameter(f"{place} is not a valid JSON schema: {error.message[:300]}.", param=place) from error


def check_strict(schema: JsonSchema, where: str) -> None:
    """DeepSeek's rules for strict functions: known types, every property required, no additional ones."""
    kind = schema.get("type")
    kinds = cast("list[object]", kind) if isinstance(kind, list) else [kind]
    for one in kinds:
        if one not in (None, "null") and one not in _STRICT_TYPES:
            raise InvalidParameter(f"{where}.type {one!r} is not allowed in a strict schema.", param=f"{where}.type")
    properties = _table(schema.get("properties"))
    if "object" in kinds or properties:
        if schema.get("additionalProperties") is not False:
            raise InvalidParameter(
                f"{where} must set additionalProperties to false in a strict schema.",
                param=f"{where}.additionalProperties",
            )
        missing = sorted(properties.keys() - set(cast("list[str]", schema.get("required", []))))
        if missing:
            raise InvalidParameter(
                f"{where}.required must list every property in a strict schema; {missing[0]!r} is missing.",
                param=f"{where}.required",
            )
    for name, inner in properties.items():
        check_strict(_table(inner), f"{where}.properties.{name}")
    if isinstance(schema.get("items"), dict):
        check_strict(_table(schema["items"]), f"{where}.items")
    for i, inner in enumerate(cast("list[object]", schema.get("anyOf", []))):
        check_strict(_table(inner), f"{where}.anyOf[{i}]")
    for key in ("$defs", "$def", "definitions"):
        for name, inner in _table(schema.get(key)).items():
            check_strict(_table(inner), f"{where}.{key}.{name}")


def _call_schema(tool: Tool, index: int, definitions: dict[str, Any]) -> JsonSchema:
    prefix = f"t{index}_"
    parameters = {k: v for k, v in tool.parameters.items() if k not in ("$defs", "definitions", "$schema", "$id")}
    for key in ("$defs", "definitions"):
        for name, inner in _table(tool.parameters.get(key)).items():
            definitions[prefix + name] = _moved(inner, prefix)
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, "arguments": _moved(parameters or {"type": "object"}, prefix)},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(value: object, prefix: str) -> Any:
    """``value`` with its references pointing to the definitions' new place."""
    if isinstance(value, list):
        return [_moved(inner, prefix) for inner in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for key, inner in cast("dict[str, object]", value).items():
        if key == "$ref" and isinstance(inner, str):
            for old in ("#/$defs/", "#/definitions/"):
                if inner.startswith(old):
                    inner = f"#/$defs/{prefix}{inner[len(old) :]}"
                    break
        made[key] = _moved(inner, prefix)
    return made


def _check_depth(value: object, where: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        place = where[:_LONGEST_PLACE]
        raise InvalidParameter(f"{place}… is nested more than {_MAX_DEPTH} deep; flatten it.", param=place)
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        reference = table.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise InvalidParameter(f"{where}.$ref must point within the schema, with #.", param=f"{where}.$ref")
        for key, inner in table.items():
            _check_depth(inner, f"{where}.{key}", depth + 1)
    elif isinstance(value, list):
        for i, inner in enumerate(cast("list[object]", value)):
            _check_depth(inner, f"{where}[{i}]", depth + 1)


def _check_size(schema: JsonSchema, where: str) -> None:
    """Raise ``InvalidParameter`` for a schema whose grammar would take long to make, meanwhile holding up every other request."""
    properties = values = 0
    for table in _tables(schema):
        named = table.get("properties")
        if isinstance(named, dict):
            names = cast("dict[str, object]", named).keys()
            required = table.get("required")
            kept = (
                {name for name in cast("list[object]", required) if isinstance(name, str)}
                if isinstance(required, list)
                else set[str]()
            )
            properties += len(names)
            if len(names - kept) > _MOST_OPTIONAL:
                raise InvalidParameter(
                    f"{where} has an object of {len(names - kept)} optional properties; at most {_MOST_OPTIONAL} are served: list more of them in required.",
                    param=where,
                )
        if isinstance(table.get("enum"), list):
            values += len(cast("list[object]", table["enum"]))
    if properties > _MOST_PROPERTIES or values > _MOST_VALUES:
        raise InvalidParameter(
            f"{where} has {properties} properties and {values} enum values; at most {_MOST_PROPERTIES} and {_MOST_VALUES} are served.",
            param=where,
        )


def _check_references(schema: JsonSchema, where: str) -> None:
    for table in _tables(schema):
        reference = table.get("$ref")
        if isinstance(reference, str) and not _leads_somewhere(schema, reference):
            raise InvalidParameter(
                f"{where} refers to {reference[:200]!r}, which it does not define; add it to $defs.", param=where
            )


def _leads_somewhere(schema: JsonSchema, reference: str) -> bool:
    """Anchors, ``#name``, are left to the engine."""
    if not reference.startswith("#/"):
        return True
    place: object = schema
    for part in unquote(reference[2:]).split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(place, list) and name.isdecimal():
            items = cast("list[object]", place)
            place = items[int(name)] if len(name) < 9 and int(name) < len(items) else None
        else:
            place = _table(cast("object", place)).get(name)
    return isinstance(place, dict | bool)


def _tables(value: object) -> Iterator[dict[str, Any]]:
    """Every object of a JSON value that is known not to be nested too deeply."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        yield table
        for inner in table.values():
            yield from _tables(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _tables(inner)


def _path(where: str, parts: Sequence[str | int]) -> str:
    return where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
