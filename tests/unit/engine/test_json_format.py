"""Schemas are checked before they reach an engine, and calls are forced through them."""

from __future__ import annotations

from typing import Any, Protocol, cast

import pytest
from jsonschema import Draft202012Validator

from seekway.core.errors import InvalidParameter, InvalidRequest
from seekway.core.types import ResponseFormat, Tool, ToolChoice
from seekway.engine.json_format import check_tools, response_constraint, tools_constraint


class _Validator(Protocol):
    def is_valid(self, instance: object) -> bool: ...


def validator_of(schema: dict[str, Any]) -> _Validator:
    return cast("_Validator", Draft202012Validator(schema))


CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def test_json_object_is_any_object() -> None:
    constraint = response_constraint(ResponseFormat("json_object"))
    assert constraint is not None
    assert constraint.schema == {"type": "object"}
    assert response_constraint(ResponseFormat()) is None


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"type": "nonsense"}, "response_format.json_schema.schema.type"),
        ({"properties": {"a": {"minimum": "x"}}}, "response_format.json_schema.schema.properties.a.minimum"),
        ({"properties": {"a": {"$ref": "http://x/y"}}}, "response_format.json_schema.schema.properties.a.$ref"),
        (None, "response_format.json_schema.schema"),
    ],
)
def test_a_bad_schema_is_refused_with_its_place(schema: dict[str, Any] | None, where: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        response_constraint(ResponseFormat("json_schema", schema))
    assert caught.value.param == where


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(500):
        schema = {"items": schema}
    with pytest.raises(InvalidParameter, match="deep"):
        response_constraint(ResponseFormat("json_schema", schema))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"additionalProperties": True}, "additionalProperties"),
        ({"required": []}, "required"),
        ({"properties": {"city": {"type": "object", "properties": {}}}}, "properties.city.additionalProperties"),
    ],
)
def test_strict_functions_follow_deepseeks_rules(change: dict[str, Any], where: str) -> None:
    check_tools([Tool("a", parameters=CITY, strict=True), Tool("b", parameters=CITY | change)])
    with pytest.raises(InvalidParameter) as caught:
        check_tools([Tool("a", parameters=CITY | change, strict=True)])
    assert caught.value.param == f"tools[0].function.parameters.{where}"


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="two functions"):
        check_tools([Tool("a"), Tool("a")])


def test_a_required_call_is_a_call_of_one_of_the_tools() -> None:
    deep: dict[str, Any] = {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"type": "integer"}},
    }
    constraint = tools_constraint([Tool("a", parameters=CITY), Tool("b", parameters=deep)], ToolChoice("required"))
    assert constraint is not None
    assert constraint.schema is not None
    validator = validator_of(constraint.schema)
    assert validator.is_valid({"name": "a", "arguments": {"city": "Ulm"}})
    assert validator.is_valid({"name": "b", "arguments": {"x": 1}})
    assert not validator.is_valid({"name": "b", "arguments": {"x": "1"}})
    assert not validator.is_valid({"name": "a", "arguments": {}})
    assert not validator.is_valid({"name": "c", "arguments": {}})


def test_a_named_call_is_that_function_only() -> None:
    constraint = tools_constraint([Tool("a"), Tool("b")], ToolChoice("named", "b"))
    assert constraint is not None
    assert constraint.schema is not None
    assert not validator_of(constraint.schema).is_valid({"name": "a", "arguments": {}})
    assert tools_constraint([Tool("a")], ToolChoice("auto")) is None


@pytest.mark.parametrize(("tools", "choice"), [((), ToolChoice("required")), ((Tool("a"),), ToolChoice("named", "b"))])
def test_a_choice_without_its_tool_is_refused(tools: tuple[Tool, ...], choice: ToolChoice) -> None:
    with pytest.raises(InvalidRequest):
        tools_constraint(tools, choice)


def _wide(count: int, required: int = 0) -> dict[str, Any]:
    names = [f"p{i}" for i in range(count)]
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names[:required]}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (_wide(201), "201 optional properties"),
        (_wide(1001, 1001), "1001 properties"),
        ({"enum": [*range(5001)]}, "5001 enum values"),
        ({"$ref": "#/$defs/nowhere"}, "'#/$defs/nowhere'"),
        ({"properties": {"a": {"items": {"$ref": "#/properties/b"}}}}, "'#/properties/b'"),
        ({"anyOf": [{"$ref": "#/anyOf/99999999999999"}]}, "'#/anyOf/9"),
    ],
)
def test_schemas_that_would_hold_up_others_or_lead_nowhere_are_refused(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidParameter, match=said.replace("$", r"\$")):
        response_constraint(ResponseFormat("json_schema", schema))


@pytest.mark.parametrize(
    "schema", [_wide(200), _wide(1000, 900), {"$ref": "#"}, {"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": True}}]
)
def test_schemas_within_the_bounds_are_taken(schema: dict[str, Any]) -> None:
    assert response_constraint(ResponseFormat("json_schema", schema)) is not None


def test_tools_are_bounded_together() -> None:
    tools = [Tool(f"f{i}", parameters=_wide(150)) for i in range(7)]
    check_tools(tools)
    with pytest.raises(InvalidParameter, match="properties"):
        tools_constraint(tools, ToolChoice("required"))


def test_a_fault_deep_inside_is_told_in_few_words() -> None:
    schema: dict[str, Any] = {}
    for _ in range(70):
        schema = {"properties": {"a_long_name": schema}}
    with pytest.raises(InvalidParameter) as refusal:
        response_constraint(ResponseFormat("json_schema", schema))
    assert len(refusal.value.message) < 300
