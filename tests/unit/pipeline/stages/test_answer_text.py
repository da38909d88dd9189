"""A change to an answer's text gives the same text however the answer was cut into pieces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.pipeline.guardrails.rules.pattern_detector import Pattern, PatternDetector
from seekway.pipeline.stages.answer_text.citations import FormatCitations
from seekway.pipeline.stages.answer_text.edges import Append, MaxLength, Prepend, TrimEdges
from seekway.pipeline.stages.answer_text.json_mending import JsonMender
from seekway.pipeline.stages.answer_text.plain_text import StripMarkdown
from seekway.pipeline.stages.answer_text.replacing import Replace
from seekway.pipeline.stages.answer_text.text_filter import TextFilter, TextFilters
from tests.unit.pipeline.stages.cutting import cut_texts, every_cut, streamed, whole

DETECTOR = PatternDetector((Pattern("p", r"\bfoo\b|[0-9]{3,6}|中+文", "c", "low", longest=5),))
CITATION_PARTS = st.sampled_from(
    [
        "[",
        "]",
        "【",
        "】",
        "†",
        "1",
        "23",
        "source",
        "citation:",
        "^",
        " ",
        ",",
        "(",
        ":",
        "\n",
        "`",
        "```",
        "x",
        "来源",
        "［1］",
        "4:0",
    ]
)
MARKDOWN_PARTS = st.sampled_from(
    [
        "#",
        "# ",
        "**",
        "*",
        "_",
        "__",
        "~~",
        "`",
        "```",
        "\n",
        "- ",
        "* ",
        "> ",
        "---",
        "[",
        "](",
        ")",
        "!",
        "a",
        "word",
        " ",
        "。",
        "http://x",
    ]
)
WORDS = st.sampled_from(["foo", "fo", "o", "1", "23", "中", "文", " ", "x", "\n"])
SPACES = st.sampled_from([" ", "\n", "a", "好", "\t"])
FILTERS: list[tuple[Callable[[], TextFilter], st.SearchStrategy[str]]] = [
    (FormatCitations, CITATION_PARTS),
    (partial(FormatCitations, "<{n}>"), CITATION_PARTS),
    (StripMarkdown, MARKDOWN_PARTS),
    (partial(Replace, DETECTOR, "***"), WORDS),
    (TrimEdges, SPACES),
    (partial(Prepend, "> "), SPACES),
    (partial(Append, "!"), SPACES),
    (partial(MaxLength, 5, "…"), SPACES),
    (
        lambda: TextFilters([StripMarkdown(), FormatCitations(), TrimEdges(), Append("\n--"), MaxLength(20)]),
        MARKDOWN_PARTS,
    ),
]


@pytest.mark.parametrize(("make", "parts"), FILTERS)
def test_a_stream_gives_the_whole_texts_text(make: Callable[[], TextFilter], parts: st.SearchStrategy[str]) -> None:
    @given(cut_texts(parts))
    def any_cut(pieces: list[str]) -> None:
        assert streamed(make, pieces) == whole(make, "".join(pieces))

    any_cut()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("As said 【1†source】.", "As said [1]."),
        ("如文【3】所述[citation:2][citation:7]。", "如文[3]所述[2][7]。"),
        ("x 【4:2†file.pdf】 y", "x [2] y"),
        ("a［1］ [^2] [[3]] [source 4] [来源5]", "a[1] [2] [3] [4] [5]"),
        ("【1, 2】 and [citation:1,citation:3]", "[1][2] and [1][3]"),
        ("[1](http://x) [[1]](http://x)", "[1](http://x) [[1]](http://x)"),
        ("\n[1]: http://x", "\n[1]: http://x"),
        ("the list [1, 2] and year [2024]", "the list [1, 2] and year [2024]"),
        ("`a【1】` and ```\nb【2】\n``` c【3】", "`a【1】` and ```\nb【2】\n``` c[3]"),
        ("【注意】 [ok] [", "【注意】 [ok] ["),
    ],
)
def test_citations_get_one_form(text: str, wanted: str) -> None:
    assert whole(FormatCitations, text) == wanted
    assert {streamed(FormatCitations, pieces) for pieces in every_cut(text)} == {wanted}


def test_another_style_of_citation() -> None:
    assert whole(partial(FormatCitations, "({n})"), "so [1] 【02】") == "so (1) (2)"


def test_an_open_bracket_holds_back_no_more_than_a_citation() -> None:
    made = FormatCitations()
    assert made.feed("see [the") == "see [the"
    assert made.feed(" 【12") == " "
    assert made.feed("†" + "x" * 80) == "【12†" + "x" * 80


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# Title\n\nSome **bold** and *soft* text.", "Title\n\nSome bold and soft text."),
        ("* one\n+ two\n- three", "- one\n- two\n- three"),
        ("2 * 3 = 6, snake_case stays", "2 * 3 = 6, snake_case stays"),
        ("see [the docs](https://a.b/c) and ![chart](x.png)", "see the docs (https://a.b/c) and chart"),
        ("```python\nx = a ** b  # no\n```\nend", "x = a ** b  # no\nend"),
        ("> quoted\n---\nuse `code`", "quoted\nuse code"),
        ("#hashtag and 5 # 6", "#hashtag and 5 # 6"),
        ("**标题**：内容", "标题：内容"),
    ],
)
def test_markdown_becomes_plain_text(text: str, wanted: str) -> None:
    assert whole(StripMarkdown, text) == wanted
    assert {streamed(StripMarkdown, pieces) for pieces in every_cut(text)} == {wanted}


def test_ends_are_trimmed_and_nothing_within() -> None:
    assert whole(TrimEdges, " \n a  b \n") == "a  b"


def test_an_answer_that_ends_in_a_tool_call_gets_no_appended_text() -> None:
    made = Append("!")
    assert made.feed("wait") + made.end(last=False) + made.end(last=True) == "wait"


def test_what_a_pattern_finds_is_replaced() -> None:
    assert whole(partial(Replace, DETECTOR, "***"), "foo food 1234567 中中文") == "*** food ***7 ***"


@pytest.mark.parametrize(("text", "wanted"), [("abcde", "abcde"), ("abcdef", "abcde…")])
def test_only_what_is_too_long_is_cut(text: str, wanted: str) -> None:
    assert whole(partial(MaxLength, 5, "…"), text) == wanted


@pytest.mark.parametrize(
    "make", [FormatCitations, StripMarkdown, JsonMender, TrimEdges, partial(Replace, DETECTOR, "***")]
)
@pytest.mark.parametrize(
    "part", ["[", "!", "*", "`", "【", "【1", "[[1", " ", "\n", "# ", '"', "{", "{[}", "1", "中", "foo", "\\", "`[1]\n"]
)
def test_megabytes_of_the_same_take_linear_time(make: Callable[[], TextFilter], part: str) -> None:
    text = part * (300_000 // len(part))
    assert streamed(make, [text[:100_000], text[100_000:]]) == whole(make, text)
