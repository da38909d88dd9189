"""Whatever way a text is cut, the stream finds what the whole text holds, and lets nothing of it go too early."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seekway.pipeline.guardrails.detector import Finding
from seekway.pipeline.guardrails.words.judge import FOUND_CHARS
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list

LIST = """
[banned high]
违禁词
禁词
法轮功
好色鬼
赌博 | homophones
大麻 | unless 工业, hemp within 6
forbiddenterm
ass
god
speed ball
sell
8964
k粉 | exact
aabb
[allow]
违禁词表
pass the ass
"""
PIECES = [
    *"违禁词表法轮功好色鬼赌博大麻",
    *("氵", "去", "车", "仑", "女", "子", "度", "发", "工", "业", "違", "詞", "伦", "的"),
    *("wei", "jin", "ci", "fa", "lun", "gong", "du", "bo", "jin词", "forbidden", "term", "ass", "a", "s", "go", "d", "speed", "ball", "sell", "l"),
    *("god", "pass", "the", "hemp", "A", "Ｓ", "ѕ", "8", "9", "6", "4", "8964", "5", "@", "$", "!", "1", "k", "粉", "b", "ab"),
    *(" ", " ", ".", "-", "，", "。", "\n", "**", "*", "😀", "\u200b", "\u0301", "\0", "\ud800", "_", "|", "+"),
    *("&", "#", ";", "&#36829;", "&#x7981", "&amp;", "amp;", "&zwj;", "&#97", "ﬁ", "㎏", "é", "x", "　"),
    *(" " * 9, "\u0301" * 50, "aaa", "违违", "s" * 20),
]  # fmt: skip
FORMS = {
    "违": ["违", "違", "wei", "维", "&#36829;", "违违"],
    "禁": ["禁", "林示", "jin", "进", "禁禁", "禁\u0301"],
    "词": ["词", "詞", "讠司", "ci", "辞", "词\0"],
    "法": ["法", "氵去", "fa", "发", "法法法"],
    "轮": ["轮", "輪", "车仑", "lun", "伦"],
    "功": ["功", "工力", "gong", "公"],
    "好": ["好", "女子", "hao"],
    "赌": ["赌", "贝者", "du", "度"],
    "a": ["a", "A", "@", "4", "а", "aaa", "&#97;", "á"],
    "s": ["s", "Ｓ", "$", "5", "ѕ", "sss", "ss"],
    "o": ["o", "0", "ο", "ooo"],
    "l": ["l", "1", "ⓛ", "lll"],
    "e": ["e", "3", "é", "&#x65"],
    "b": ["b", "8", "bb", "🅱"],
}
BETWEEN = ["", "", "", "", " ", ".", "-", "*", "😀", "\u200b", "，", "\n", "\ufe0f", " " * 9]
TERMS = [
    "违禁词",
    "禁词",
    "法轮功",
    "好色鬼",
    "赌博",
    "大麻",
    "forbiddenterm",
    "ass",
    "god",
    "speed ball",
    "sell",
    "8964",
    "k粉",
    "aabb",
    "违禁词表",
    "pass the ass",
]
DETECTOR = WordDetector([parse_word_list(LIST, Path("list.txt"))])


@st.composite
def disguised(draw: st.DrawFn) -> str:
    """A term, each letter in one of its forms, with separators of one or of several kinds."""
    between = draw(st.lists(st.sampled_from(BETWEEN), min_size=1, max_size=3))
    written = [
        draw(st.sampled_from(FORMS.get(letter, [letter]))) + draw(st.sampled_from(between))
        for letter in draw(st.sampled_from(TERMS))
    ]
    return "".join(written)


texts = st.lists(st.one_of(st.sampled_from(PIECES), disguised()), max_size=16).map("".join)


def whole(text: str) -> set[Finding]:
    return set(DETECTOR.scan(text, 0, final=True).findings)


def streamed(text: str, cuts: list[int], behind: list[int]) -> set[Finding]:
    """All findings of a stream that arrives in pieces; ``behind`` is how much less other detectors let go each time."""
    found: set[Finding] = set()
    start = arrived = passed = 0
    for cut, less in zip([*sorted(cuts), len(text)], [*behind, 0], strict=True):
        arrived = cut
        final = cut == len(text)
        base = max(0, start - DETECTOR.context_chars)
        scan = DETECTOR.scan(text[base:arrived], start - base, final=final)
        fresh = {
            Finding(f.detector, f.category, f.severity, f.start + base, f.end + base, f.rule, f.score)
            for f in scan.findings
        }
        for finding in fresh - found:
            assert finding.start >= passed, (finding, passed)
        found |= fresh
        safe = scan.safe + base
        assert safe <= arrived
        assert final or arrived - safe <= FOUND_CHARS + 200
        passed = max(passed, safe)
        start = max(start, safe - less)
    return found


@settings(deadline=None, max_examples=400)
@given(st.data(), texts)
def test_every_split_finds_what_the_whole_text_holds(data: st.DataObject, text: str) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    behind = data.draw(st.lists(st.sampled_from([0, 0, 1, 2, 5, 30]), min_size=len(cuts), max_size=len(cuts)))
    assert streamed(text, cuts, behind) == whole(text)


@settings(deadline=None, max_examples=200)
@example("违&违禁禁词")
@given(texts)
def test_a_stream_of_single_characters_finds_what_the_whole_text_holds(text: str) -> None:
    assert streamed(text, list(range(len(text))), [0] * len(text)) == whole(text)


@pytest.mark.parametrize(
    "text",
    ["违禁禁禁词", "forrrbiiiddenterm", "asssss", "seeell", "selllll on", "aaabbb", "法轮轮功", "8964", "@ss", "法车仑工力", "fa lun功", "wei jin ci"],
)  # fmt: skip
def test_disguised_terms_are_held_from_their_first_character(text: str) -> None:
    assert whole(text)
    assert streamed(text, list(range(len(text))), [0] * len(text)) == whole(text)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80))
def test_any_text_at_all_is_read_the_same_in_pieces(text: str) -> None:
    assert streamed(text, list(range(0, len(text), 3)), [1] * len(range(0, len(text), 3))) == whole(text)
