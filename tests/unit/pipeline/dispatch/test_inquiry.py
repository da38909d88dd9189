"""A question has one answer: another backend is asked when one fails, and nothing is heard twice or after the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seekway.core.errors import BackendUnavailable, InvalidRequest, ModelNotFound, SeekwayError
from seekway.core.ports import AnswerSink
from seekway.core.sections.resilience import ResilienceSettings
from seekway.observability.record import RequestRecord
from seekway.pipeline.directory import Route
from seekway.pipeline.dispatch.inquiry import Inquiry
from seekway.pipeline.exchange import Exchange
from tests.fakes.dispatch_bench import REQUEST, DispatchBench

DOWN = BackendUnavailable("Down.")


class Told:
    def __init__(self) -> None:
        self.answers: list[str] = []
        self.errors: list[SeekwayError] = []

    def answer(self, result: str) -> None:
        self.answers.append(result)

    def fail(self, error: SeekwayError) -> None:
        self.errors.append(error)


class Asked:
    """The flow of one question, and the sink that its backend would push into."""

    def __init__(self, name: str, sink: AnswerSink[str]) -> None:
        self.name = name
        self.sink = sink
        self.cancelled = 0

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def cancel(self) -> None:
        self.cancelled += 1


class Inquiries:
    def __init__(self, backends: int = 2, policy: ResilienceSettings | None = None) -> None:
        self.bench = DispatchBench(*([()] * backends), policy=policy)
        self.told = Told()
        self.exchange = Exchange(RequestRecord("r"))
        self.asked: list[Asked] = []
        self.refuse: Callable[[Route], None] = lambda _: None

    def ask(self) -> Inquiry[str]:
        return self.bench.dispatcher.inquire(REQUEST, self.exchange, self._begin, self.told)

    def _begin(self, route: Route, sink: AnswerSink[str]) -> Asked:
        self.refuse(route)
        self.asked.append(Asked(route.member.name, sink))
        return self.asked[-1]


def test_an_answer_goes_through_once() -> None:
    one = Inquiries()
    one.ask()
    (asked,) = one.asked
    asked.sink.answer("yes")
    asked.sink.answer("twice")
    asked.sink.fail(DOWN)
    assert (one.told.answers, one.told.errors) == (["yes"], [])
    assert one.bench.outstanding == 0


def test_a_failure_is_hidden_by_another_backend() -> None:
    one = Inquiries()
    one.ask()
    one.asked[0].sink.fail(DOWN)
    assert [asked.name for asked in one.asked] == ["b0", "b1"]
    one.asked[1].sink.answer("yes")
    assert (one.told.answers, one.told.errors) == (["yes"], [])
    assert (one.exchange.record.attempts, one.exchange.record.backend) == (2, "b1")
    assert one.bench.outstanding == 0


def test_when_all_fail_the_last_failure_is_told() -> None:
    one, last = Inquiries(), BackendUnavailable("Down, too.")
    one.ask()
    one.asked[0].sink.fail(DOWN)
    one.asked[1].sink.fail(last)
    assert (one.told.answers, one.told.errors) == ([], [last])
    assert (len(one.asked), one.bench.outstanding) == (2, 0)


def test_the_clients_own_mistake_is_tried_nowhere_else() -> None:
    one, mistake = Inquiries(), InvalidRequest("No.")
    one.ask()
    one.asked[0].sink.fail(mistake)
    assert one.told.errors == [mistake]
    assert len(one.asked) == 1


def test_without_budget_the_failure_is_told() -> None:
    one = Inquiries(policy=ResilienceSettings(retry_share=0.0, retry_minimum=0))
    one.ask()
    one.asked[0].sink.fail(DOWN)
    assert one.told.errors == [DOWN]
    assert len(one.asked) == 1


def test_cancelling_stops_the_backend_and_nothing_more_is_heard() -> None:
    one = Inquiries()
    flow = one.ask()
    flow.cancel()
    flow.cancel()
    (asked,) = one.asked
    asked.sink.fail(DOWN)
    asked.sink.answer("late")
    assert (asked.cancelled, one.told.answers, one.told.errors) == (1, [], [])
    assert (len(one.asked), one.bench.outstanding) == (1, 0)


def test_what_is_refused_before_the_first_backend_is_raised_and_behind_it_told() -> None:
    one, refused = Inquiries(), InvalidRequest("Not for this one.")

    def refuse(route: Route) -> None:
        if route.member.name == one_refuses:
            raise refused

    one.refuse = refuse
    one_refuses = "b0"
    with pytest.raises(InvalidRequest):
        one.ask()
    one_refuses = "b1"
    one.ask()
    one.asked[0].sink.fail(DOWN)
    assert one.told.errors == [refused]
    assert one.bench.outstanding == 0


def test_a_question_that_nobody_can_be_asked_is_refused_at_once() -> None:
    one = Inquiries(1)
    one.bench.refusal = ModelNotFound("Nobody has it.")
    with pytest.raises(ModelNotFound):
        one.ask()
