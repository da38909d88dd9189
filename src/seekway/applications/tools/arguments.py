"""A tool's arguments as the model wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from seekway.applications.tools.tool import RunnableTool
from seekway.core.errors import ToolFailed

if TYPE_CHECKING:
    from jsonschema import ValidationError


def read_arguments(tool: RunnableTool, text: str) -> dict[str, Any]:
    """Raises ``ToolFailed`` with what is wrong, so that the model can write them anew."""
    # Only when a tool is called.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match  # pyright: ignore[reportUnknownVariableType]

    try:
        found: object = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ToolFailed(f"The arguments of {tool.name} are not valid JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ToolFailed(f"The arguments of {tool.name} are no JSON object.")
    arguments = cast("dict[str, Any]", found)
    try:
        # The stubs say less than the library gives: a ValidationError or None.
        problem = cast(
            "ValidationError | None",
            best_match(cast("Iterable[ValidationError]", Draft202012Validator(tool.parameters).iter_errors(arguments))),  # pyright: ignore[reportUnknownMemberType]
        )
    except (SchemaError, RecursionError, TypeError, ValueError, LookupError) as error:
        raise ToolFailed(f"The tool {tool.name} describes its arguments in a way that cannot be read.") from error
    if problem is not None:
        where = "/".join(str(step) for step in cast("Iterable[object]", problem.absolute_path))
        raise ToolFailed(
            f"The arguments of {tool.name} do not fit{f' at {where}' if where else ''}: {problem.message}."
        )
    return arguments


def without_fixed(parameters: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object without the members that the application fills in."""
    properties = cast("Mapping[str, Any]", parameters.get("properties") or {})
    left = dict(parameters)
    left["type"] = "object"
    left["properties"] = {name: schema for name, schema in properties.items() if name not in fixed}
    required = cast("list[str]", parameters.get("required") or [])
    left["required"] = [name for name in required if name not in fixed]
    return left
