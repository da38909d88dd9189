"""Letters that are repeated are read once wherever they stand, and by nothing but themselves: whole texts and streams find the same."""

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
whore
aabb
wwoow
glass
bookkeeper
see all
toot | exact
8964
a1lly
违禁词
红红火
天蓝蓝地
法轮功 | unless 新闻 within 8
k粉
冰er毒
赌博 | homophones
[allow]
red whore
违禁词表
"""
DETECTOR = WordDetector([parse_word_list(LIST, Path("list.txt"))])
TERMS = [
    *("whore", "aabb", "wwoow", "glass", "bookkeeper", "see all", "toot", "8964", "a1lly"),
    *("违禁词", "红红火", "天蓝蓝地", "法轮功", "k粉", "冰er毒", "赌博", "red whore", "违禁词表", "weijinci", "du博", "氵去轮功"),
]  # fmt: skip
ELSEWHERE = [
    *("the aa of it. ", "www.", "www", "ww", "aa", "xx", "kkk", "违违", "禁禁", "蓝蓝", "oooo", "11", "999", "!!", "@@"),
    *(" ", " ", ".", "-", "，", "。", "\n", "*", "**", "😀", "\u200b", "\u0301", "_", "|", "&", "&amp;", "&#97;", ";", "　"),
    *("again", "a", "s", "w", "wh", "的", "新闻", "red", "表", "氵", "去", "Ꭳ", "ש", "İ", "ﬁ", "Ａ", "１", " " * 9, "\u0301" * 30),
    *("今天的会议上我们讨论了明年的计划，", "we sat by the water, then went on. "),
]  # fmt: skip
BETWEEN = ["", "", "", "", "", " ", ".", "-", "*", "\u200b", "，", "\n", " " * 9]


@st.composite
def _stretched(draw: st.DrawFn) -> str:
    """A term with some of its letters repeated, some full-width, some apart, some as signs."""
    forms = (str.upper, _wide, str, str, str, _sign)
    between = draw(st.lists(st.sampled_from(BETWEEN), min_size=1, max_size=3))
    written = [
        draw(st.sampled_from(forms))(letter) * draw(st.sampled_from((1, 1, 1, 2, 3, 4, 17)))
        + draw(st.sampled_from(between))
        for letter in draw(st.sampled_from(TERMS))
    ]
    return "".join(written)


def _wide(letter: str) -> str:
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter


def _sign(letter: str) -> str:
    return letter.translate(str.maketrans("aelos", "@310$"))


TEXTS = st.lists(st.sampled_from(ELSEWHERE) | st.sampled_from(TERMS) | _stretched(), max_size=14).map("".join)
CUTS = st.lists(st.integers(0, 400), max_size=30) | st.integers(1, 9).map(lambda size: list(range(size, 400, size)))


@settings(deadline=None, max_examples=500)
@example("the aa of it. a long way to go … wwwhore again", list(range(46)))
@example("wwwhore again, a long way to go … the aa of it.", list(range(47)))
@given(TEXTS, CUTS)
def test_a_stream_finds_what_the_whole_text_holds(text: str, cuts: list[int]) -> None:
    found = scanned_in_pieces(DETECTOR, text, [cut for cut in cuts if cut < len(text)])
    assert found == list(DETECTOR.scan(text, 0, final=True).findings)


@settings(deadline=None, max_examples=300)
@given(st.data(), TEXTS)
def test_more_context_than_is_asked_for_changes_nothing(data: st.DataObject, text: str) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    base = max(0, start - DETECTOR.context_chars)
    short = DETECTOR.scan(text[base:end], start - base, final=False)
    full = DETECTOR.scan(text[:end], start, final=False)
    assert short.safe + base == full.safe
    assert [(f.rule, f.start + base, f.end + base) for f in short.findings] == [
        (f.rule, f.start, f.end) for f in full.findings
    ]


@pytest.mark.parametrize(
    ("rule", "written"),
    [("whore", "wwwhore"), ("whore", "whoooore"), ("whore", "ｗｗｗhore"), ("aabb", "aaabbb"), ("wwoow", "wwwooow"), ("天蓝蓝地", "天蓝蓝蓝地")],
)  # fmt: skip
@pytest.mark.parametrize("around", ["{}", "the aa of it. … {} again", "see www.example.com and {} ooo", "，{}。"])
def test_what_repeats_a_letter_is_found_whatever_else_is_repeated(rule: str, written: str, around: str) -> None:
    text = around.format(written)
    found = DETECTOR.scan(text, 0, final=True).findings
    assert [(f.rule, text[f.start : f.end]) for f in found] == [(rule, written)]
    assert scanned_in_pieces(DETECTOR, text, range(len(text))) == list(found)


@pytest.mark.parametrize("text", ["the aa of it", "www.hore.com", "aab", "wwhore", "a www whorea", "glas", "toooot"])
def test_what_only_comes_near_is_not(text: str) -> None:
    assert not DETECTOR.scan(text, 0, final=True).findings
    assert not scanned_in_pieces(DETECTOR, text, range(len(text)))
