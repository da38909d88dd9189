"""Passages cover the text in order, are never too long, and overlap as asked, whatever the text is made of."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.core.token_estimate import mixed_tokens
from seekway.knowledge.chunking.general import CountTokens, Cutter, Span
from seekway.knowledge.parsing.markdown import markdown_headings

_PIECES = st.sampled_from(
    [
        *(
            "a",
            "word ",
            "字",
            "退货。",
            "Yes! ",
            "No? ",
            "3.14",
            "，",
            "\n",
            "\n\n",
            "# T\n",
            "## 标题\n",
            "| a | b |\n",
        ),
        *("```\n", "~~~", "    ", "\t", "e\u0301", "👩‍👩‍👧", "🇨🇳", "\u2028", "\x85", "……", "。”", "x" * 70, "中" * 50),
    ]
)
_TEXTS = st.one_of(st.lists(_PIECES, max_size=80).map("".join), st.text(max_size=200))


def _letters(text: str) -> float:
    return float(len(text))


def _joined_is_more(text: str) -> float:
    """A count by which a whole is more than its parts together."""
    return len(text) + len(text) // 7


def _cutter(text: str, most: int, overlap: int, count: CountTokens = mixed_tokens) -> Cutter:
    starts = [heading.start for heading in markdown_headings(text)]
    return Cutter(text, starts, max_tokens=most, overlap=overlap, count=count)


def _assert_covered(text: str, spans: list[Span], separator: str = "") -> None:
    covered = [False] * len(text)
    for span in spans:
        covered[span.start : span.end] = [True] * (span.end - span.start)
    missed = "".join(character if not there else "\0" for character, there in zip(text, covered, strict=True))
    assert not [part for part in missed.split("\0") if part.replace(separator or "\n", "").strip()]


@settings(max_examples=300)
@given(_TEXTS, st.integers(3, 60), st.integers(0, 59), st.sampled_from([mixed_tokens, _letters, _joined_is_more]))
def test_every_text_is_covered_in_order_by_passages_that_fit(
    text: str, most: int, overlap: int, count: CountTokens
) -> None:
    spans = _cutter(text, most, overlap, count).merged()
    _assert_covered(text, spans)
    for span in spans:
        piece = text[span.start : span.end]
        assert piece == piece.strip() != ""
        assert count(piece) <= most
    for one, other in itertools.pairwise(spans):
        assert one.start < other.start
        assert one.end < other.end
        if other.start < one.end:
            assert count(text[other.start : one.end]) <= overlap


@settings(max_examples=200)
@given(_TEXTS, st.integers(3, 60), st.sampled_from(["\n", "\n\n", "字", "##", "。", "aa", "\n\n# "]))
def test_separators_end_passages_and_belong_to_none(text: str, most: int, separator: str) -> None:
    spans = _cutter(text, most, 0).separated(separator)
    _assert_covered(text, spans, separator)
    assert all(mixed_tokens(text[span.start : span.end]) <= most for span in spans)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


@pytest.mark.parametrize("unit", ["字", "word ", "一句话。", "A sentence here. ", "x"])
@pytest.mark.parametrize(("most", "overlap"), [(100, 20), (100, 50), (500, 50), (60, 55)])
def test_passages_overlap_as_asked_and_are_full(unit: str, most: int, overlap: int) -> None:
    text = unit * (3000 // len(unit))
    spans = _cutter(text, most, overlap).merged()
    for one, other in itertools.pairwise(spans):
        shared = mixed_tokens(text[other.start : one.end])
        assert overlap / 2 - 3 <= shared <= overlap
    for span in spans[:-1]:
        assert mixed_tokens(text[span.start : span.end]) >= most * 0.7


def test_tables_and_code_are_kept_whole_where_they_fit() -> None:
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    code = "```py\ndef f():\n\n    return 1\n```"
    text = f"第一段。\n{table}\n\n第二段。\n\n{code}\n第三段。"
    for spans in (_cutter(text, 20, 0).merged(), _cutter(text, 20, 0).separated("\n")):
        found = [text[span.start : span.end] for span in spans]
        assert any(table in piece for piece in found)
        assert any(code in piece for piece in found)


def test_a_table_that_does_not_fit_is_cut_at_its_rows() -> None:
    rows = [f"| 第{number}行 | {'值' * 20} |" for number in range(20)]
    spans = _cutter("\n".join(rows), 50, 0).merged()
    assert [line for span in spans for line in "\n".join(rows)[span.start : span.end].split("\n")] == rows


def test_sentences_are_not_cut_where_they_fit() -> None:
    sentences = [f"第{number}句话有二十个左右的字，不多也不少！" for number in range(30)]
    sentences += [f'This is number {number}.5 of them, "quoted." ' for number in range(30)]
    text = "".join(sentences)
    ends = set(itertools.accumulate(len(sentence) for sentence in sentences))
    for span in _cutter(text, 60, 0).merged():
        assert span.end in ends or span.end + 1 in ends


def test_a_title_goes_with_what_is_below_it() -> None:
    text = "\n\n".join(f"## 标题{number}\n\n{'内容' * 20}。" for number in range(10))
    for spans in (_cutter(text, 30, 0).merged(), _cutter(text, 30, 0).separated("\n\n")):
        assert [text[span.start : span.end].count("内容" * 20) for span in spans] == [1] * 10
        assert all(text[span.start :].startswith("## ") for span in spans)


def test_accents_and_joined_signs_stay_with_their_characters() -> None:
    text = "e\u0301" * 400 + "👩\u200d👩\u200d👧" * 100
    for span in _cutter(text, 30, 5).merged():
        assert text[span.start] not in "\u0301\u200d"


@pytest.mark.parametrize("unit", [".", "\n", "a", "|x\n", "```\n", " ", "# t\n", '"', "。", "，", "\u0301"])
def test_what_is_counted_grows_with_the_text_and_not_faster(unit: str) -> None:
    """The work is what is given to the counter, which sees every character a bounded number of times."""

    def characters(length: int) -> int:
        seen = 0

        def count(text: str) -> float:
            nonlocal seen
            seen += len(text)
            return mixed_tokens(text)

        text = unit * (length // len(unit))
        _cutter(text, 100, 20, count).merged()
        return seen

    assert characters(40_000) < 4.5 * characters(10_000) + 10_000
