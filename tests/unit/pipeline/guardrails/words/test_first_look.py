"""The first look at the end of a stream, and the little of what stands before it that is read, change nothing of what the detector says."""

from __future__ import annotations

from functools import cache
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.pipeline.guardrails.detector import Scan
from seekway.pipeline.guardrails.evaluation import read_examples
from seekway.pipeline.guardrails.lists.shipped import shipped_lists
from seekway.pipeline.guardrails.samples.bundled import benign_files
from seekway.pipeline.guardrails.words.first_look import FirstLook
from seekway.pipeline.guardrails.words.word_detector import WordDetector
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


@settings(deadline=None, max_examples=300)
@given(
    st.data(),
    st.lists(st.one_of(st.sampled_from(ORDINARY), disguised(), st.sampled_from(PIECES)), min_size=4, max_size=20).map(
        "".join
    ),
)
def test_a_long_text_finds_the_same_in_a_stream(data: st.DataObject, text: str) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30))
    assert streamed(text, cuts, [0] * len(cuts)) == whole(text)
