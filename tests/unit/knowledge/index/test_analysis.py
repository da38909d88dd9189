"""Which words a text is found by."""

from __future__ import annotations

import pytest

from seekway.knowledge.index.terms.analysis import MAX_TERM, folded, keywords, query_terms, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("軟體保險條款", "软体保险条款"),
        ("ＩＰＨＯＮＥ　１５", "iphone 15"),
        ("Refund Policies", "refund policy"),
        ("Café Zürich", "cafe zurich"),
    ],
)
def test_what_is_written_differently_is_found_alike(one: str, other: str) -> None:
    assert terms(one) == terms(other)


def test_a_long_word_is_found_by_the_words_within_it() -> None:
    assert {"健康", "保险"} <= set(terms("健康保险"))
    assert {"中华", "国务院"} <= set(terms("中华人民共和国国务院"))


def test_a_short_form_shares_terms_with_the_long_one() -> None:
    assert {"专", "票"} <= set(query_terms("怎么开专票")) & set(terms("增值税专用发票"))


def test_a_model_number_is_found_whole_and_in_parts() -> None:
    assert terms("X200") == ["x200", "x", "200"]


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    assert terms("ありがとう") == ["あり", "りが", "がと", "とう"]
    assert terms("Привет мир") == ["привет", "мир"]


def test_terms_hold_nothing_that_a_query_could_break_on() -> None:
    hostile = '" OR * NEAR(a b) ^col: - \' ; ) ( \x00 \ud83d 🎉 { } + "'
    assert all(term.isalnum() for term in terms(hostile))


def test_an_endless_word_is_cut() -> None:
    assert max(map(len, terms("a" * 1000))) == MAX_TERM


def test_a_question_is_asked_without_the_words_that_make_it_one() -> None:
    assert query_terms("请问如何办理退款？") == ["办理", "办", "理", "退款", "退", "款"]
    assert query_terms("How do I get the refund, the refund?") == ["get", "refund"]


def test_a_question_of_such_words_alone_keeps_them() -> None:
    assert query_terms("the who") == ["the", "who"]


def test_keywords_are_the_words_a_text_repeats() -> None:
    assert keywords("退款政策：退款申请在七天内提交，退款原路返回。", 1) == ["退款"]
    assert keywords("的了是 12 a", 5) == []


def test_folding_ascii_only_lowers_it() -> None:
    assert folded("ABC-1 é É") == "abc-1 e e"
