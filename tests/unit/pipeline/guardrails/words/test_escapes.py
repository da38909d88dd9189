"""Terms are found as JSON may write them, at their places, however the text is cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list
from tests.unit.pipeline.guardrails.streams import found_in_stream, found_in_whole

LIST = "[drugs high]\n违禁词\nblorptonium\n"


@pytest.mark.parametrize("term", ["违禁词", "blorptonium", "\U0001d4eblorptonium"])
@pytest.mark.parametrize("depth", [1, 2])
def test_escapes_are_read_as_their_characters(term: str, depth: int) -> None:
    detector = WordDetector([parse_word_list(LIST, Path("test.txt"))])
    units = term.encode("utf-16-be")
    escaped = "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    text = '{"q": "' + escaped + '"}'
    for _ in range(depth - 1):
        text = json.dumps(text)
    found = found_in_whole(detector, text)
    assert [rule for rule, _, _ in found] == ["违禁词" if term == "违禁词" else "blorptonium"]
    ((_, start, end),) = found
    rest = text[:start] + text[end:]
    assert "\\u" not in rest
    for _ in range(depth):
        rest = json.loads(rest)
    assert rest == {"q": ""}
    assert found_in_stream(detector, list(text), 256) == found


def test_runs_of_backslashes_are_no_escape_and_cost_nothing_special() -> None:
    detector = WordDetector([parse_word_list(LIST, Path("test.txt"))])
    text = "\\" * 50_000 + "u8fdd" + "\\ud835" * 5_000
    assert found_in_whole(detector, text) == set()
