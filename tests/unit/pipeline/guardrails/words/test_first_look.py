"""The first look at the end of a stream, and the little of what stands before it that is read, change nothing of what the detector says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.pipeline.guardrails.detector import Scan
from seekway.pipeline.guardrails.evaluation import read_examples
from seekway.pipeline.guardrails.lists.shipped import shipped_lists
from seekway.pipeline.guardrails.samples.bundled import benign_files
from seekway.pipeline.guardrails.words.first_look import FirstLook
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list
from tests.unit.pipeline.guardrails.words.test_streams import DETECTOR, PIECES, disguised, streamed, whole

ORDINARY = [
    "the quick brown fox walks over to the other side ",
    "we sat by the water, then went on. ",
    "今天的会议上我们讨论了明年的计划，",
    "请把这些内容整理成一份报告。",
    "a sell",
    "gods and passes ",
    "see the gooods ",
    "hi",
    "éa ",
    "שלום ",
    "\n",
    "，",
    "。" * 9,
    "  ",
]


@cache
def shipped() -> WordDetector:
    return WordDetector(shipped_lists())


@cache
def near_hits() -> list[str]:
    """The terms, their beginnings, and each with its last letter changed."""
    terms = [term.text for words in shipped_lists() for term in words.terms]
    return [
        *terms,
        *(term[:-1] for term in terms),
        *(term[:-1] + "了" for term in terms),
        *(term[1:] for term in terms),
    ]


@cache
def prose() -> list[str]:
    return [one.text for file in benign_files() for one in read_examples(file.read_bytes().splitlines(), file.name)]


def without_first_look(detector: WordDetector, text: str, start: int) -> Scan:
    with patch.object(FirstLook, "safe", return_value=None):
        return detector.scan(text, start, final=False)


@settings(deadline=None, max_examples=600)
@given(
    st.data(),
    st.lists(st.one_of(st.sampled_from(ORDINARY), st.sampled_from(PIECES), disguised()), max_size=8).map("".join),
)
def test_the_first_look_says_what_the_whole_scan_does(data: st.DataObject, text: str) -> None:
    start = data.draw(st.integers(0, len(text)))
    assert DETECTOR.scan(text, start, final=False) == without_first_look(DETECTOR, text, start)


@settings(deadline=None, max_examples=600)
@given(st.data())
def test_the_first_look_at_nearly_a_term_says_what_the_whole_scan_does(data: st.DataObject) -> None:
    pieces = data.draw(
        st.lists(
            st.one_of(
                st.sampled_from(near_hits()),
                st.sampled_from(prose()).map(lambda text: text[-30:]),
                st.sampled_from([" ", "，", "", "-", "\n", "s", "的"]),
            ),
            max_size=6,
        )
    )
    text = "".join(pieces)
    text = text[: data.draw(st.integers(0, len(text)))]
    start = data.draw(st.integers(max(0, len(text) - 24), len(text)))
    assert shipped().scan(text, start, final=False) == without_first_look(shipped(), text, start)


SPELLED = [
    "p a s s",
    "a s s",
    "s e l l s",
    "x.a.s.s",
    "违-禁-词",
    "k粉",
    "大麻",
    "hemp",
    "工业",
    "pass the ass",
    "aaaass",
]


def all_context(detector: WordDetector, text: str, start: int, matches: object) -> int:
    del text, matches
    return max(0, start - detector.context_chars)


@settings(deadline=None, max_examples=600)
@given(
    st.data(),
    st.lists(st.one_of(st.sampled_from(ORDINARY + SPELLED), disguised(), st.sampled_from(PIECES)), max_size=16),
)
def test_no_more_context_than_is_read_decides(data: st.DataObject, pieces: list[str]) -> None:
    text = "".join(pieces)
    start = data.draw(st.integers(0, len(text)))
    scan = DETECTOR.scan(text, start, final=True)
    with patch.object(WordDetector, "_offset", all_context):
        assert scan == DETECTOR.scan(text, start, final=True)


@settings(deadline=None, max_examples=300)
@given(
    st.data(),
    st.lists(
        st.one_of(st.sampled_from(ORDINARY + SPELLED), disguised(), st.sampled_from(PIECES)), min_size=4, max_size=20
    ).map("".join),
)
def test_a_long_text_finds_the_same_in_a_stream(data: st.DataObject, text: str) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30))
    behind = data.draw(st.lists(st.sampled_from([0, 0, 1, 2, 5, 30]), min_size=len(cuts), max_size=len(cuts)))
    assert streamed(text, cuts, behind) == whole(text)


def test_doubled_letters_that_are_rarely_repeated_are_seen() -> None:
    detector = WordDetector([parse_word_list("[banned high]\nwwashy\n", Path("list.txt"))])
    assert detector.scan("a wwash", 0, final=False).safe == 2
    assert detector.scan("a wwwwash", 0, final=False) == without_first_look(detector, "a wwwwash", 0)
    assert detector.scan("a wwwwash", 0, final=False).safe == 2
