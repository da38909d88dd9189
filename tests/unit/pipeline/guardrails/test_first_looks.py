"""What is passed over at a first look is nothing that a closer one would find."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.observability.guardrail_figures import DetectorFigures
from seekway.pipeline.guardrails import clues
from seekway.pipeline.guardrails.detector import Detector, Finding
from seekway.pipeline.guardrails.evaluation import read_examples
from seekway.pipeline.guardrails.leakage.overlap import OverlapDetector, overlap_detector
from seekway.pipeline.guardrails.lists.shipped import shipped_lists
from seekway.pipeline.guardrails.literals import Literals
from seekway.pipeline.guardrails.normalise.characters import characters
from seekway.pipeline.guardrails.normalise.folded import letters_of
from seekway.pipeline.guardrails.pii import detector as pii
from seekway.pipeline.guardrails.pii import numbers, spelled, window
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.review.policy import ActionTable, Part, Watch
from seekway.pipeline.guardrails.review.stream import TextReviewer
from seekway.pipeline.guardrails.review.verdict import Judged
from seekway.pipeline.guardrails.samples.bundled import benign_files
from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from seekway.pipeline.guardrails.words.entries import LEET, read_as_leet
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list

_NUMBERS = [
    *("13812345678", "138 1234 5678", "+86 138", "008613812345", "(415) 555-0132", "11010519491231002X", "4111111111111111"),
    *("123-45-6789", "123456789", "12345678", "1234567890", "GB82 WEST 1234 5698 7654 32", "AB 12 34 56 C", "192.168.1.20"),
    *("fe80::1:5", "00:1A:2B:3C:4D:5E", "00-11-22-33-44-55", "京A·12345", "京A1234学", "粤B", "沪AD", "39.9042, 116.4073"),
    *("39°54'N 116°23'E", "1990年1月2日", "May 5th, 1990", "2nd of June, 2004", "1990-01-02", "742 Oak Avenue", "9 Main St"),
    *("1", "20", "2024", "3.14", "19", "00", "007", "１９９０", "１３８", "0" * 12, "9" * 26, "+4420794609", "(+4420794", "(0207) 946"),
]  # fmt: skip
_WORDS = [
    *("born ", "出生于", "生日", "SSN ", "tel ", "Phone: ", "电话", "QQ", "qq: ", "护照", "passport ", "台胞证", "tin ", "Steuer-ID "),
    *("my nAme is ", "NAME: ", "I am CALLED ", "Ann Lee", "Mr. ", "ｎａｍｅ： ", "我叫", "张伟", "王小明先生", "微信号：", "abc_12345"),
    *("北京市海淀区中关村大街27号", "3栋402室", "家住", "a@b.example", "gps ", "坐标", "order ", "订单"),
    *("password=Hunter2!x", "密码：abc12345。", "api_key: ", "Bearer ", "AKIAIOSFODNN7ABCDEFG", "postgres://u:s3cretpw@h/d", "-----BEGIN "),
]  # fmt: skip
_BETWEEN = ["", " ", ", ", "，", ".", "-", "\n", ":", "\u200b", "的", "? ", "İ", "\ud83d", "é", "+", "(", "~", " | "]


@cache
def _terms() -> list[str]:
    return [term.text for words in shipped_lists() for term in words.terms]


@cache
def _prose() -> list[str]:
    return [one.text for file in benign_files() for one in read_examples(file.read_bytes().splitlines(), file.name)]


@cache
def _words() -> WordDetector:
    return WordDetector(shipped_lists())


@st.composite
def _texts(draw: st.DrawFn) -> str:
    parts: list[str] = []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(["number", "number", "word", "prose", "term"]))
        known = _NUMBERS if kind == "number" else _WORDS if kind == "word" else _terms() if kind == "term" else _prose()
        part = draw(st.sampled_from(known))
        begin = draw(st.integers(0, max(0, len(part) - 1))) if kind == "prose" else 0
        part = part[begin : begin + 60]
        match draw(st.sampled_from(["", "", "", "", "cut", "wide", "again", "upper", "spaced", "sign"])):
            case "cut":
                part = part[: draw(st.integers(0, len(part)))]
            case "wide":
                part = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in part)
            case "again":
                place = draw(st.integers(0, len(part)))
                part = part[:place] + part[place : place + 1] * draw(st.integers(1, 3)) + part[place:]
            case "upper":
                part = part.upper()
            case "spaced":
                part = draw(st.sampled_from([" ", "-", "."])).join(part)
            case "sign":
                sign = draw(st.sampled_from(sorted(LEET)))
                part = part.replace(draw(st.sampled_from(LEET[sign])), sign)
            case _:
                pass
        parts += (part, draw(st.sampled_from(_BETWEEN)))
    return "".join(parts)


def _scans(detector: Detector, text: str, cut: int) -> list[tuple[list[Finding], int]]:
    """Of the whole text, and of one that goes on after it was passed on up to ``cut``."""
    base = max(0, cut - detector.context_chars)
    scans = [
        detector.scan(text, 0, final=True),
        detector.scan(text[base:], cut - base, final=False),
        detector.scan(text[base:], cut - base, final=True),
    ]
    return [(list(scan.findings), scan.safe) for scan in scans]


def _yes(*_: object) -> bool:
    return True


def _no(*_: object) -> bool:
    return False


def _from_the_beginning(*_: object) -> int:
    return 0


def _any_clue(_: str) -> clues.Clues:
    return clues.Clues((), names=True, places=True, accounts=True)


@contextmanager
def _looking_closely() -> Generator[None]:
    """Nothing of personal data is passed over."""
    with (
        patch.object(pii, "are_idle", _no),
        patch.object(window, "_chain_begin", _from_the_beginning),
        patch.object(pii, "clues_in", _any_clue),
        patch.object(numbers, "has_word_beside", _yes),
        patch.object(spelled, "may_be_birth_date", _yes),
        patch.object(spelled, "may_be_street", _yes),
    ):
        yield


def _check_personal(text: str, cut: int) -> None:
    detector, cut = PiiDetector(), min(cut, len(text))
    with _looking_closely():
        expected = _scans(detector, text, cut)
    assert _scans(detector, text, cut) == expected, text


@settings(deadline=None, max_examples=400)
@given(_texts(), st.integers(0, 80))
def test_what_is_passed_over_at_a_first_look_is_no_personal_data(text: str, cut: int) -> None:
    _check_personal(text, cut)


@pytest.mark.parametrize("between", ["", " ", ": "])
def test_no_two_words_or_numbers_beside_each_other_are_passed_over(between: str) -> None:
    for first in ("", *_WORDS, *_NUMBERS):
        for second in (*_WORDS, *_NUMBERS):
            for text in (f"{first}{between}{second}", f"in {first}{between}{second}。"):
                _check_personal(text, 3)


def test_the_end_of_a_number_that_went_on_is_no_other_number() -> None:
    text = "tel 4111  1111  1111  1111 and 1234567"
    for cut in range(len(text)):
        _check_personal(text, cut)


def test_letters_that_are_a_term_and_another_one_in_pinyin_are_both() -> None:
    words = parse_word_list("[drugs low]\nhailuoyin\n海洛因 | homophones\n", Path("drugs.txt"))
    found = WordDetector([words]).scan("He sells hailuoyin.", 0, final=True).findings
    assert {one.rule for one in found} == {"hailuoyin", "海洛因"}


@settings(deadline=None, max_examples=300)
@given(_texts())
def test_every_word_of_a_secret_is_a_clue(text: str) -> None:
    there = {
        (number, at, at + len(word))
        for number, word in enumerate(clues.SECRET_WORDS)
        for at in range(len(text))
        if text.startswith(word, at)
    }
    assert set(clues.ClueFinder()(text).secrets) == there
    assert clues.clues_in(text) == clues.ClueFinder()(text)


@settings(deadline=None, max_examples=100)
@given(st.lists(_texts(), min_size=2, max_size=4))
def test_what_was_seen_of_one_text_is_never_taken_for_another(texts: list[str]) -> None:
    find = clues.ClueFinder()
    for text in (*texts, *reversed(texts)):
        assert find(text) == find(text) == clues.ClueFinder()(text)
    secrets, personal = SecretDetector(), PiiDetector()
    mixed = [(secrets.scan(one, 0, final=True), personal.scan(one, 0, final=True)) for one in texts]
    assert [one for one, _ in mixed] == [secrets.scan(one, 0, final=True) for one in texts]


@settings(deadline=None, max_examples=400)
@given(_texts())
def test_a_text_in_ascii_is_read_as_it_is_beside_other_characters(text: str) -> None:
    """Beside something else, and far from it, its letters are read in the way of all writing."""
    plain = text.encode("ascii", "ignore").decode()
    if "&" in plain or "\\" in plain:
        plain = plain.replace("&", " ").replace("\\", " ")
    beside = plain + "\n" * 60 + "é"
    assert list(_words().scan(plain, 0, final=True).findings) == list(_words().scan(beside, 0, final=True).findings)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_letters_of_ascii_are_those_of_the_whole_table(text: str) -> None:
    known = characters()
    folded = "".join(chr(read) if isinstance(read := known.fold_one(one), int) else read for one in text)
    assert known.fold(text) == folded
    assert known.ascii_letters(text) == letters_of(folded)


@given(st.text(alphabet="".join(LEET) + "lo1abz"))
def test_leetspeak_is_read_the_same_in_any_writing(text: str) -> None:
    assert read_as_leet(text) + "é" == read_as_leet(text + "é")


@pytest.mark.parametrize("words", [("ab", "bab", "密码", "码", "é密"), ("a",)])
@given(text=st.text(alphabet="ab密码é\ud83d😀 ", max_size=30))
def test_fixed_words_are_found_wherever_they_stand(words: Sequence[str], text: str) -> None:
    there = {(n, at, at + len(w)) for n, w in enumerate(words) for at in range(len(text)) if text.startswith(w, at)}
    found = Literals(words).find(text)
    assert set(found) == there
    assert [end for _, _, end in found] == sorted(end for _, _, end in found)


@settings(deadline=None, max_examples=200)
@given(_texts(), st.sampled_from(["mask", "flag", "block"]))
def test_an_answer_that_comes_whole_is_let_go_as_one_that_comes_in_a_stream(text: str, action: str) -> None:
    detectors: list[Detector] = [_words(), PiiDetector(), SecretDetector()]
    watches = tuple(Watch(one, DetectorFigures(one.name)) for one in detectors)
    part = Part("p", "output", watches, ActionTable({"*": "flag", "pii": action}))  # pyright: ignore[reportArgumentType] - one of them

    def reviewed(*, whole: bool) -> tuple[tuple[object, ...], list[Judged]]:
        found: list[Judged] = []

        def failed(part: Part, name: str, error: Exception) -> None:
            raise error

        reviewer = TextReviewer(part, lambda _, judged: found.extend(judged), failed, whole=whole)
        text_left, length, changed, ending = reviewer.feed(text, final=True)
        # Behind the end of an answer nobody is told of anything.
        return (text_left, length, list(changed), ending), sorted(found, key=repr) if ending is None else []

    assert reviewed(whole=True) == reviewed(whole=False)


@pytest.mark.parametrize(("prompt", "found"), [("You are a helpful assistant.", False), ("one two three " * 8, True)])
def test_a_prompt_too_short_to_be_found_again_needs_no_detector(prompt: str, *, found: bool) -> None:
    detector = overlap_detector(prompt, 12)
    assert (detector is not None) == found
    assert bool(OverlapDetector(prompt, min_words=12).scan(prompt, 0, final=True).findings) == found
