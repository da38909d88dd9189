"""Conditions on documents' metadata, with Dify's operators and what they mean there.

Texts are compared without regard to case, numbers as numbers, also where one stands as text; moments are seconds since 1970 or ISO 8601 (UTC where no zone is given).
What a document lacks is ``empty`` and meets no other condition but ``is not``, ``not in``, ``not contains`` and ``≠``.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

import msgspec

from seekway.core.errors import InvalidParameter

MetadataValue = str | int | float | None
Metadata = Mapping[str, MetadataValue]
Operator = Literal[
    "contains",
    "not contains",
    "start with",
    "end with",
    "is",
    "is not",
    "empty",
    "not empty",
    "in",
    "not in",
    "=",
    "≠",
    ">",
    "<",
    "≥",
    "≤",
    "before",
    "after",
]
OPERATORS: Final[tuple[str, ...]] = get_args(Operator)
_BARE: Final = ("empty", "not empty")
_LISTS: Final = ("in", "not in")
_NUMBERS: Final = ("=", "≠", ">", "<", "≥", "≤")
_DENIALS: Final = ("is not", "not in", "not contains", "≠")


class Condition(msgspec.Struct, frozen=True):
    """``value`` is a list for ``in`` and ``not in`` (or a text with commas between), and is not read by ``empty`` and ``not empty``.

    Raises ``InvalidParameter`` where the value does not suit the operator.
    """

    name: str
    operator: Operator
    value: str | int | float | Sequence[str | int | float] | None = None

    def __post_init__(self) -> None:
        if self.operator in _BARE:
            return
        where = f"metadata condition on {self.name!r}"
        if self.value is None:
            raise InvalidParameter(f"The {where} has no value; give one.", param="value")
        if isinstance(self.value, Sequence) and not isinstance(self.value, str) and self.operator not in _LISTS:
            raise InvalidParameter(f"The {where} has several values; use the operator in.", param="value")
        if self.operator in _NUMBERS and _number(self.value) is None:
            raise InvalidParameter(
                f"The {where} compares numbers, and its value is none; write one, such as 3.5.", param="value"
            )
        if self.operator in ("before", "after") and _moment(self.value) is None:
            raise InvalidParameter(
                f"The {where} compares times; write seconds since 1970 or a date such as 2026-03-01T12:00:00Z.",
                param="value",
            )

    def met(self, metadata: Metadata) -> bool:
        found = metadata.get(self.name)
        missing = found is None or found == ""
        if self.operator in _BARE:
            return missing == (self.operator == "empty")
        if missing:
            return self.operator in _DENIALS
        if self.operator in _NUMBERS:
            return self._met_by_number(_number(found))
        if self.operator in ("before", "after"):
            return self._met_by_moment(_moment(found))
        return self._met_by_text(_text(found))

    def _met_by_number(self, found: float | None) -> bool:
        asked = _number(self.value)
        if found is None or asked is None:
            return self.operator == "≠"
        match self.operator:
            case "=":
                return found == asked
            case "≠":
                return found != asked
            case ">":
                return found > asked
            case "<":
                return found < asked
            case "≥":
                return found >= asked
            case _:
                return found <= asked

    def _met_by_moment(self, found: float | None) -> bool:
        asked = _moment(self.value)
        if found is None or asked is None:
            return False
        return found < asked if self.operator == "before" else found > asked

    def _met_by_text(self, found: str) -> bool:
        if self.operator in _LISTS:
            return (found in self._values()) == (self.operator == "in")
        asked = _text(self.value)
        match self.operator:
            case "contains":
                return asked in found
            case "not contains":
                return asked not in found
            case "start with":
                return found.startswith(asked)
            case "end with":
                return found.endswith(asked)
            case "is not":
                return found != asked
            case _:
                return found == asked

    def _values(self) -> list[str]:
        if isinstance(self.value, str):
            return [_text(part.strip()) for part in self.value.split(",")]
        if isinstance(self.value, Sequence):
            return [_text(one) for one in self.value]
        return [_text(self.value)]


class Conditions(msgspec.Struct, frozen=True):
    """None at all are met by everything."""

    conditions: tuple[Condition, ...] = ()
    logic: Literal["and", "or"] = "and"

    def met(self, metadata: Metadata) -> bool:
        if not self.conditions:
            return True
        met = (condition.met(metadata) for condition in self.conditions)
        return all(met) if self.logic == "and" else any(met)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).casefold()


def _number(value: object) -> float | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _moment(value: object) -> float | None:
    number = _number(value)
    if number is not None or not isinstance(value, str):
        return number
    try:
        moment = datetime.datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
