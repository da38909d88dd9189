"""Any text, cut anywhere, to the guardrails: what a stream finds and lets go is what the whole text has, and little is held back."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from seekway.core.sections.guardrails import DEFAULT_POLICY, Action
from seekway.observability.guardrail_figures import DetectorFigures
from seekway.pipeline.guardrails.detector import Detector, Finding
from seekway.pipeline.guardrails.lists.shipped import shipped_files
from seekway.pipeline.guardrails.normalise.folded import Folded
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.review.batch import findings_of
from seekway.pipeline.guardrails.review.policy import ActionTable, Part, Watch, masked
from seekway.pipeline.guardrails.review.stream import HELD_MOST, TextReviewer
from seekway.pipeline.guardrails.review.verdict import ENDING, Judged, ending, in_order, merged
from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import load_word_list
from tests.fuzz.choices import Choices

MOST_CHARS: Final = 3000
_PIECES: Final = (
    *(
        "冰毒",
        "出售",
        "bing",
        "du",
        "cocaine",
        " for sale",
        "pipe bomb",
        "fuck",
        "傻逼",
        "氵去",
        "八",
        "嫖娼",
        "氵",
        "口",
    ),
    *(
        "c0c",
        "@",
        "!",
        ".",
        "-",
        " ",
        "\n",
        "*",
        "\u200b",
        "\u0301",
        "\u20dd",
        "\U000e0061",
        "\ufe0f",
        "\x00",
        "\ud800",
    ),
    *(
        "\\ud835",
        "\\udceb",
        "&#",
        "27602",
        ";",
        "&amp;",
        "&lt;",
        "#x",
        "\\u",
        "51b0",
        "\\",
        "/",
        "😀",
        "ｃ",
        "с",
        "İ",
        "ß",
        "ﬁ",
    ),
    *(
        "138",
        "0013",
        "8000",
        "+86 ",
        "11010519491231002",
        "X",
        "4111 1111 1111 ",
        "1111",
        "GB82 WEST 1234 5698 7654 32",
    ),
    *("电话", "身份证", "张三", "Mr. ", "John Smith", "a@b.co", "192.168.", "1.1", "2001:db8::", "京A12345", "号"),
    *("password=", "sk-", "AKIA", "ghp_", "A1b2C3d4", "-----BEGIN ", "PRIVATE KEY-----", "eyJ", "key: ", '"', "="),
)
_HELD: Final = {"words": 640, "pii": 640, "secrets": HELD_MOST}
"""Characters that a detector may hold back at most; keys without an end are the longest thing that is a secret."""


@cache
def _detectors() -> dict[str, Detector]:
    words = WordDetector([load_word_list(file) for file in shipped_files()])
    return {"words": words, "pii": PiiDetector(), "secrets": SecretDetector()}


def attack_normaliser(data: bytes) -> None:
    text, _ = _text(data)
    folded = Folded(text)
    places = folded.places
    assert len(places) == len(folded.letters), f"{len(places)} places for {len(folded.letters)} letters of {text!r}."
    assert list(places) == sorted(places), f"the places in {text!r} go back."
    reached = 0
    for place in places:
        first, end = folded.original_span(place, place)
        assert 0 <= first < end <= len(text), f"a letter of {text!r} stands at {first} to {end}."
        assert first >= reached or end >= reached, f"a letter of {text!r} goes back to {first}."
        reached = max(reached, first)
    assert Folded(text).letters == folded.letters


def attack_words(data: bytes) -> None:
    _attack("words", data)


def attack_pii(data: bytes) -> None:
    _attack("pii", data)


def attack_secrets(data: bytes) -> None:
    _attack("secrets", data)


def attack_reviewer(data: bytes) -> None:
    """All detectors under one policy, as a stream and as a whole."""
    text, pieces = _text(data)
    ends: Action = "block" if len(data) % 2 else "mask"
    actions = ActionTable({"*": "mask", "words/low": "flag", "words/high": ends, "pii/low": "sanitise"})
    watches = tuple(Watch(detector, DetectorFigures(name)) for name, detector in _detectors().items())
    part = Part(DEFAULT_POLICY.name, "output", watches, actions)
    found: list[Judged] = []

    def fail(_: Part, detector: str, error: Exception) -> None:
        raise AssertionError(f"{detector} fails at {text!r}.") from error

    reviewer = TextReviewer(part, lambda _, judged: found.extend(judged), fail)
    sent: list[str] = []
    came = gone = 0
    for number, piece in enumerate(pieces):
        came += len(piece)
        released = reviewer.feed(piece, final=number == len(pieces) - 1)
        sent.append(released.text)
        gone += released.length
        if released.ending is not None:
            break
        assert came - gone <= HELD_MOST, f"{came - gone} characters of {text!r} are held."
    judged = in_order([Judged(one, actions.of(one)) for watch in watches for one in _whole(watch.detector, text)])
    passages = merged(judged)
    wanted = masked(text, passages, part)
    assert "".join(sent) == wanted, f"{text!r} in pieces {pieces!r} becomes {''.join(sent)!r} and whole {wanted!r}."
    last = ending(passages)
    assert last is None or last.action in ENDING


def _attack(name: str, data: bytes) -> None:
    text, pieces = _text(data)
    detector = _detectors()[name]
    whole = _whole(detector, text)
    for one in whole:
        assert 0 <= one.start < one.end <= len(text), f"{name} finds {one} in {text!r}."
    found: set[Finding] = set()
    passed = came = 0
    for number, piece in enumerate(pieces):
        came += len(piece)
        base = max(0, passed - detector.context_chars)
        scan = detector.scan(text[base:came], passed - base, final=number == len(pieces) - 1)
        for one in scan.findings:
            moved = Finding(
                one.detector, one.category, one.severity, one.start + base, one.end + base, one.rule, one.score
            )
            assert moved.start >= passed, f"{name} goes back in {pieces!r}."
            found.add(moved)
        assert passed <= scan.safe + base <= came, f"{name} says {scan.safe} of {pieces!r}."
        passed = scan.safe + base
        assert came - passed <= _HELD[name], f"{name} holds {came - passed} characters of {pieces!r}."
    assert _places(found) == _places(whole), f"{name} finds in {pieces!r} {_places(found) ^ _places(whole)} otherwise."
    windows = findings_of(detector, text, window=1 + len(data) % 97)
    assert _places(windows) == _places(whole), (
        f"{name} finds in windows of {text!r} {_places(windows) ^ _places(whole)}."
    )


def _whole(detector: Detector, text: str) -> list[Finding]:
    return list(detector.scan(text, 0, final=True).findings)


def _places(findings: Iterable[Finding]) -> set[tuple[str, int, int]]:
    return {(one.category, one.start, one.end) for one in findings}


def _text(data: bytes) -> tuple[str, list[str]]:
    """A text and its pieces, at least one."""
    choices = Choices(data)
    pieces = [""]
    size = 0
    while choices and size < MOST_CHARS:
        kind = choices.below(16)
        if kind < 9:
            piece = choices.pick(_PIECES)
        elif kind == 9:
            piece = choices.pick(_PIECES) * (1 + choices.below(64))
        elif kind == 10:
            piece = chr(min(0x10FFFF, choices.below(17) << 16 | choices.below(256) << 8 | choices.below(256)))
        elif kind == 11:
            piece = chr(0x4E00 + choices.below(82) * 256 + choices.below(256))
        elif kind == 12:
            pieces.append("")
            continue
        else:
            piece = chr(choices.below(128))
        size += len(piece)
        pieces[-1] += piece
        if choices.chance(3):
            pieces.append("")
    return "".join(pieces), pieces
