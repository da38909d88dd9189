"""The passages and questions that come with Seekway."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from seekway.knowledge.samples.bundled import sample_passages, sample_questions

ROOT = Path(__file__).parents[4]
KINDS = {"direct", "paraphrase", "keyword", "other_language", "colloquial"}
_HAN = re.compile("[\u4e00-\u9fff]")


def test_there_are_many_passages_in_both_languages_and_none_twice() -> None:
    passages = sample_passages()
    assert len(passages) >= 300
    assert min(Counter(passage.language for passage in passages).values()) >= 140
    assert len({passage.id for passage in passages}) == len(passages)
    assert len({passage.text for passage in passages}) == len(passages)
    assert all(passage.title and len(passage.text) > 40 for passage in passages)


def test_each_language_is_what_the_text_is_written_in() -> None:
    for passage in sample_passages():
        assert bool(_HAN.search(passage.text)) == (passage.language == "zh"), passage.id


def test_a_passage_is_indexed_with_the_titles_above_it() -> None:
    sample = next(one for one in sample_passages() if one.id == "zh/products-air#Q6 故障代码")
    assert sample.passage.heading == "空气类产品指南 / 青岚 Q6 空气净化器 / Q6 故障代码"
    assert sample.passage.text.startswith("### Q6 故障代码\n\nE01：")
    assert (sample.passage.position, sample.passage.end) == (1, len(sample.text))


def test_every_question_names_passages_that_are_there() -> None:
    known = {passage.id for passage in sample_passages()}
    for question in sample_questions():
        assert {one.document for one in question.relevant} <= known, question.question
        assert len(set(question.relevant)) == len(question.relevant), question.question
        assert all(one.position is None for one in question.relevant)


def test_questions_are_many_of_each_kind_in_both_languages_and_none_twice() -> None:
    questions = sample_questions()
    assert len(questions) >= 240
    assert len({question.question for question in questions}) == len(questions)
    assert {question.kind for question in questions} == KINDS
    for kind in KINDS:
        asked = Counter(_language(one.question) for one in questions if one.kind == kind)
        assert min(asked["zh"], asked["en"]) >= 15, kind
        assert asked.total() >= 48, kind
    assert sum(len(question.relevant) > 1 for question in questions) >= 10


def test_only_questions_of_that_kind_are_in_another_language_than_what_they_seek() -> None:
    languages = {passage.id: passage.language for passage in sample_passages()}
    for question in sample_questions():
        sought = {languages[one.document] for one in question.relevant}
        if question.kind == "other_language":
            assert _language(question.question) not in sought, question.question
        elif question.kind != "keyword":  # codes are of no language
            assert _language(question.question) in sought, question.question


def test_questions_are_spread_over_the_handbook() -> None:
    sought = {one.document for question in sample_questions() for one in question.relevant}
    assert len(sought) >= 200
    assert len({name.partition("#")[0] for name in sought}) >= 20


def test_the_passages_are_what_the_script_cuts() -> None:
    pytest.importorskip("selectolax", reason="one file of the handbook is HTML")
    command = [sys.executable, str(ROOT / "scripts/make_knowledge_samples.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stderr == ""


def _language(text: str) -> str:
    return "zh" if _HAN.search(text) else "en"
