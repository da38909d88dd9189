"""What goes on of an answer is the same however its events came together, whole or one by one."""

from __future__ import annotations

from random import Random

import pytest

from seekway.core.caller import ANONYMOUS
from seekway.core.sections.guardrails import GuardrailSettings, OutputSettings, PolicySettings, ThoughtSettings
from seekway.core.sections.log import LogSettings
from seekway.core.types import Event, Finish, GenerateRequest, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from seekway.observability.guardrail_figures import GuardrailCounts
from seekway.observability.logging import make_logger
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.guardrails import make_book
from seekway.pipeline.guardrails.leakage.canary import CanaryMaker
from seekway.pipeline.guardrails.review.notes import ReviewNotes
from seekway.pipeline.stage import AnswerEnded
from seekway.pipeline.stages.review_output import OutputFilter, ReviewOutput
from tests.fakes.detector import FakeMaker, Terms

TERMS: Terms = {"abc": ("one", "medium"), "bcd": ("two", "low"), "dab": ("three", "high")}
FLAGGING = PolicySettings(name="p", output=OutputSettings(("words",), {"*": "flag"}, "open"))
ACTIONS = PolicySettings(
    name="p",
    output=OutputSettings(("words",), {"*": "mask", "two": "flag", "three": "block"}),
    reasoning=ThoughtSettings(("words",), {"*": "mask", "two": "flag"}),
)
REQUEST = GenerateRequest("1", "m")


def reviewed(batches: list[list[Event]]) -> tuple[str, str, str, list[str], dict[object, int]]:
    """Text, reasoning, arguments and the other events that went on, and what was counted."""
    counts = GuardrailCounts()
    policy = make_book(GuardrailSettings(policies=(ACTIONS,)), FakeMaker(TERMS), counts).entries[0].policy
    exchange = Exchange(RequestRecord("r"), ANONYMOUS)
    exchange.review = ReviewNotes(policy, counts, exchange.record, make_logger(LogSettings()))
    opened = ReviewOutput(CanaryMaker(b"secret")).open(REQUEST, exchange)
    assert opened is not None
    passed: list[Event] = []
    try:
        for batch in batches:
            passed += opened.feed(batch)
        passed += opened.end()
    except AnswerEnded as ended:
        passed += ended.events
    said = {kind: "".join(one.text for one in passed if isinstance(one, kind)) for kind in (TextDelta, ReasoningDelta)}
    arguments = "".join(one.arguments for one in passed if isinstance(one, ToolCallDelta))
    others = [type(one).__name__ for one in passed if not isinstance(one, TextDelta | ReasoningDelta | ToolCallDelta)]
    return said[TextDelta], said[ReasoningDelta], arguments, others, {**counts.findings, **counts.verdicts}


def made(rnd: Random) -> list[Event]:
    events: list[Event] = []
    for _ in range(rnd.randint(1, 5)):
        text = "".join(rnd.choices("abcd", k=rnd.randint(0, 6)))
        events.append(rnd.choice([TextDelta(text), ReasoningDelta(text), ToolCallDelta(0, arguments=text)]))
    if rnd.random() < 0.3:
        events.insert(rnd.randrange(len(events)), Usage(1, 0))
    return [*events, Usage(1, 1), Finish("stop")]


@pytest.mark.parametrize("seed", range(150))
def test_an_answer_that_comes_whole_is_judged_as_one_that_comes_event_by_event(seed: int) -> None:
    rnd = Random(seed)
    events = made(rnd)
    alone = reviewed([[event] for event in events])
    assert reviewed([events]) == alone
    at = rnd.randint(1, len(events))
    assert reviewed([events[:at], events[at:]]) == alone


def test_what_is_held_at_the_end_of_a_batch_is_settled_with_the_text_that_ends_the_answer() -> None:
    end: list[Event] = [Usage(1, 1), Finish("stop")]
    assert reviewed([[TextDelta("xa")], [TextDelta("bcx"), *end]])[0] == "x***x"
    assert reviewed([[TextDelta("xda")], [TextDelta("b"), *end]])[0] == "x"


@pytest.mark.parametrize("between", [Usage(1, 1), Finish("stop")])
def test_text_that_follows_what_should_be_last_is_reviewed_too(between: Event) -> None:
    """Some servers send usage with every chunk; what comes after it must not pass unseen."""
    pieces: list[list[Event]] = [[TextDelta("xa")], [between], [TextDelta("abcx")], [TextDelta("abcx")]]
    text, *_ = reviewed([*pieces, [Usage(1, 1), Finish("stop")]])
    assert "abc" not in text
    assert text.startswith("xa")
    calls: list[list[Event]] = [[ToolCallDelta(0, arguments="x")], [between], [ToolCallDelta(0, arguments="abcx")]]
    assert "abc" not in reviewed([*calls, [Finish("stop")]])[2]


def test_what_was_found_is_noted_also_where_the_client_left() -> None:
    counts = GuardrailCounts()
    policy = make_book(GuardrailSettings(policies=(FLAGGING,)), FakeMaker(TERMS), counts).entries[0].policy
    exchange = Exchange(RequestRecord("r"), ANONYMOUS)
    exchange.review = ReviewNotes(policy, counts, exchange.record, make_logger(LogSettings()))
    opened = ReviewOutput(CanaryMaker(b"secret")).open(REQUEST, exchange)
    assert isinstance(opened, OutputFilter)
    for piece in ("x", "ab", "cx"):
        opened.feed([TextDelta(piece)])
    opened.leave()
    assert exchange.record.guardrails == ("output:one:flag",)
