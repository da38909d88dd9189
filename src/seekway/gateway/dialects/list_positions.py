"""Which element of a list a refusal is about: msgspec's paths say ``messages[...]`` where a client needs ``messages[3]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

_STEP = re.compile(r"\.?([^.\[\]]+)(\[\.\.\.\])?")


def with_positions(body: bytes, path: str, elements: Mapping[str, Any]) -> str:
    """``path`` with each ``[...]`` replaced by the first position whose element is not of the list's type.

    ``body`` is the JSON that was refused, ``elements`` the element type of each list by its field's name.
    Every element is read once a level, so that the work is bounded by the body's size.
    What cannot be found stays as it is.
    """
    here: Any = msgspec.json.decode(body)
    made: list[str] = []
    for name, is_list in _STEP.findall(path):
        here = cast("dict[str, Any]", here).get(name) if isinstance(here, dict) else None
        if not is_list:
            made.append(name)
            continue
        kind = elements.get(name)
        found = _first_bad(cast("list[Any]", here), kind) if isinstance(here, list) and kind is not None else None
        if found is None:
            return path
        made.append(f"{name}[{found}]")
        here = cast("list[Any]", here)[found]
    return ".".join(made)


def _first_bad(items: list[Any], kind: Any) -> int | None:
    for index, item in enumerate(items):
        try:
            msgspec.convert(item, kind)
        except msgspec.ValidationError:
            return index
    return None
