"""Each way of disguising a term is seen through, in English and in Chinese, and what is found covers all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list

LIST = """
[banned high]
forbiddenterm
banned
vile thing
wanted
ass
违禁词
毒蘑菇园
好色鬼
禁药
赌局 | homophones
k粉
违章 | exact
bad | exact
"""
DETECTOR = WordDetector([parse_word_list(LIST, Path("list.txt"))])


def found(text: str) -> list[tuple[str, str]]:
    return [(f.rule, text[f.start : f.end]) for f in DETECTOR.scan(text, 0, final=True).findings]


@pytest.mark.parametrize(
    ("rule", "disguised"),
    [
        ("forbiddenterm", "FORBIDDENTERM"),
        ("forbiddenterm", "ｆｏｒｂｉｄｄｅｎｔｅｒｍ"),
        ("forbiddenterm", "fоrbіddеntеrm"),  # Cyrillic
        ("forbiddenterm", "fοrbιddεntεrm"),  # Greek
        ("forbiddenterm", "𝓯𝓸𝓻𝓫𝓲𝓭𝓭𝓮𝓷𝓽𝓮𝓻𝓶"),
        ("forbiddenterm", "🅵🅾🆁🅱🅸🅳🅳🅴🅽🆃🅴🆁🅼"),
        ("forbiddenterm", "ⓕⓞⓡⓑⓘⓓⓓⓔⓝⓣⓔⓡⓜ"),
        ("forbiddenterm", "fo\u200brbid\u2060den\u00adterm"),
        ("forbiddenterm", "fo\u202erbid\u202cdenterm"),
        ("forbiddenterm", "fo\U000e0066rbid\ufe0fdenterm"),
        ("forbiddenterm", "f\u0336o\u0336r\u0336b\u0336i\u0336d\u0336d\u0336enterm"),
        ("forbiddenterm", "fórbïddēntẽrm"),
        ("forbiddenterm", "f.o.r.b.i.d.d.e.n.t.e.r.m"),
        ("forbiddenterm", "f o r b i d d e n t e r m"),
        ("forbiddenterm", "forbidden-term"),
        ("forbiddenterm", "forbid_den term"),
        ("forbiddenterm", "f😀orbidden*term"),
        ("forbiddenterm", "foorbiiiddenterm".replace("oo", "ooo")),
        ("forbiddenterm", "f0rb1dd3nt3rm"),
        ("forbiddenterm", "&#102;orbidden&#x74;erm"),
        ("forbiddenterm", "forbid&zwnj;denterm"),
        ("banned", "b@nned"),
        ("banned", "8anned"),
        ("banned", "baaanned"),
        ("vile thing", "vile\nthing"),
        ("vile thing", "vilething"),
        ("vile thing", "V-I-L-E T-H-I-N-G"),
        ("ass", "a.s.s"),
        ("ass", "a s s"),
        ("ass", "a$$"),
        ("ass", "@ss"),
        ("违禁词", "違禁詞"),
        ("违禁词", "违\u200b禁\ufe0f词"),
        ("违禁词", "违.禁.词"),
        ("违禁词", "违 禁 词"),
        ("违禁词", "违，禁，词"),
        ("违禁词", "违\n禁\n词"),
        ("违禁词", "违*禁词"),
        ("违禁词", "违😀禁☆词"),
        ("违禁词", "违违禁禁词"[1:]),
        ("违禁词", "&#36829;&#31105;&#35789;"),
        ("违禁词", "&amp;#x8fdd;禁词"),
        ("违禁词", "wei jin ci"),
        ("违禁词", "WeiJinCi"),
        ("违禁词", "wéi jìn cí"),
        ("违禁词", "违jin词"),
        ("违禁词", "wei禁ci"),
        ("违禁词", "违进词"),
        ("违禁词", "违林示讠司"),
        ("好色鬼", "女子色鬼"),
        ("禁药", "禁艹约"),
        ("禁药", "禁*药"),
        ("禁药", "禁 药"),
        ("赌局", "堵局"),
        ("赌局", "du局"),
        ("k粉", "Ｋ 粉"),
        ("违章", "違\u200b章"),
        ("bad", "BÁD"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "so {} here", "，{}。", "😀{}😀"])
def test_a_disguised_term_is_found_whole(rule: str, disguised: str, around: str) -> None:
    assert (rule, disguised) in found(around.format(disguised))


@pytest.mark.parametrize(
    "text",
    [
        "class pass assume", "was so", "as so", "c l a s s", "bass", "ass1", "urban nedflanders", "455", "A55", "b.ad", "违*章", "bаds",
        "违规，禁止，词语", "禁，药", "违禁", "我们的禁忌，药物", "forbidden. Term", "ban ned", "vile. nothing", "w j c", "违jinx词",
    ],
)  # fmt: skip
def test_what_only_comes_near_is_not(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "elsewhere", ["", "é ", "的", "Ꭳ ", "ꭳ ", "שלום ", "the aa of it. ", "www.example.com ", "1! "]
)
@pytest.mark.parametrize(
    ("rule", "disguised"),
    [("banned", "8anned"), ("违禁词", "wei jin ci"), ("ass", "aaass"), ("wanted", "wwwanted")],
)
def test_what_stands_elsewhere_hides_no_disguise_and_betrays_none(rule: str, disguised: str, elsewhere: str) -> None:
    assert (rule, disguised) in found(f"{elsewhere}so {disguised} here")
    assert (rule, disguised) in found(f"so {disguised} here {elsewhere}")


def test_terms_stand_right_beside_chinese_characters_and_digits_do_not_end_words() -> None:
    assert found("他说banned这个词") == [("banned", "banned")]
    assert found("banned2") == []


def test_terms_further_apart_than_the_bounds_are_not_joined() -> None:
    assert found("违" + "*" * 8 + "禁词") == [("违禁词", "违" + "*" * 8 + "禁词")]
    assert found("违" + "*" * 9 + "禁词") == []
    assert found("违" + "\u0301" * 40 + "禁词") != []
    assert found("违" + "\u0301" * 60 + "禁词") == []


def test_overlapping_terms_are_all_found_in_order() -> None:
    detector = WordDetector([parse_word_list("[a high]\n甲乙丙\n乙丙\n丙丁\n[b low]\n乙丙\n", Path("list"))])
    scan = detector.scan("甲乙丙丁", 0, final=True)
    assert [(f.start, f.end, f.category) for f in scan.findings] == [(0, 3, "a"), (1, 3, "a"), (1, 3, "b"), (2, 4, "a")]


def test_an_allowed_phrase_excuses_its_term_and_no_other() -> None:
    detector = WordDetector([parse_word_list("[a high]\n冰毒\n[allow]\n冰毒检测\n", Path("list"))])
    assert [f.start for f in detector.scan("冰毒检测与冰毒", 0, final=True).findings] == [5]
    assert detector.scan("冰毒", 0, final=False).safe == 0
    assert detector.scan("冰毒检测的", 0, final=False).safe == 5


def test_a_word_nearby_excuses_a_term_on_either_side() -> None:
    detector = WordDetector([parse_word_list("[a high]\n溜冰 | unless 滑冰场, rink within 6\n", Path("list"))])

    def count(text: str) -> int:
        return len(detector.scan(text, 0, final=True).findings)

    assert count("去溜冰吧") == 1
    assert count("滑冰场里溜冰") == 0
    assert count("溜冰 at rink") == 1  # it stands in the eighth character
    assert count("溜冰 rink") == 0
    assert count("溜冰 rinks") == 1
    assert detector.scan("去溜冰", 0, final=False).safe == 1


def test_a_finding_says_what_it_is() -> None:
    (finding,) = DETECTOR.scan("x 违禁词", 0, final=True).findings
    assert (finding.detector, finding.category, finding.severity, finding.rule, finding.score) == (
        "words",
        "banned",
        "high",
        "违禁词",
        1.0,
    )
    (finding,) = DETECTOR.scan("x 违进词", 0, final=True).findings
    assert finding.score < 1


def test_no_list_and_no_text_find_nothing() -> None:
    assert DETECTOR.scan("", 0, final=False) == ((), 0)
    assert WordDetector([]).scan("anything", 0, final=False) == ((), 8)
