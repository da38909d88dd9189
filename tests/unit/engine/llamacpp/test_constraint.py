"""Which constraints are taken, and how the rest are refused."""

import pytest

from seekway.core.errors import InvalidParameter
from seekway.core.types import JsonSchema
from seekway.engine.base import Constraint
from seekway.engine.llamacpp.constraint import grammar_of


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "bogus"}, "Invalid type: bogus"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"$ref": "http://example.com/schema"}, "not present"),
        ({"type": "string", "pattern": "[a"}, "unclosed character class"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "Unsatisfiable"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused_with_its_reason(schema: JsonSchema, reason: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        grammar_of(Constraint("json_schema", schema=schema))
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.param == "response_format"


@pytest.mark.parametrize("regex", ["[0-9", "a(?=b)", r"(a)\1"])
def test_a_regular_expression_that_cannot_be_enforced_is_refused(regex: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        grammar_of(Constraint("regex", regex=regex))
    assert caught.value.param == "regex"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("regex", ["a/b", r"a\/b", "a\nb", r"\d{2}\\", "你好+"])
def test_slashes_line_ends_and_escapes_do_not_break_the_grammar(regex: str) -> None:
    assert grammar_of(Constraint("regex", regex=regex)).count("\n") == 1


def test_an_empty_schema_means_any_object() -> None:
    assert '"type":"object"' in grammar_of(Constraint("json_schema", schema={}))


def test_a_client_cannot_set_the_grammar_s_own_options() -> None:
    assert "lenient" not in grammar_of(Constraint("json_schema", schema={"x-guidance": {"lenient": True}}))
