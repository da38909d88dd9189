"""Characters in parts are read in every way that makes a term, and what stands around them takes no part away, in streams as in whole texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list
from tests.unit.pipeline.guardrails.stream_scans import scanned_in_pieces

LIST = """
[banned high]
的志的
志的姿
炱的肚
钕良台
良火炱的
亥茂水
茂水郢
好色鬼
a好b
好人 | exact
妈好女
明月
"""
DETECTOR = WordDetector([parse_word_list(LIST, Path("list.txt"))])
SMALL = [
    WordDetector([parse_word_list(f"[banned high]\n{terms}", Path("list.txt"))])
    for terms in (
        "的志的\n志的姿\n怕人\n",
        "炱的肚\n炳肚\n炳水钕\n钕良台\n水肚娘\n",
        "亥茂水\n茂水郢\n陔一\n茂愈\n的志陔水\n",
    )
]
"""The fewer terms, the shorter what is looked at: each of these lists makes other pairs share a component."""
_PARTS = [
    *("白勺", "士心", "心白", "次女", "台火", "火丙", "钅女", "女良", "草戊", "呈阝", "阝亥", "女子", "子女", "女马", "日月", "月土"),
    *("的", "志", "姿", "炱", "肚", "良", "台", "亥", "水", "好", "色", "鬼", "人", "女", "子", "月", "a", "b", "x"),
    *(" ", "-", "，", "\u200b", "*", "\n", " " * 9),
]  # fmt: skip
_TEXTS = st.lists(st.sampled_from(_PARTS), max_size=14).map("".join)


def found(text: str) -> list[str]:
    return [text[f.start : f.end] for f in DETECTOR.scan(text, 0, final=True).findings]


@settings(deadline=None, max_examples=500)
@example(SMALL[0], "白勺士心白勺次", [1, 2, 3, 4, 5, 6])
@example(SMALL[1], "的钅女良钅女良台火丙的一", list(range(12)))
@example(SMALL[2], "亥呈阝亥草戊水呈阝心心", [3, 9, 7])
@given(st.sampled_from([DETECTOR, *SMALL]), _TEXTS, st.lists(st.integers(0, 40), max_size=20))
def test_a_stream_finds_what_the_whole_text_holds(detector: WordDetector, text: str, cuts: list[int]) -> None:
    whole = detector.scan(text, 0, final=True).findings
    assert scanned_in_pieces(detector, text, [cut for cut in cuts if cut < len(text)]) == list(whole)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["白勺志白勺", "士心的姿", "亥草戊水", "女子色鬼"]), _TEXTS, _TEXTS)
def test_what_stands_around_a_term_in_parts_hides_it_never(term: str, before: str, after: str) -> None:
    assert term in found(before + term + after)


@pytest.mark.parametrize(
    "text", ["女子人", "日月月", "xa女子b", "a女子bx", "士心的次，女", "士心的次 女", "女 子色鬼", "钅良台"]
)
def test_what_only_comes_near_is_not(text: str) -> None:
    assert found(text) == []
