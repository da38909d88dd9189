"""Reasoning and answer come apart wherever the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.engine.reasoning import ReasoningSplitter

PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<thi", "</", "\n", " ", "a", "é", "<", "think>", "ok"]), max_size=12
)


def split(pieces: list[str], *, opened: bool, expected: bool = True) -> tuple[str, str]:
    splitter = ReasoningSplitter(opened=opened, expected=expected)
    parts = [splitter.feed(piece) for piece in pieces]
    parts.append(splitter.finish())
    return "".join(part.reasoning for part in parts), "".join(part.answer for part in parts)


@pytest.mark.parametrize(
    ("text", "opened", "reasoning", "answer"),
    [
        ("<think>\nhm\n</think>\n\n42", False, "hm", "42"),
        ("\n\nhm\n\nso\n</think>\n\n42", True, "hm\n\nso", "42"),
        ("never closed", True, "never closed", ""),
        ("<think>never closed </thin", False, "never closed </thin", ""),
        ("plain", False, "", "plain"),
        ("\n\nplain", False, "", "plain"),
        ("plain <think>x</think>", False, "", "plain <think>x</think>"),
        ("<think>\n\n</think>\n\n42", False, "", "42"),
        ("<thinking", False, "", "<thinking"),
        ("</think>42", True, "", "42"),
        ("a</think>b</think>c", True, "a", "b</think>c"),
    ],
)
def test_the_parts_are_as_deepseek_shows_them(text: str, opened: bool, reasoning: str, answer: str) -> None:
    assert split([text], opened=opened) == (reasoning, answer)
    assert split(list(text), opened=opened) == (reasoning, answer)


def test_without_thinking_a_tag_is_text() -> None:
    assert split(["<think>a</think>"], opened=False, expected=False) == ("", "<think>a</think>")


@given(pieces=PIECES, opened=st.booleans(), expected=st.booleans(), data=st.data())
def test_any_cutting_gives_the_same_parts(pieces: list[str], opened: bool, expected: bool, data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    cut = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = split([text], opened=opened, expected=expected)
    assert split(cut, opened=opened, expected=expected) == whole
    assert split(list(text), opened=opened, expected=expected) == whole


def test_reasoning_streams_without_waiting_for_its_end() -> None:
    splitter = ReasoningSplitter(opened=True)
    assert [splitter.feed(piece).reasoning for piece in ("\nI ", "think", " <", "b>")] == ["I", " think", "", " <b>"]
