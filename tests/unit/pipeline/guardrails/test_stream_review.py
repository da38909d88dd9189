"""However a text is cut, what goes on is what a review of the whole text leaves of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from seekway.core.errors import ReviewUnavailable
from seekway.core.sections.guardrails import Action
from seekway.core.sections.log import LogSettings
from seekway.observability.guardrail_figures import DetectorFigures
from seekway.observability.logging import make_logger
from seekway.pipeline.guardrails.review.batch import BatchReviewer
from seekway.pipeline.guardrails.review.policy import ActionTable, Part, Watch, masked
from seekway.pipeline.guardrails.review.stream import HELD_MOST, NOTED_AT_ONCE, OnFailed, TextReviewer
from seekway.pipeline.guardrails.review.verdict import Judged
from tests.fakes.detector import FakeDetector, Terms

TERMS: Terms = {
    "abc": ("one", "high"),
    "bcd": ("two", "medium"),
    "aab": ("three", "low"),
    "cabbage": ("flagged", "low"),
    "dd": ("passed", "low"),
}
OTHER: Terms = {"ca": ("four", "low"), "bab": ("five", "high")}
ACTIONS: dict[str, Action] = {
    "one": "mask",
    "two": "sanitise",
    "three": "mask",
    "four": "flag",
    "five": "block",
    "passed": "pass",
}


def watch(terms: Terms, name: str = "words") -> Watch:
    return Watch(FakeDetector(terms, name), DetectorFigures(name))


def part(*watches: Watch, actions: dict[str, Action] | None = None, closed: bool = True) -> Part:
    return Part(
        "p",
        "output",
        watches or (watch(TERMS), watch(OTHER, "other")),
        ActionTable(ACTIONS if actions is None else actions),
        "closed" if closed else "open",
        sanitised="[{category}]",
    )


def whole(text: str, by: Part) -> tuple[str, list[Judged]]:
    verdict = BatchReviewer(make_logger(LogSettings())).review(text, by)
    return masked(text, verdict.passages, by), list(verdict.judged)


def streamed(pieces: Sequence[str], by: Part) -> tuple[str, list[Judged]]:
    found: list[Judged] = []
    out: list[str] = []

    def failed(part: Part, name: str, error: Exception) -> None:
        raise error

    reviewer = TextReviewer(by, lambda _, judged: found.extend(judged), failed)
    for at, piece in enumerate((*pieces, "")):
        released = reviewer.feed(piece, final=at == len(pieces))
        out.append(released.text)
        if released.ending is not None:
            break
    return "".join(out), found


def ignore(part: Part, judged: Sequence[Judged]) -> None:
    """Nobody counts here."""


def ignore_failure(part: Part, detector: str, error: Exception) -> None:
    """Nobody logs here."""


def told_of(names: list[str]) -> OnFailed:
    def failed(part: Part, detector: str, error: Exception) -> None:
        names.append(detector)

    return failed


def cut(text: str, rnd: Random) -> list[str]:
    places = sorted(rnd.randrange(len(text) + 1) for _ in range(rnd.randrange(8)))
    return [text[a:b] for a, b in zip((0, *places), (*places, len(text)), strict=True)]


@pytest.mark.parametrize("seed", range(40))
def test_a_stream_gives_what_the_whole_text_gives(seed: int) -> None:
    rnd = Random(seed)
    for _ in range(25):
        text = "".join(rnd.choices("aabbcdgex", k=rnd.randrange(30)))
        by = part()
        expected, judged = whole(text, by)
        for pieces in (cut(text, rnd), list(text), [text]):
            got, found = streamed(pieces, by)
            assert got == expected, (text, pieces)
            if not any(j.action == "block" for j in judged):
                assert [(j.finding.rule, j.action) for j in found] == [(j.finding.rule, j.action) for j in judged]


@pytest.mark.parametrize("length", range(13))
def test_every_cut_of_a_text_in_two_gives_the_same(length: int) -> None:
    text = "xaabcdabcgabab"
    by = part()
    for second in range(length, len(text) + 1):
        assert streamed([text[:length], text[length:second], text[second:]], by)[0] == whole(text, by)[0]


def test_the_most_severe_of_overlapping_findings_holds_for_all_they_cover() -> None:
    assert whole("xaabcdx", part())[0] == "x[two]x"
    assert whole("xabcx", part())[0] == "x***x"
    assert whole("xabcbabx", part())[0] == "x***"
    assert whole("xabcabbab", part())[0] == "x***ab"


def test_nothing_of_a_banned_term_leaves_before_its_end_has_come() -> None:
    by = part(watch({"secret": ("one", "high")}))
    reviewer = TextReviewer(by, ignore, ignore_failure)
    assert [reviewer.feed(c).text for c in "a secre"] == ["a", " ", "", "", "", "", ""]
    assert reviewer.feed("t!").text == "***!"


def test_a_policy_that_changes_nothing_holds_nothing_back() -> None:
    found: list[str] = []
    by = part(watch({"secret": ("one", "high")}), actions={"*": "flag"})
    reviewer = TextReviewer(by, lambda _, judged: found.extend(j.finding.category for j in judged), ignore_failure)
    assert [reviewer.feed(c).text for c in "a secret"] == list("a secret")
    assert not reviewer.feed("", final=True).text
    assert found == ["one"]


def test_what_is_held_is_bounded_where_passages_never_end() -> None:
    detector = FakeDetector({"aa": ("one", "high")})
    by = part(Watch(detector, DetectorFigures("words")))
    reviewer = TextReviewer(by, ignore, ignore_failure)
    gone = "".join(reviewer.feed("a" * 100).text for _ in range(100))
    assert gone == "***"
    assert max(map(len, detector.scanned)) <= HELD_MOST + 200
    assert gone + reviewer.feed("b", final=True).text == whole("a" * 10_000 + "b", by)[0]


def test_a_detector_that_fails_ends_a_closed_text_and_is_left_out_of_an_open_one() -> None:
    told: list[str] = []
    broken, sound = watch({"x": ("one", "high")}), watch({"secret": ("one", "high")}, "other")
    assert isinstance(broken.detector, FakeDetector)
    broken.detector.broken = True
    closed = TextReviewer(part(broken, sound), ignore, told_of(told))
    with pytest.raises(ReviewUnavailable):
        closed.feed("x secret")
    opened = TextReviewer(part(broken, sound, closed=False), ignore, told_of(told))
    assert opened.feed("x secret").text == "x ***"
    assert opened.feed(" x", final=True).text == " x"
    assert told == ["words", "words"]
    assert broken.figures.failures == 2


def test_detectors_that_change_nothing_look_at_once_and_then_when_enough_has_come_of_an_open_text() -> None:
    found: list[str] = []
    one = watch({"secret": ("one", "high")})
    assert isinstance(one.detector, FakeDetector)
    by = part(one, actions={"*": "flag"}, closed=False)
    reviewer = TextReviewer(by, lambda _, judged: found.extend(j.finding.category for j in judged), ignore_failure)
    for character in "x" * NOTED_AT_ONCE:
        reviewer.feed(character)
    assert len(one.detector.scanned) == 1
    reviewer.feed(" secre")
    reviewer.feed("t!")
    assert len(one.detector.scanned) == 2
    reviewer.leave()
    reviewer.leave()
    assert found == ["one"]


def test_of_a_closed_text_nothing_goes_on_that_a_detector_could_not_look_through() -> None:
    broken = watch({"x": ("one", "high")})
    assert isinstance(broken.detector, FakeDetector)
    reviewer = TextReviewer(part(broken, actions={"*": "flag"}), ignore, ignore_failure)
    assert reviewer.feed("y").text == "y"
    broken.detector.broken = True
    with pytest.raises(ReviewUnavailable):
        reviewer.feed("y")
