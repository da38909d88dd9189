"""The judge sees every way in which an answer can be wrong."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.chaos.load import Load
from tests.chaos.outcome import Kind, Outcome, judge_refusal, judge_stream, judge_whole
from tests.chaos.scenario import Promise, Result, Scenario, judge
from tests.chaos.stage import Stage
from tests.chaos.tale import asked, pieces, question

TOLD = pieces(7, 4)
WHOLE = "".join(TOLD)


def delta(text: str | None = None, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


END = delta(finish="stop")
ERROR = json.dumps({"error": {"message": "Broke off.", "code": "stream_interrupted"}})


def stream(*events: str) -> bytes:
    return "".join(event if event.startswith(":") else f"data: {event}\n\n" for event in events).encode()


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        pytest.param([*map(delta, TOLD), END, "[DONE]"], "success", id="whole"),
        pytest.param([delta(WHOLE), ": keep-alive\n\n", END, "[DONE]"], "success", id="joined, with a comment"),
        pytest.param([*map(delta, TOLD[:2]), ERROR], "broken", id="an explicit error"),
        pytest.param([*map(delta, TOLD[:2]), ERROR, "[DONE]"], "wrong", id="[DONE] after an error"),
        pytest.param([*map(delta, TOLD[1:]), ERROR], "wrong", id="an error after something else"),
        pytest.param([*map(delta, TOLD)], "wrong", id="no end"),
        pytest.param([*map(delta, TOLD), "[DONE]"], "wrong", id="no finish"),
        pytest.param([*map(delta, TOLD), END, END, "[DONE]"], "wrong", id="two finishes"),
        pytest.param([*map(delta, TOLD), END, "[DONE]", "[DONE]"], "wrong", id="two ends"),
        pytest.param([*map(delta, TOLD[:3]), END, "[DONE]"], "wrong", id="a token is missing"),
        pytest.param([*map(delta, (*TOLD, TOLD[3])), END, "[DONE]"], "wrong", id="a token is doubled"),
        pytest.param([*map(delta, (TOLD[1], TOLD[0], *TOLD[2:])), END, "[DONE]"], "wrong", id="out of order"),
        pytest.param([*map(delta, pieces(8, 4)), END, "[DONE]"], "wrong", id="another's"),
        pytest.param([*map(delta, TOLD), END, '{"choices', "[DONE]"], "wrong", id="half a JSON"),
    ],
)
def test_streams(events: list[str], kind: Kind) -> None:
    assert judge_stream(stream(*events), WHOLE)[0] == kind


def test_a_stream_whose_last_event_is_not_closed_is_wrong() -> None:
    assert judge_stream(stream(delta(WHOLE), END) + b"data: [DONE]", WHOLE)[0] == "wrong"


def test_whole_answers() -> None:
    def answer(text: str, finish: str | None = "stop") -> bytes:
        return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": finish}]}).encode()

    assert judge_whole(answer(WHOLE), WHOLE)[0] == "success"
    assert judge_whole(answer(WHOLE + TOLD[3]), WHOLE)[0] == "wrong"
    assert judge_whole(answer(WHOLE, None), WHOLE)[0] == "wrong"
    assert judge_whole(b"\n\n" + ERROR.encode(), WHOLE) == ("broken", "stream_interrupted")
    assert judge_refusal(503, ERROR.encode()) == ("refused", "stream_interrupted")
    assert judge_refusal(502, b"<html>")[0] == "wrong"


def test_a_number_is_found_again() -> None:
    assert asked(json.dumps({"content": question(41, 16)}).encode()) == (41, 16)
    assert asked(b"{}") is None


class Counted:
    name, url = "a", ""

    def __init__(self, taken: list[int]) -> None:
        self.taken = taken


async def verdict(promise: Promise, taken: list[int], *outcomes: Outcome) -> Result:
    async def play(stage: Stage) -> None:
        await asyncio.sleep(0)

    stage = Stage(Path(), AsyncExitStack(), short=True)
    stage.asked.append(Counted(taken))
    stage.load = Load("127.0.0.1:1")
    stage.load.outcomes.extend(outcomes)
    return judge(Scenario("test", play, promise), stage, 1.0)


def fine(*numbers: int) -> list[Outcome]:
    return [Outcome(number, streamed=True, kind="success") for number in numbers]


async def test_all_answered_once_is_held() -> None:
    result = await verdict(Promise(), [1, 2], *fine(1, 2))
    assert (result.verdict, result.share, result.amplification) == ("held", 1.0, 1.0)


async def test_one_error_in_two_thousand_is_within_the_promise_and_two_are_not() -> None:
    many = fine(*range(2, 2001))
    error = Outcome(1, streamed=True, kind="broken", detail="stream_interrupted")
    assert (await verdict(Promise(), [], *many, error)).verdict == "held"
    assert (await verdict(Promise(), [], *many, error, error)).verdict == "BROKEN"
    assert (await verdict(Promise(most_broken=2), [], *many, error, error)).verdict == "held"


@pytest.mark.parametrize("kind", ["wrong", "hung", "cut"])
async def test_one_answer_that_is_wrong_or_hangs_breaks_it_however_many_succeed(kind: Kind) -> None:
    bad = Outcome(1, streamed=True, kind=kind, detail="so")
    assert (await verdict(Promise(least_share=None), [], *fine(*range(2, 9001)), bad)).verdict == "BROKEN"


async def test_a_request_that_a_backend_took_was_not_unsent() -> None:
    unsent = Outcome(1, streamed=True, kind="unsent")
    assert (await verdict(Promise(), [2], *fine(2), unsent)).verdict == "held"
    assert (await verdict(Promise(), [1, 2], *fine(2), unsent)).verdict == "BROKEN"


async def test_a_refusal_counts_unless_it_was_announced_and_says_when_to_come_back() -> None:
    told = Outcome(1, streamed=True, kind="refused", detail="overloaded", retry_after=True)
    bare = Outcome(1, streamed=True, kind="refused", detail="overloaded")
    assert (await verdict(Promise(), [], *fine(2), told)).verdict == "BROKEN"
    assert (await verdict(Promise(may_refuse=True), [], *fine(2), told)).verdict == "held"
    assert (await verdict(Promise(may_refuse=True), [], *fine(2), bare)).verdict == "BROKEN"


async def test_attempts_beyond_the_retry_budget_break_it() -> None:
    numbers = [*range(1, 101)]
    assert (await verdict(Promise(), numbers + [1] * 40, *fine(*numbers))).verdict == "held"
    assert (await verdict(Promise(), numbers + [1] * 41, *fine(*numbers))).verdict == "BROKEN"
