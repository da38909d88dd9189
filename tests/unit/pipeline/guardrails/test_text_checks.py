"""Language, text rules and answer formats say what is the matter, and nothing where nothing is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.format_check import FormatCheck, FormatRules
from seekway.pipeline.guardrails.language import detect
from seekway.pipeline.guardrails.rules import text_rules
from seekway.pipeline.guardrails.rules.text_rules import TextRules, check_rules

SENTENCES = Path(__file__).parents[3] / "fixtures" / "languages.txt"


def sentences() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    language = ""
    for line in SENTENCES.read_text("utf-8").splitlines():
        if line.startswith("["):
            language = line.strip("[]")
        elif line and not line.startswith("#"):
            found.append((language, line))
    return found


def test_nearly_all_short_sentences_are_told_by_language() -> None:
    told = [(language, detect(text).language) for language, text in sentences()]
    totals, right = Counter(language for language, _ in told), Counter(a for a, b in told if a == b)
    assert len(totals) == 15
    assert min(totals.values()) >= 30
    assert sum(right.values()) >= 0.97 * len(told)
    assert min(right[language] / totals[language] for language in totals) >= 0.9


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", ""), ("12345 !?", ""), ("qwrt zxcv", ""), ("用 Python 写一个 function", "zh-Hans"), ("Привіт, це моя собака", "uk"),
        ("The word 你好 means hello in Chinese, and it is used every day.", "en"), ("سلام، چطور می‌توانم کمک کنم؟ گفتم", "fa"), ("Καλημέρα σας", "el"),
        ("A" * 11 + "α" * 8 + "中文中文", "zh-Hans"), ("A" * 11 + "α" * 11 + "ひらがなひら", "ja"),
    ],
)  # fmt: skip
def test_texts_of_few_or_mixed_signs(text: str, language: str) -> None:
    assert detect(text).language == language


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert 0 <= detect(text).confidence <= 1
    assert all(
        0 <= f.start <= f.end <= len(text)
        for f in TextRules(max_characters=3, max_bytes=5, allowed=("en",)).check(text)
    )


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("abcd", {"max_characters"}),
        ("中文", {"max_bytes"}),
        ("a\ud800b", {"lone_surrogate"}),
        ("a\x01\x02", {"control_characters"}),
        ("hi" + "\u200b" * 9, {"max_characters", "max_bytes", "invisible_characters"}),
        ("h" + "\u0301" * 9 + "i", {"max_characters", "max_bytes", "combining_marks"}),
        ("a\tb", set[str]()),
    ],
)
def test_length_and_encoding(text: str, rules: set[str]) -> None:
    assert {finding.rule for finding in TextRules(max_characters=3, max_bytes=5).check(text)} == rules


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧‍👦❤️👩🏽‍🚀",
        "می‌خواهم می‌روم می‌شود نمی‌دانم",
        "Tiếng Việt có dấu",
        "ที่นี่มีน้ำ",
        "हिन्दी में क्ष्म्य",
        "e\u0302\u0301 decomposed",
    ],
)
def test_scripts_that_need_joiners_and_marks_are_no_finding(text: str) -> None:
    assert TextRules().check(text) == ()


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (TextRules(allowed=("en", "zh")), "not_allowed:ru"),
        (TextRules(denied=("ru",)), "denied:ru"),
        (TextRules(allowed=("ru",)), ""),
        (TextRules(denied=("zh",)), ""),
    ],
)
def test_languages_may_be_allowed_or_denied(rules: TextRules, found: str) -> None:
    assert [finding.rule for finding in rules.check("Где моя посылка?")] == [found] * bool(found)


def test_zh_means_both_scripts() -> None:
    assert TextRules(allowed=("zh",)).check("請問怎麼退貨？") == ()
    assert TextRules(denied=("zh-Hant",)).check("请问怎么退货？") == ()


def test_a_language_both_allowed_and_denied_is_refused() -> None:
    with pytest.raises(ConfigError):
        check_rules(TextRules(allowed=("en",), denied=("en",)))


SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("rules", "text", "lacks"),
    [
        (FormatRules(json=True), "{", ["json"]),
        (FormatRules(json=True), "[1]", []),
        (FormatRules(schema=SCHEMA), '{"a": "x"}', ["schema"]),
        (FormatRules(schema=SCHEMA), '{"a": 1}', []),
        (FormatRules(min_characters=3, max_characters=4), "ab ", ["too_short"]),
        (FormatRules(min_characters=3, max_characters=4), "abcde", ["too_long"]),
        (FormatRules(citations=2), "as said [1]", ["citations"]),
        (FormatRules(citations=2), "as said [1] and 【2†x】", []),
        (FormatRules(must_contain=(r"(?i)\bsources?:",)), "no", ["must_contain"]),
        (FormatRules(must_contain=(r"(?i)\bsources?:",)), "Source: x", []),
    ],
)
def test_answers_must_have_their_form(rules: FormatRules, text: str, lacks: list[str]) -> None:
    assert [finding.rule for finding in FormatCheck(rules).check(text)] == lacks


def test_json_as_deep_as_you_like_is_no_crash() -> None:
    assert [finding.rule for finding in FormatCheck(FormatRules(json=True)).check("[" * 100_000)] == ["json"]


@pytest.mark.parametrize("rules", [FormatRules(schema={"type": "nonsense"}), FormatRules(must_contain=("(",))])
def test_rules_that_cannot_be_used_are_refused(rules: FormatRules) -> None:
    with pytest.raises(ConfigError):
        FormatCheck(rules)


@pytest.mark.parametrize("seed", range(4))
def test_a_look_that_finds_a_text_ordinary_hides_nothing(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rnd = Random(seed)
    ordinary = "abc \n\t\x7f的是。👍\u3000é\u0627"
    odd = "\x00\x1b\x9b\u00ad\u200b\u200d\ufe0f\ufe01\U000e0101\u0301\u0489\u3164\u2028\ud800\ue000\u0378"
    rules = TextRules(max_control=0.01)
    texts = [
        "".join(rnd.choices(rnd.choice([ordinary, odd, ordinary + odd]), k=rnd.randint(0, 40))) * rnd.randint(1, 3)
        for _ in range(400)
    ]
    found = [rules.check(text) for text in texts]
    assert any(found)

    def never(text: str) -> bool:
        return not text

    monkeypatch.setattr(text_rules, "_ordinary", never)
    assert [rules.check(text) for text in texts] == found
