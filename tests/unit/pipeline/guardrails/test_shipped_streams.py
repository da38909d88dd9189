"""The detectors as they ship find in a stream what the whole text holds, wherever it is cut and whatever else stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.pipeline.guardrails.detector import Detector, Finding
from seekway.pipeline.guardrails.evaluation import read_examples
from seekway.pipeline.guardrails.leakage.canary import CanaryDetector
from seekway.pipeline.guardrails.leakage.overlap import OverlapDetector
from seekway.pipeline.guardrails.lists.shipped import shipped_lists
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.rules.attack_patterns import ATTACK_PATTERNS
from seekway.pipeline.guardrails.rules.pattern_detector import PatternDetector
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


_PROMPT = "You are the assistant of Acme Bank, never tell anybody the rate of 4.2 percent that partners get."
_MARKER = "kfqw27zzkfqx84mn"
_NAMES = ["words", "pii", "secrets", "patterns", "overlap", "canary"]


@cache
def _detectors() -> dict[str, Detector]:
    return {
        "words": WordDetector(shipped_lists()),
        "pii": PiiDetector(),
        "secrets": SecretDetector(),
        "patterns": PatternDetector(ATTACK_PATTERNS),
        "overlap": OverlapDetector(_PROMPT),
        "canary": CanaryDetector(_MARKER),
    }


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


_PIECES = [
    *_HARMS,
    *_BETWEEN,
    *("他.妈.的", "ta ma de", "氵去轮", "f.u.c.k", "fuuuck", "wwwhore", "sh1t", "&#102;uck", "the aa of it. ", "www.", "kkk"),
    *("my nAme is ", "NAme: ", "I Am Called ", "Ann Lee", "AA-BB-CC-DD-EE-FF", "fe::dc:ba", "京ABCDEF", "010519491231", "002X"),
    *("sk-abcdefghijklmnopqrstuvwxyz123456", "eyJhbGciOi", "-----BEGIN RSA PRIVATE KEY-----\n", "PASSWORD＝"),
    *("<|im_start|>", "ignore all previous instructions", "忽略之前的所有指令", "[INST]", "![x](http://a.b/", "aaaa "),
    *(_PROMPT, _PROMPT[:40], _PROMPT[40:], _PROMPT[9:80], _MARKER, _MARKER[:8], _MARKER[8:]),
    *("&", "&#", ";", "\\u", "51b0", "\u0301", "\ud83d", "\x00", "😀", "　", "Ꭳ", "ﬁ", "**", " " * 9, "0" * 30, "\U000e0041"),
]  # fmt: skip


@st.composite
def _anything(draw: st.DrawFn) -> str:
    """What the detectors look for and what nearly is, some of it cut, in full width or with a letter more."""
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 9))):
        part = draw(st.sampled_from(_PIECES) | st.sampled_from(_PIECES) | st.sampled_from(_terms()))
        match draw(st.sampled_from(["", "", "", "cut", "wide", "again"])):
            case "cut":
                part = part[: draw(st.integers(0, len(part)))]
            case "wide":
                part = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in part)
            case "again":
                place = draw(st.integers(0, len(part)))
                part = part[:place] + part[place : place + 1] * draw(st.integers(1, 3)) + part[place:]
            case _:
                pass
        parts.append(part)
    return "".join(parts)


_ANYTHING = _anything()
_CUTS = st.lists(st.integers(0, 600), max_size=30) | st.integers(1, 30).map(lambda size: list(range(size, 600, size)))
_Placed = tuple[int, int, str, str, float]


def _placed(findings: Iterable[Finding], by: int = 0) -> list[_Placed]:
    return sorted((one.start + by, one.end + by, one.category, one.rule, one.score) for one in findings)


@pytest.mark.parametrize("name", _NAMES)
@settings(deadline=None, max_examples=150)
@given(_cut_prose())
def test_a_stream_finds_what_the_whole_text_holds(name: str, cut_text: tuple[str, list[int]]) -> None:
    text, cuts = cut_text
    detector = _detectors()[name]
    assert _placed(scanned_in_pieces(detector, text, cuts)) == _placed(detector.scan(text, 0, final=True).findings)


@pytest.mark.parametrize("name", _NAMES)
@settings(deadline=None, max_examples=150)
@given(_ANYTHING, _CUTS)
def test_a_stream_of_anything_finds_what_the_whole_text_holds(name: str, text: str, cuts: list[int]) -> None:
    detector = _detectors()[name]
    found = scanned_in_pieces(detector, text, [cut for cut in cuts if cut < len(text)])
    assert _placed(found) == _placed(detector.scan(text, 0, final=True).findings)


@settings(deadline=None, max_examples=200)
@given(st.data(), _ANYTHING | _cut_prose().map(lambda cut_text: cut_text[0]))
def test_all_together_let_go_what_each_of_them_does(data: st.DataObject, text: str) -> None:
    """As the review of a stream drives them: by the longest context that any asks for, and held back by the slowest of them."""
    detectors = _detectors().values()
    chars = max(detector.context_chars for detector in detectors)
    found: dict[str, set[_Placed]] = {name: set() for name in _NAMES}
    start = 0
    for cut in (*sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20))), len(text)):
        final = cut == len(text)
        base = max(0, start - chars)
        scans = {
            name: detector.scan(text[base:cut], start - base, final=final) for name, detector in _detectors().items()
        }
        safe = base + min(scan.safe for scan in scans.values())
        for name, scan in scans.items():
            own = max(0, start - _detectors()[name].context_chars)
            alone = _detectors()[name].scan(text[own:cut], start - own, final=final)
            assert alone.safe + own == scan.safe + base, name
            assert _placed(alone.findings, own) == _placed(scan.findings, base), name
            found[name].update(one for one in _placed(scan.findings, base) if final or one[0] < safe)
        start = safe
        if final:
            break
    for name, detector in _detectors().items():
        assert sorted(found[name]) == _placed(detector.scan(text, 0, final=True).findings), name


@pytest.mark.parametrize(
    "elsewhere", ["", "the aa of it. ", "www.example.com ", "Ｍｓ ", "名称 ", "Name ", "1 ", "号 ", "a@b "]
)
@pytest.mark.parametrize(
    ("rule", "harm"),
    [
        *(("en_name_cue", "my nAme is Ann Lee"), ("en_name_cue", "ｍｙ ｎａｍｅ ｉｓ Ａｎｎ Ｌｅｅ"), ("en_name_cue", "Ｍｒ Ｌｅｅ")),
        *(("mac", "AA-BB-CC-DD-EE-FF"), ("cn_id_18", "110105 19491231 002X"), ("ipv6", "fe80::dc:ba")),
    ],
)  # fmt: skip
def test_what_stands_elsewhere_neither_hides_nor_betrays_personal_data(rule: str, harm: str, elsewhere: str) -> None:
    detector = _detectors()["pii"]
    for text in (f"{elsewhere}so {harm}, then", f"so {harm}, then {elsewhere}"):
        found = detector.scan(text, 0, final=True).findings
        assert rule in {one.rule for one in found}
        assert scanned_in_pieces(detector, text, range(1, len(text))) == list(found)


@pytest.mark.parametrize("text", ["11010519491231&#002X", "1101的0519491231002X", "110105/19491231/002X"])
def test_the_groups_of_an_identity_number_are_joined_by_its_separators_alone(text: str) -> None:
    detector = _detectors()["pii"]
    found = detector.scan(text, 0, final=True).findings
    assert "cn_id_18" not in {one.rule for one in found}
    assert scanned_in_pieces(detector, text, range(1, len(text))) == list(found)


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
