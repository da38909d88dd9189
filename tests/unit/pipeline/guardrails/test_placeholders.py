"""Personal data that the model does not see and the user does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.pipeline.guardrails.detector import Finding
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.pii.placeholders import Placeholders


def _hidden(placeholders: Placeholders, text: str) -> str:
    return placeholders.hide(text, PiiDetector().scan(text, 0, final=True).findings)


def test_the_same_value_has_the_same_placeholder() -> None:
    placeholders = Placeholders()
    hidden = _hidden(placeholders, "打13800138000或13900139000，13800138000优先")
    assert hidden == "打<PHONE_1>或<PHONE_2>，<PHONE_1>优先"
    assert _hidden(placeholders, "再打13900139000") == "再打<PHONE_2>"
    assert placeholders.restore(hidden) == "打13800138000或13900139000，13800138000优先"
    assert placeholders.hide_known("他说13900139000") == "他说<PHONE_2>"


@pytest.mark.parametrize(
    "written",
    [
        *("<PHONE_1>", "<phone_1>", "< PHONE_1 >", "&lt;PHONE_1&gt;", "＜PHONE_1＞", "<PHONE 1>", "<Phone-1>"),
        *("<PHONE\\_1>", "\\u003cPHONE_1\\u003e"),
    ],
)
def test_models_may_spell_it_otherwise(written: str) -> None:
    placeholders = Placeholders()
    _hidden(placeholders, "13800138000")
    assert placeholders.restore(f"Call {written}!") == "Call 13800138000!"


def test_what_a_client_wrote_in_our_form_comes_back_as_it_was() -> None:
    placeholders = Placeholders()
    hidden = _hidden(placeholders, "<PHONE_1> 13800138000")
    assert hidden == "<TEXT_1> <PHONE_1>"
    assert placeholders.restore(hidden) == "<PHONE_1> 13800138000"


def test_one_that_nobody_made_is_left() -> None:
    placeholders = Placeholders()
    _hidden(placeholders, "13800138000")
    assert placeholders.restore("<PHONE_2> <b> a<b_1") == "<PHONE_2> <b> a<b_1"


def test_values_stand_escaped_within_json() -> None:
    placeholders = Placeholders()
    value = 'a "b"\n\\'
    hidden = placeholders.hide(value, [Finding("pii", "name", "low", 0, len(value))])
    arguments = json.dumps({"to": f"dear {hidden}"})
    assert json.loads(placeholders.restore(arguments, in_json=True)) == {"to": f"dear {value}"}


_PARTS = [
    "13800138000",
    "a@example.com",
    "<PHONE_1>",
    "<",
    ">",
    "&lt;",
    "&gt;",
    "&",
    "＜",
    "<PHONE",
    "_1",
    "<phone 1>",
    "<PHONE\\_1>",
    "\\u003cPHONE",
    "\\u003e",
    "\\",
    " ",
    "你好",
    "x",
]


@given(st.lists(st.sampled_from(_PARTS), max_size=10), st.data())
def test_what_was_hidden_comes_back_however_it_is_cut(parts: list[str], data: st.DataObject) -> None:
    placeholders = Placeholders()
    text = "".join(parts)
    hidden = _hidden(placeholders, text)
    assert placeholders.restore(hidden) == text
    restorer = placeholders.restorer()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(hidden)), max_size=12)))
    pieces = [hidden[a:b] for a, b in zip([0, *cuts], [*cuts, len(hidden)], strict=True)]
    assert "".join([*map(restorer.feed, pieces), restorer.end()]) == text


def test_a_name_of_several_words_is_understood_with_every_joint() -> None:
    placeholders = Placeholders()
    placeholders.hide("x", [Finding("pii", "id_card", "low", 0, 1)])
    assert placeholders.restore("<ID\\_CARD\\_1> <id card 1> <Id-Card-1>") == "x x x"


def test_only_what_may_become_a_placeholder_is_held() -> None:
    placeholders = Placeholders()
    _hidden(placeholders, "13800138000")
    restorer = placeholders.restorer()
    assert restorer.feed("a < b and <PHO") == "a < b and "
    assert restorer.feed("NE_1> c &") == "13800138000 c "
    assert restorer.feed("amp; d") == "&amp; d"
    assert restorer.end() == ""
