"""The texts that the guardrails are measured with are what they say."""

from __future__ import annotations

import unicodedata

import pytest
from benchmarks.guardrails.disguises import KINDS, disguise
from benchmarks.guardrails.harmful import Listed, harmful_texts
from benchmarks.guardrails.personal import harmless_numbers, personal_texts
from benchmarks.guardrails.quality import shipped_terms
from benchmarks.guardrails.texts import kilobytes, made_up_words
from benchmarks.guardrails.written_out import HOMOPHONES, PINYIN

from seekway.pipeline.guardrails.lists.shipped import shipped_lists

SOME = [Listed("cocaine for sale", "drugs", "high"), Listed("出售冰毒", "drugs", "high")]


@pytest.mark.parametrize(
    ("kind", "term", "expected"),
    [
        ("plain", "cocaine", "cocaine"),
        ("full width", "meth", "ｍｅｔｈ"),
        ("traditional", "枪支出售", "槍支出售"),
        ("pinyin", "假币出售", "jiabichushou"),
        ("homophones", "约炮", "月泡"),
        ("split characters", "洗钱", "氵先钅戋"),
    ],
)
def test_a_term_is_disguised_as_the_kind_says(kind: str, term: str, expected: str) -> None:
    found = disguise(term, kind)
    assert found is not None
    assert found.replace(" ", "") == expected.replace(" ", "")


@pytest.mark.parametrize(
    ("kind", "term"),
    [("traditional", "hello"), ("leet", "冰毒"), ("pinyin", "你好"), ("full width", "冰毒"), ("zero width", "x")],
)
def test_what_a_kind_leaves_as_it_is_counts_for_no_disguise(kind: str, term: str) -> None:
    assert disguise(term, kind) is None


@pytest.mark.parametrize("kind", ["zero width", "separators", "emoji between", "combining marks"])
def test_signs_between_leave_the_letters_in_their_order(kind: str) -> None:
    for term in ("cocaine for sale", "出售冰毒"):
        changed = disguise(term, kind)
        assert changed is not None
        assert changed != term
        kept = "".join(c for c in changed if unicodedata.category(c)[0] == "L")
        assert kept == term.replace(" ", "")


def test_every_disguise_can_be_put_on_some_term_and_is_the_same_each_time() -> None:
    texts = list(harmful_texts(shipped_terms(), 5))
    assert {one.kind for one in texts} == set(KINDS)
    assert texts == list(harmful_texts(reversed(shipped_terms()), 5))
    assert len({one.term for one in texts if one.kind == "plain"}) == len(shipped_terms())


def test_a_sample_holds_no_more_than_asked_for() -> None:
    kinds = [(one.kind, one.language) for one in harmful_texts(SOME, 1)]
    assert len(kinds) == len(set(kinds))


def test_what_is_written_out_by_hand_is_on_the_lists() -> None:
    texts = {term.text for one in shipped_lists() for term in one.terms}
    assert set(PINYIN) | set(HOMOPHONES) <= texts


def test_personal_data_have_right_check_digits_and_the_harmless_ones_wrong() -> None:
    """The published examples of GB 11643 (11010519491231002X) and of Luhn (4111111111111111) pass the same checks."""
    assert is_luhn("4111111111111111")
    assert is_identity_card("11010519491231002X")
    cards = [one for one in personal_texts(6) if one.kind in ("credit card", "Chinese bank card")]
    assert all(is_luhn("".join(filter(str.isdigit, one.text))) for one in cards)
    identities = [one for one in personal_texts(6) if one.kind == "Chinese ID card"]
    assert all(is_identity_card("".join(c for c in one.text if c in "0123456789X")) for one in identities)
    wrong = [one for one in harmless_numbers(10) if one.kind == "card, wrong digit"]
    assert not any(is_luhn("".join(filter(str.isdigit, one.text))) for one in wrong)


def is_luhn(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(sum(divmod(value, 10)) for value in doubled) % 10 == 0


def is_identity_card(number: str) -> bool:
    """ISO 7064, MOD 11-2, by its recursion rather than by weights."""
    rest = 0
    for sign in number:
        rest = (rest * 2 + (10 if sign == "X" else int(sign))) % 11
    return rest == 1


def test_a_kilobyte_is_one() -> None:
    for text in kilobytes(["a hit"]).values():
        assert 1021 <= len(text.encode()) <= 1024
    assert "a hit" in kilobytes(["a hit"])["English, with hits"]


def test_made_up_words_differ_and_are_of_both_scripts() -> None:
    words = made_up_words(1000)
    assert len(set(words)) == 1000
    assert sum(word.isascii() for word in words) == 500
