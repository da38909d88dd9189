"""The detectors as they ship find in a stream what the whole text holds, wherever it is cut."""

from __future__ import annotations

from functools import cache
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.pipeline.guardrails.detector import Detector
from seekway.pipeline.guardrails.evaluation import read_examples
from seekway.pipeline.guardrails.lists.shipped import shipped_lists
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.samples.bundled import benign_files
from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from tests.unit.pipeline.guardrails.stream_scans import scanned_in_pieces

_BETWEEN = [
    "",
    " ",
    "-",
    ".",
    "，",
    "\n",
    "\u200b",
    "&amp;",
    "ww",
    "aa",
    "的",
    "1",
    "!",
    "号",
    "北京",
    "Mr ",
    "密码：",
    "王",
    "@",
]
_HARMS = [
    *("13812345678", "+86 138 1234 5678", "anna@mail.example.com", "11010519491231002X", "京A12345", "GB82 WEST 1234 5698 7654 32"),
    *("my name is John Smith", "我叫张伟", "王小明先生", "北京市海淀区中关村大街27号", "家住上海市南京路100号3楼", "加微信 zw_2023x"),
    *(" password=Hunter2!x", " 密码：abc12345。", "postgres://user:s3cretpw@host/db", "AKIAIOSFODNN7ABCDEFG"),
]  # fmt: skip
"""Of personal data and secrets, one of a kind."""


@cache
def _detectors() -> dict[str, Detector]:
    return {"words": WordDetector(shipped_lists()), "pii": PiiDetector(), "secrets": SecretDetector()}


@cache
def _terms() -> list[str]:
    return [term.text for words in shipped_lists() for term in words.terms]


@cache
def _prose() -> list[str]:
    return [one.text for file in benign_files() for one in read_examples(file.read_bytes().splitlines(), file.name)]


@st.composite
def _cut_prose(draw: st.DrawFn) -> tuple[str, list[int]]:
    """Pieces of ordinary texts with terms and personal data in them, some letters written twice, and where that is cut."""
    parts: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["prose", "prose", "term", "harm"]))
        text = draw(st.sampled_from(_prose() if kind == "prose" else _terms() if kind == "term" else _HARMS))
        begin = draw(st.integers(0, max(0, len(text) - 1))) if kind == "prose" else 0
        part = text[begin : begin + 60]
        if kind == "term" and draw(st.booleans()):
            place = draw(st.integers(0, len(part) - 1))
            part = part[:place] + draw(st.sampled_from(_BETWEEN) | st.just(part[place] * 2)) + part[place:]
        parts += (part, draw(st.sampled_from(_BETWEEN)))
    text = "".join(parts)
    size = draw(st.integers(1, 20))
    return text, draw(st.just(list(range(size, len(text), size))) | st.lists(st.integers(0, len(text)), max_size=20))


@pytest.mark.parametrize("name", ["words", "pii", "secrets"])
@settings(deadline=None, max_examples=150)
@given(_cut_prose())
def test_a_stream_finds_what_the_whole_text_holds(name: str, cut_text: tuple[str, list[int]]) -> None:
    text, cuts = cut_text
    detector = _detectors()[name]
    found = scanned_in_pieces(detector, text, cuts)
    expected = detector.scan(text, 0, final=True).findings
    assert sorted((f.start, f.end, f.rule, f.score) for f in found) == sorted(
        (f.start, f.end, f.rule, f.score) for f in expected
    )


_NEARLY = [
    *("北京", "上海市", "海淀区", "中关村大街", "27号", "二十七号楼", "号", "号线", "楼上", "室内", "地址：", "家住", "送到"),
    *("Jan", "May ", "The ", "A ", "AB ", "GB", "Mr", "Ms ", "x.Jan", "O'Neil ", "foo_", "王", "小明", "先生", "微信", "姓名"),
    *("说", "今天", " and then ", "we", "，", "。", "\n", "’", "-", "5", "1990", "NI number AB ", "12 34 56 C", "born ", " 4, 1990"),
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(_NEARLY), max_size=12).map("".join), st.data())
def test_the_first_look_for_personal_data_changes_nothing(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20))
    detector = _detectors()["pii"]
    found = scanned_in_pieces(detector, text, cuts)
    with patch.object(PiiDetector, "_quiet", return_value=None):
        assert found == scanned_in_pieces(detector, text, cuts)


@pytest.mark.parametrize(
    "text", ["NI number AB 12 34 56 C ok", "I live at 北京市海淀区中关村大街27号.", "born May 4, 1990 in Rome"]
)
def test_what_begins_with_a_quiet_word_is_held(text: str) -> None:
    detector = _detectors()["pii"]
    found = scanned_in_pieces(detector, text, range(1, len(text)))
    assert found
    assert found == list(detector.scan(text, 0, final=True).findings)
