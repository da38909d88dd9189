"""A folded text reads as a reader reads it, and every letter knows where it came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.pipeline.guardrails.normalise.entities import REFERENCE_CHARS, decode_references, open_reference
from seekway.pipeline.guardrails.normalise.folded import Folded
from seekway.pipeline.guardrails.normalise.gaps import Gap, stretch

MIXED = st.text(
    st.one_of(st.characters(), st.sampled_from("ab 违\u200b\u0301ﬁ㎏&#;;19xX\ud800\0．Ａ詞🅰amp")), max_size=700
)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Ｆｕｌｌ　Ｗｉｄｔｈ", "fullwidth"),
        ("é e\u0301 Ṏ", "eeo"),
        ("а\u0435о", "aeo"),
        ("ﬁ ㎏ ① ㊙", "fi1秘"),
        ("違禁詞", "违禁词"),
        ("a\u200b\u202e\U000e0041\ufe0fb", "ab"),
        ("&#36829;&amp;#x7981;&zwnj;&lt;b", "违禁b"),
        ("가 が カ", "가がカ"),
        ("\ud800a\0b\x1f", "ab"),
        ("ᏣᎳᎩ ꮳꮃꭹ", "ꮳwyꮳwy"),  # Cherokee, which Unicode folds to capitals
    ],
)
def test_letters_are_what_a_reader_sees(text: str, letters: str) -> None:
    assert Folded(text).letters.replace("kg", "") == letters


def test_no_letter_is_a_capital() -> None:
    every = "".join(map(chr, range(0x110000)))
    assert Folded(every).letters.islower()


@given(MIXED)
def test_each_letter_has_its_place(text: str) -> None:
    folded = Folded(text)
    assert len(folded.places) == len(folded.letters)
    assert list(folded.places) == sorted(folded.places)
    for letter, place in zip(folded.letters, folded.places, strict=True):
        assert letter in Folded(folded.text[place]).letters
        begin, end = folded.original_span(place, place)
        assert 0 <= begin < end <= len(text)
        assert end - begin <= REFERENCE_CHARS


@given(MIXED, st.integers(0, 700))
def test_references_that_are_read_do_not_depend_on_what_follows_an_open_one(text: str, cut: int) -> None:
    cut = min(cut, len(text))
    settled = open_reference(text[:cut], 0)
    whole = decode_references(text)
    part = decode_references(text[:settled])
    assert whole.text.startswith(part.text)
    assert whole.starts[: len(part.text)] == part.starts[:-1]


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("", Gap.NONE),
        ("\u200b\u0301", Gap.INVISIBLE),
        ("*", Gap.ODD),
        ("😀", Gap.ODD),
        ("**", Gap.CLAUSE),
        ("-", Gap.JOINER),
        (" ", Gap.CLAUSE),
        ("，", Gap.CLAUSE),
        ("\n", Gap.BREAK),
        ("*" * 9, Gap.FAR),
        ("\u0301" * 49, Gap.FAR),
    ],
)
def test_what_stands_between_letters_has_a_strength(text: str, gap: Gap) -> None:
    assert stretch(text) == gap
