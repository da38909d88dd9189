"""Constraints that OpenVINO could enforce, but at the cost of everyone's tokens.

Its grammar engine pays for a counted repetition at every token, in the step that all running sequences share:
measured on two cores with a vocabulary of 49,152, one string bounded to 400 characters came at 5 tokens/s instead of 80,
and eight of them together at 2 tokens/s; up to 160 characters nothing was lost once the grammar was compiled.
"""

from __future__ import annotations

import re
from typing import Final, cast

from seekway.core.errors import InvalidParameter
from seekway.engine.base import Constraint

MOST_REPEATED: Final = 160
_LENGTHS: Final = ("minLength", "maxLength")
_COUNTS: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def require_bearable(constraint: Constraint) -> None:
    """Raises ``InvalidParameter`` that names the keyword, for a string's length or a repetition over ``MOST_REPEATED``."""
    if constraint.regex is not None:
        _check_pattern(constraint.regex, "regex")
    if constraint.schema is not None:
        _check(constraint.schema, "schema")


def _check(value: object, where: str) -> None:
    """Depth is bounded where schemas are checked before they come here."""
    if isinstance(value, list):
        for i, inner in enumerate(cast("list[object]", value)):
            _check(inner, f"{where}[{i}]")
    if not isinstance(value, dict):
        return
    for key, inner in cast("dict[str, object]", value).items():
        place = f"{where}.{key}"
        if key in _LENGTHS and isinstance(inner, int):
            _refuse_over(inner, place)
        elif key == "pattern" and isinstance(inner, str):
            _check_pattern(inner, place)
        else:
            _check(inner, place)


def _check_pattern(pattern: str, where: str) -> None:
    for count in _COUNTS.finditer(pattern):
        _refuse_over(max(int(number) for number in count.groups() if number), where)


def _refuse_over(number: int, where: str) -> None:
    if number > MOST_REPEATED:
        raise InvalidParameter(
            f"{where}: {number} is more than the openvino engine enforces, {MOST_REPEATED}; leave the bound out, "
            'or serve the model with engine = "llamacpp".',
            param=where,
        )
