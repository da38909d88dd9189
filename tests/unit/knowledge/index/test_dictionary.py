"""Chinese is cut as jieba cuts it, from files that hold no copy of its dictionary in each process."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import rjieba

from seekway.knowledge.index.terms import dictionary as module
from seekway.knowledge.index.terms.dictionary import dictionary
from seekway.knowledge.samples.bundled import sample_questions

_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")


def jieba(run: str) -> list[tuple[str, list[str]]]:
    # A single character or a word of two has nothing within it.
    return [(word, rjieba.cut_for_search(word, False)[:-1]) for word in rjieba.cut(run, False)]


def test_words_and_those_within_them_are_jiebas() -> None:
    runs = [run for one in sample_questions() for run in _RUN.findall(one.question)]
    assert len(runs) > 100
    for run in runs:
        assert list(dictionary().words(run)) == jieba(run), run


@pytest.mark.parametrize("seed", range(4))
def test_any_characters_are_cut_as_jieba_cuts_them(seed: int) -> None:
    dice = random.Random(seed)
    often = sorted(set("".join(run for one in sample_questions() for run in _RUN.findall(one.question))))
    rare = [chr(code) for code in range(0x3400, 0xA000)]
    for _ in range(500):
        run = "".join(dice.choices(dice.choice((often, rare)), k=dice.randint(1, 40)))
        assert list(dictionary().words(run)) == jieba(run), run


@pytest.mark.parametrize("run", ["", "𠀀𠀁", "丅", "\U0003fffe" * 3])
def test_what_no_word_holds_is_cut_into_characters(run: str) -> None:
    assert list(dictionary().words(run)) == [(character, []) for character in run]


def test_the_words_come_with_their_source_and_licence() -> None:
    assert module.__file__
    said = Path(module.__file__).with_name("SOURCES.md").read_text("utf-8")
    assert re.search(r"`words.marisa`, `words.counts`.*jieba .*\| MIT \|", said)
