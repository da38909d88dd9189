"""Broken JSON becomes valid, valid JSON is not touched, however it was cut into pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.pipeline.stages.answer_text.json_mending import JsonMender
from tests.unit.pipeline.stages.cutting import cut_texts, pieces_of, streamed, whole

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.tuples(
    st.lists(VALUES, max_size=4) | st.dictionaries(st.text(), VALUES, max_size=4),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.sampled_from(["", "\n"]),
).map(lambda made: json.dumps(made[0], indent=made[1], ensure_ascii=made[2]) + made[3])
PARTS = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        "“",
        "”",
        ":",
        "：",
        ",",
        "，",
        "\\",
        "\\u00",
        "a",
        "键",
        "1",
        "-",
        ".",
        "e",
        " ",
        "\n",
        "true",
        "None",
        "/",
        "//",
        "/*",
        "*/",
        '",',
        '":',
        "\t",
        "\x00",
        "\u3000",
        "\ud800",
    ]
)


@given(DOCUMENTS.flatmap(pieces_of))
def test_valid_json_passes_byte_for_byte(pieces: list[str]) -> None:
    assert streamed(JsonMender, pieces) == "".join(pieces)


@given(cut_texts(PARTS))
def test_whatever_begins_like_json_becomes_json(pieces: list[str]) -> None:
    pieces.insert(0, "{")
    text = streamed(JsonMender, pieces)
    assert isinstance(json.loads(text), dict)
    assert text == whole(JsonMender, "".join(pieces))


@given(st.text(), st.data())
def test_any_text_gives_the_same_however_it_is_cut(text: str, data: st.DataObject) -> None:
    assert streamed(JsonMender, data.draw(pieces_of(text))) == whole(JsonMender, text)


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ('Sure!\n```json\n{"a": [1, 2,],}\n```\nHope this helps', '{"a": [1, 2]}\n'),
        ('{"a": "cut of', '{"a": "cut of"}'),
        ('{"a": [1, {"b": tru', '{"a": [1, {"b": true}]}'),
        ('{"a":', '{"a":null}'),
        ('{"a', '{"a":null}'),
        ("{'a': 'it's', b: None, c: True}", '{"a": "it\'s", "b": null, "c": true}'),
        ('{"a": "he said "hi", then left", "b": 1}', '{"a": "he said \\"hi\\", then left", "b": 1}'),
        ('{"a": "one\ntwo"}', '{"a": "one\\ntwo"}'),
        ('{"a": 1 "b": 2}', '{"a": 1, "b": 2}'),
        ('{"a": "x"\n "b": .5, "c": 1., "d": NaN}', '{"a": "x",\n "b": 0.5, "c": 1.0, "d": null}'),
        ("{“键”：“值”，“数”：2}", '{"键":"值","数":2}'),
        ('{"a": 1, // why\n "b": /* so */ 2}', '{"a": 1,  "b":  2}'),
        ('{"a": [1, 2}', '{"a": [1, 2]}'),
        ('{"path": "C:\\dir\\new"}', '{"path": "C:\\\\dir\\new"}'),
        ('{"a": hello world}', '{"a": "hello world"}'),
        ('{"a": 1}{"b": 2}', '{"a": 1}'),
    ],
)
def test_what_models_get_wrong_is_mended(broken: str, mended: str) -> None:
    assert whole(JsonMender, broken) == mended


def test_an_answer_without_json_passes_as_it_is() -> None:
    assert whole(JsonMender, "I cannot do that.") == "I cannot do that."
    assert streamed(JsonMender, ["I cannot ", "x" * 5000, " {"]) == "I cannot " + "x" * 5000 + " {"


def test_valid_json_is_not_held_back() -> None:
    made = JsonMender()
    assert made.feed('{"answer": "It is') == '{"answer": "It is'
    assert made.feed(" raining") == " raining"


def test_brackets_without_end_take_linear_time_and_no_recursion() -> None:
    assert len(whole(JsonMender, "[" * 100_000)) == 200_000
