"""A constraint that would slow every running sequence is refused with its place."""

from __future__ import annotations

import pytest

from seekway.core.errors import InvalidParameter
from seekway.engine.base import Constraint
from seekway.engine.openvino.grammar_cost import MOST_REPEATED, require_bearable


def bounded(**keywords: object) -> Constraint:
    item = {"type": "string", **keywords}
    return Constraint("json_schema", {"type": "object", "properties": {"a": {"anyOf": [{"items": item}]}}})


@pytest.mark.parametrize(
    "constraint",
    [
        bounded(maxLength=MOST_REPEATED + 1),
        bounded(minLength=MOST_REPEATED + 1),
        bounded(pattern="^a{0,5000}$"),
        bounded(pattern="^a{5000}$"),
        Constraint("regex", regex="(ab){2,161}"),
    ],
)
def test_a_repetition_over_the_bound_is_refused(constraint: Constraint) -> None:
    with pytest.raises(InvalidParameter, match="openvino") as refused:
        require_bearable(constraint)
    assert refused.value.param is not None
    assert refused.value.param.startswith(("schema.properties.a.anyOf[0].items.", "regex"))


@pytest.mark.parametrize(
    "constraint",
    [
        bounded(maxLength=MOST_REPEATED, minLength=1),
        bounded(pattern="^[a-z]{2,}$"),
        bounded(maxItems=5000, maximum=5000),
        Constraint("regex", regex="(yes|no)"),
        Constraint("json_schema"),
    ],
)
def test_everything_else_passes(constraint: Constraint) -> None:
    require_bearable(constraint)
