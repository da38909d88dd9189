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
