"""Texts made to slow it down or to break it: it answers, and holds back no more than its bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.pipeline.guardrails.words.judge import FOUND_CHARS
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list

LIST = "[a high]\n违禁词\n违禁违禁违\n好好好\nforbiddenterm\naaaa\nass | unless donkey within 100\n赌博 | homophones\n[allow]\n违禁词典\n"
DETECTOR = WordDetector([parse_word_list(LIST, Path("list.txt"))])
BIG = 200_000
HELD = FOUND_CHARS + 200

HOSTILE = {
    "one letter": "x" * BIG,
    "a term's letter": "a" * BIG,
    "a Chinese letter": "违" * BIG,
    "marks": "违" + "\u0301" * BIG + "禁词",
    "invisible": "违\u200b禁" * (BIG // 3),
    "references": "&amp;" * (BIG // 5),
    "unfinished references": "&#3" * (BIG // 3),
    "references of references": "&amp;amp;amp;amp;#36829;" * (BIG // 25),
    "ampersands": "&" * BIG,
    "surrogates": "\ud800\udc00\udfff" * (BIG // 3),
    "nulls": "违\0" * (BIG // 2),
    "components": "女子" * (BIG // 2),
    "pinyin": "weijin" * (BIG // 6),
    "signs": "@$!|" * (BIG // 4),
    "spaces": " " * BIG,
    "emoji": "👨‍👩‍👧‍👦" * (BIG // 7),
    "beyond the first plane": "\U00020000\U000e0041\U0010ffff" * (BIG // 3),
    "almost a term": "违禁" * (BIG // 2),
    "spelled": "a s " * (BIG // 4),
    "terms": "违禁词 " * (BIG // 4),
    "ligatures": "ﬁ㎏½" * (BIG // 3),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_is_read_to_its_end(text: str) -> None:
    scan = DETECTOR.scan(text + "。forbiddenterm。", 0, final=True)
    assert scan.safe == len(text) + 15
    assert [text[f.start : f.end] for f in scan.findings[-1:]] == [""]
    assert scan.findings[-1].rule == "forbiddenterm"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_stream_is_held_back_longer_than_the_bound(text: str) -> None:
    for size in (1, 50, 5000, 5001, 5002, len(text)):
        assert size - DETECTOR.scan(text[:size], 0, final=False).safe <= HELD


def test_every_term_of_a_long_text_is_found() -> None:
    assert len(DETECTOR.scan("违禁词。" * 20_000, 0, final=True).findings) == 20_000
