"""The word lists that come with Seekway: whole, without contradictions, and silent over harmless texts."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.evaluation import Judged, evaluate, read_examples
from seekway.pipeline.guardrails.lists.shipped import shipped_files, shipped_lists
from seekway.pipeline.guardrails.samples.bundled import benign_files
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list

LISTS = shipped_lists()
TERMS = [term for one in LISTS for term in one.terms]
MOST_FALSE_ALARMS = 0.005


@pytest.fixture(scope="module")
def detector() -> WordDetector:
    return WordDetector(LISTS)


def test_every_term_is_found_in_a_plain_sentence(detector: WordDetector) -> None:
    missed: list[str] = []
    for term in TERMS:
        before, behind = ("Someone wrote ", " and went.") if term.text.isascii() else ("有人写了", ",然后走了。")
        found = detector.scan(f"{before}{term.text}{behind}", 0, final=True).findings
        if not any(one.rule == term.text and one.severity == term.severity for one in found):
            missed.append(term.text)
    assert missed == []


@pytest.mark.parametrize("path", benign_files(), ids=lambda path: path.stem)
def test_harmless_texts_are_left_alone(detector: WordDetector, path: Path) -> None:
    """What is of the level low is only flagged, and does not count."""
    judged: list[Judged] = []
    for example in read_examples(path.read_bytes().splitlines(), path.name):
        found = detector.scan(example.text, 0, final=True).findings
        acted = tuple(f"{one.category}: {one.rule}" for one in found if one.severity != "low")
        judged.append(Judged(example, "mask" if acted else "pass", acted))
    evaluation = evaluate(judged)
    assert (evaluation.false_alarms.acted.share or 0) <= MOST_FALSE_ALARMS, [
        (one.example.text, one.categories) for one in evaluation.alarmed
    ]


def test_every_category_has_an_english_and_a_chinese_list() -> None:
    names = {path.stem for path in shipped_files()}
    categories = {name.rpartition("-")[0] for name in names}
    assert names == {f"{category}-{language}" for category in categories for language in ("en", "zh")}
    for one in LISTS:
        assert {term.category for term in one.terms} == {one.name.rpartition("-")[0]}


def test_every_list_says_where_it_is_from_and_under_which_licence() -> None:
    assert {(one.source, one.license) for one in LISTS} == {("written for this project", "Apache-2.0")}


def test_a_term_stands_on_one_list_with_one_level() -> None:
    assert [text for text, times in Counter(term.text.casefold() for term in TERMS).items() if times > 1] == []


def test_terms_are_written_plainly() -> None:
    assert [term.text for term in TERMS if term.text != term.text.lower().strip()] == []


def test_an_allowed_phrase_holds_a_term_and_more() -> None:
    texts = [term.text for term in TERMS]
    allowed = [phrase for one in LISTS for phrase in one.allow]
    assert [phrase for phrase in allowed if not any(text in phrase and text != phrase for text in texts)] == []


def test_what_operators_must_review_by_law_is_only_ever_flagged() -> None:
    assert {term.severity for term in TERMS if term.category == "political"} == {"low"}


def test_no_two_lists_have_one_name() -> None:
    assert all(one.name != other.name for one, other in combinations(LISTS, 2))


def test_options_of_a_section_hold_for_each_of_its_terms() -> None:
    text = "[drugs medium | unless police, doctor within 20]\none\ntwo | high\nthree | unless nurse within 9\n[drugs low]\nfour\n"
    one, two, three, four = parse_word_list(text, Path("x.txt")).terms
    assert (one.severity, one.unless, one.within) == ("medium", ("police", "doctor"), 20)
    assert (two.severity, two.unless, two.within) == ("high", ("police", "doctor"), 20)
    assert (three.unless, three.within) == (("nurse",), 9)
    assert (four.severity, four.unless, four.within) == ("low", (), 0)


@pytest.mark.parametrize(
    "section", ["[allow | exact]", "[drugs medium | loudly]", "[drugs medium | unless x within 0]"]
)
def test_a_section_with_options_that_cannot_be_meant_is_refused(section: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.txt, line 1: "):
        parse_word_list(f"{section}\nterm\n", Path("x.txt"))


def test_the_list_in_the_documentation_can_be_read() -> None:
    page = (Path(__file__).parents[4] / "docs/guardrails-lists.md").read_text("utf-8")
    example = parse_word_list(page.split("```\n")[1], Path("x.txt"))
    assert example.name == "my-company"
    assert {term.text: term.severity for term in example.terms} == {
        "acme cloud": "low",
        "project nightingale": "high",
        "夜莺计划": "high",
        "止咳水": "medium",
    }
    assert example.allow == ("nightingale hospital",)


def test_the_documentation_counts_the_terms_of_each_category() -> None:
    page = (Path(__file__).parents[4] / "docs/guardrails-lists.md").read_text("utf-8")
    counts = Counter((term.category, one.name[-2:], term.severity) for one in LISTS for term in one.terms)
    for category in {term.category for term in TERMS}:
        numbers = " | ".join(
            f"{counts[category, 'en', level]}, {counts[category, 'zh', level]}" for level in ("high", "medium", "low")
        )
        row = next(line for line in page.splitlines() if line.startswith(f"| `{category}` |"))
        assert row.endswith(f"| {numbers} |")
