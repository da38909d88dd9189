"""The words have a veto: what vectors take for the same and is not gets no answer of another question."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.pipeline.cache.near_match import may_share, words

PAIRS_FILE = Path(__file__).resolve().parents[3] / "fixtures" / "question_pairs.jsonl"


class Pair(msgspec.Struct, frozen=True):
    a: str
    b: str
    same: bool
    held_out: bool


PAIRS = msgspec.json.Decoder(Pair).decode_lines(PAIRS_FILE.read_bytes())


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if not pair.same], ids=lambda pair: f"{pair.a}|{pair.b}")
def test_questions_that_differ_in_meaning_never_share_by_their_words(pair: Pair) -> None:
    assert not may_share(words(pair.a), words(pair.b), "words")


def test_about_half_of_the_paraphrases_share_by_their_words() -> None:
    same = [pair for pair in PAIRS if pair.same]
    shared = sum(may_share(words(pair.a), words(pair.b), "words") for pair in same)
    assert shared >= len(same) // 2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Is 10 mg safe?", "Is 100 mg safe?"),
        ("Is ten mg safe?", "Is twenty mg safe?"),
        ("吃十毫克安全吗", "吃二十毫克安全吗"),
        ("with alcohol?", "without alcohol?"),
        ("my order has arrived", "my order has not arrived"),
        ("我的订单到了", "我的订单没到"),
        ("dollars to euros", "euros to dollars"),
        ("猫咬了狗", "狗咬了猫"),
        ("side effects of A100", "side effects of B100"),
        ("Is 1.5 g too much?", "Is 15 g too much?"),
        ("How do I learn C#?", "How do I learn C++?"),
    ],
)
def test_numbers_negations_and_order_hold_with_the_weaker_guard_too(a: str, b: str) -> None:
    assert not may_share(words(a), words(b), "numbers")
    assert not may_share(words(b), words(a), "numbers")


def test_the_weaker_guard_lets_paraphrases_pass() -> None:
    a, b = "How do I reset my password?", "I forgot my password, how do I reset it?"
    assert may_share(words(a), words(b), "numbers")
    assert not may_share(words(a), words(b), "words")


def test_spellings_of_one_question_are_one() -> None:
    assert words("Please tell me, what's the price of 1,000 cards?") == words("what is the price of １０００ cards")
    assert words("请问怎么修改地址？") == words("如何修改地址")


def test_capitals_are_names() -> None:
    assert words("Is IT hard?") != words("Is it hard?")
    assert words("vitamin A") != words("vitamin")


@given(st.text())
def test_any_text_has_words_and_shares_with_itself(text: str) -> None:
    found = words(text)
    assert may_share(found, found, "words") is bool(found)
