"""Whether a value is of the type that Dify gives a conversation's variable."""

from __future__ import annotations

from typing import cast

_ITEMS = "array["


def fits(value_type: str, value: object) -> bool:
    """A list fits by all of its items; ``array[any]`` takes whatever there is."""
    if value_type.startswith(_ITEMS):
        item = value_type.removeprefix(_ITEMS).rstrip("]")
        return isinstance(value, list) and all(fits(item, one) for one in cast("list[object]", value))
    match value_type:
        case "string" | "secret":
            return isinstance(value, str)
        case "number" | "integer" | "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "object" | "file":
            return isinstance(value, dict)
        case _:
            return value_type == "any"
