"""Cleaning takes out what its rules name, and knows where the rest went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.knowledge.cleaning import CleaningRule, clean
from seekway.knowledge.parsing.parsed import Heading, Page, Parsed

_ALL: tuple[CleaningRule, ...] = ("remove_extra_spaces", "remove_urls_emails", "remove_stopwords")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a  b\t \u3000c d", "a b c d"),
        ("a\n\n\n\nb\n \n\t\nc\n\nd", "a\n\nb\n\nc\n\nd"),
        ("见https://example.com/a?b=c。谢谢", "见。谢谢"),
        (
            "(HTTP://EXAMPLE.COM), [这里](https://kept.example) ![](http://kept.example/a.png)",
            "(), [这里](https://kept.example) ![](http://kept.example/a.png)",
        ),
        ("写信到a.b+c@mail.example.com。或 x@y", "写信到。或 x@y"),
        ("https://user@example.com/x @ y", " @ y"),
        ("a@b.c@d.e", "@d.e"),
        ("\x00a\x08b\ufeff", "ab"),
    ],
)
def test_rules_do_what_they_say(text: str, cleaned: str) -> None:
    assert clean(Parsed(text), _ALL).text == cleaned


def test_without_rules_only_what_cannot_be_shown_goes() -> None:
    text = "a   b\n\n\n\nhttps://example.com x@example.com"
    assert clean(Parsed(f"\x01{text}"), ()).text == text


def test_titles_pages_and_pairs_follow() -> None:
    text = "x@example.com   \n\n\n\n# One\n\n\n\n# Two    three"
    places = (text.index("# One"), text.index("# Two"))
    parsed = Parsed(
        *(text, "t", tuple(Heading(1, "x", place) for place in places)),
        (Page("1", 0, places[1]), Page("2", places[1], len(text))),
        (("a  b", "see https://example.com"),),
    )
    cleaned = clean(parsed, _ALL)
    assert [cleaned.text[heading.start :][:5] for heading in cleaned.headings] == ["# One", "# Two"]
    assert cleaned.text[cleaned.pages[1].start : cleaned.pages[1].end] == "# Two three"
    assert cleaned.pairs == (("a b", "see "),)


@given(st.text(alphabet=st.sampled_from("ab @.:/\n\t#\u3000。\x00-(]htps")), st.data())
def test_places_stay_in_order_and_within(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    cleaned = clean(Parsed(text, "", tuple(Heading(1, "x", place) for place in places)), _ALL)
    found = [heading.start for heading in cleaned.headings]
    assert found == sorted(found)
    assert all(0 <= place <= len(cleaned.text) for place in found)
    assert "\n\n\n" not in cleaned.text
    # What stays is of the text, in its order.
    rest = iter(text)
    assert all(character == " " or character in rest for character in cleaned.text)
