"""Form variables, with Dify's own words for what is wrong with them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.applications.definition import FormField
from seekway.applications.runs.form import filled_form, form_texts
from seekway.applications.runs.template import Template
from seekway.core.errors import InvalidRequest

FILE = {"type": "image", "transfer_method": "local_file", "upload_file_id": "f1"}


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (FormField("x", required=True), None, "x is required in input form"),
        (FormField("x", required=True), "", "x is required in input form"),
        (FormField("x", "file-list", required=True), [], "x is required in input form"),
        (FormField("x", max_length=3), "four", "x in input form must be less than 3 characters"),
        (FormField("x"), 5, "(type 'text-input') x in input form must be a string"),
        (FormField("x", "select", options=("a", "b")), "c", "x in input form must be one of the following: ['a', 'b']"),
        (FormField("x", "number"), "many", "x in input form must be a valid number"),
        (FormField("x", "number"), True, "x in input form must be a valid number"),
        (FormField("x", "number"), float("nan"), "x in input form must be a valid number"),
        (FormField("x", "checkbox"), "perhaps", "x in input form must be a valid boolean"),
        (FormField("x", "file"), "f1", "x in input form must be a file"),
        (FormField("x", "file"), {"type": "smell", "transfer_method": "local_file"}, "x in input form must be a file"),
        (FormField("x", "file-list", max_length=1), [FILE, FILE], "x in input form must be less than 1 files"),
    ],
)
def test_what_a_field_does_not_take_is_said(field: FormField, value: Any, text: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(text)) as caught:
        filled_form((field,), {"x": value})
    assert caught.value.param == "x"


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        (FormField("x"), None, None),
        (FormField("x", default="d"), None, "d"),
        (FormField("x", default="d", required=True), "", "d"),
        (FormField("x"), "a\x00b", "ab"),
        (FormField("x", "number"), "2.5", 2.5),
        (FormField("x", "number"), " 3", 3),
        (FormField("x", "number"), "", None),
        (FormField("x", "checkbox"), "True", True),
        (FormField("x", "checkbox"), 0, False),
        (FormField("x", "select", options=("a",)), "a", "a"),
        (FormField("x", "file"), FILE, FILE),
    ],
)
def test_what_a_field_takes_is_kept(field: FormField, value: Any, kept: Any) -> None:
    assert filled_form((field,), {"x": value, "unknown": 1}) == {"x": kept}


def test_variables_stand_in_a_prompt_as_text() -> None:
    form = (FormField("a"), FormField("b", "number"), FormField("c", "checkbox"), FormField("d", "file"))
    assert form_texts(form, {"a": None, "b": 3, "c": True, "d": FILE}) == {"a": "", "b": "3", "c": "true", "d": ""}


@given(st.text(), st.text())
def test_a_variables_value_is_never_read_as_a_variable(value: str, other: str) -> None:
    template = Template("{{a}} and {{b}}, {{a}}")
    assert template.fill({"a": value, "b": other}) == f"{value} and {other}, {value}"


def test_what_is_no_variable_stays() -> None:
    text = "{{unknown}} {{ a }} {a} {{#other#}} {{1}} {{}} {{a b}}"
    assert Template(text).fill({"a": "x"}) == text
    assert Template("{{{a}}}").fill({"a": "x"}) == "{x}"
    assert Template("{{#query#}}/{{名字}}").fill({"#query#": "q", "名字": "n"}) == "q/n"
