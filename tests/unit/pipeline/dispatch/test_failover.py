"""What goes wrong before the first event stays hidden; what comes after it ends in exactly one error."""

from __future__ import annotations

import gc
import weakref
from typing import Literal

import msgspec
import pytest

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    Cancelled,
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineCrashed,
    InsufficientBalance,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.ports import EventSink
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import ErrorEvent, Finish, GenerateRequest, TextDelta, Usage
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from tests.fakes.dispatch_bench import REQUEST, DispatchBench
from tests.fakes.push_backend import Heard, Script, whole

GOOD = (whole("Hel", "lo"),)
TAIL = (Usage(1, 1), Finish("stop"))


def test_an_ordinary_answer_goes_through_as_it_came() -> None:
    bench = DispatchBench(GOOD)
    asked = bench.ask()
    assert asked.heard.text == "Hello"
    assert asked.heard.ended == 1
    assert (asked.exchange.record.backend, asked.exchange.record.attempts) == ("b0", 1)
    assert bench.outstanding == 0


def test_a_whole_answer_in_one_batch_stays_one_batch() -> None:
    bench = DispatchBench((((TextDelta("all"), *TAIL), "end"),))
    assert bench.ask().heard.batches == 1


@pytest.mark.parametrize(
    "error",
    [
        BackendUnavailable("gone"),
        Overloaded("full", retry_after_s=3),
        RateLimited("slow down"),
        EngineCrashed("crash"),
        StreamInterrupted("cut"),
        BackendProtocolError("nonsense"),
        DeadlineExceeded("no connection"),
        InsufficientBalance("empty"),
        ModelNotFound("unknown there"),
        Cancelled("not by us"),
    ],
)
def test_a_failure_of_the_backend_is_hidden_by_another_backend_at_once(error: SeekwayError) -> None:
    bench = DispatchBench(((error,),), GOOD)
    asked = bench.ask(seconds=0.0)
    assert asked.heard.text == "Hello"
    assert asked.heard.ended == 1
    assert bench.attempts == [1, 1]
    assert (asked.exchange.record.backend, asked.exchange.record.attempts) == ("b1", 2)


@pytest.mark.parametrize("error", [ContextLengthExceeded("long"), InvalidRequest("wrong")])
def test_the_clients_own_mistake_is_told_and_tried_nowhere_else(error: SeekwayError) -> None:
    bench = DispatchBench(((error,),), GOOD)
    assert bench.ask().heard.error is error
    assert bench.attempts == [1, 0]
    assert bench.endpoints[0].window.counts(bench.loop.time()) == (1, 0)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (((TextDelta("a"),), "end"), StreamInterrupted),
        (("end",), StreamInterrupted),
        (((TextDelta("a"), Finish("stop")), "end"), BackendProtocolError),
        (((TextDelta("a"),), (ErrorEvent("engine_crashed", "Boom."),), "end"), EngineCrashed),
        (((TextDelta("a"), ErrorEvent("engine_crashed", "Boom."), *TAIL), "end"), EngineCrashed),
        (((TextDelta("a"),), TAIL, StreamInterrupted("cut")), StreamInterrupted),
    ],
)
def test_a_stream_that_is_not_whole_is_an_error_and_has_no_finish(script: Script, error: type[SeekwayError]) -> None:
    bench = DispatchBench((script,), policy=ResilienceSettings(attempts=1))
    heard = bench.ask().heard
    assert isinstance(heard.error, error)
    assert not any(isinstance(event, Finish | ErrorEvent) for event in heard.events)
    assert bench.outstanding == 0
    assert bench.endpoints[0].failures == 1


def test_an_error_as_the_first_event_is_hidden() -> None:
    bench = DispatchBench((((ErrorEvent("overloaded", "Full."),),),), GOOD)
    assert bench.ask().heard.text == "Hello"


def test_text_that_comes_in_one_batch_with_its_failure_is_not_heard_twice() -> None:
    bench = DispatchBench((((TextDelta("lost"), ErrorEvent("engine_crashed", "Boom.")),),), GOOD)
    assert bench.ask().heard.text == "Hello"


def test_after_the_first_event_nothing_is_tried_again_unless_it_is_opted_for() -> None:
    cut = StreamInterrupted("cut")
    bench = DispatchBench((((TextDelta("Hel"),), cut),), GOOD)
    heard = bench.ask().heard
    assert (heard.text, heard.error) == ("Hel", cut)
    assert bench.attempts == [1, 0]


def test_the_only_backend_is_tried_again_after_a_while() -> None:
    bench = DispatchBench(((BackendUnavailable("gone"),), *GOOD))
    asked = bench.start()
    bench.loop.advance()
    assert bench.attempts == [1]
    bench.loop.advance(0.2)
    assert asked.heard.text == "Hello"


def test_the_number_of_attempts_is_bounded() -> None:
    gone = BackendUnavailable("gone")
    bench = DispatchBench(*[((gone,),)] * 5, policy=ResilienceSettings(attempts=3))
    assert bench.ask().heard.error is gone
    assert sum(bench.attempts) == 3


def test_without_budget_the_failure_is_told() -> None:
    bench = DispatchBench(
        ((BackendUnavailable("gone"),),),
        GOOD,
        policy=ResilienceSettings(
            retry_share=0.2, retry_minimum=0, breaker_failures=1000, breaker_share=1.0, least_requests=1000
        ),
    )
    ended = [bench.ask(seconds=0.0).heard.ended for _ in range(50)]
    assert sum(ended) == 10
    assert sum(bench.attempts) == 60


def test_a_backend_that_said_retry_after_is_not_asked_before() -> None:
    bench = DispatchBench(((RateLimited("slow", retry_after_s=7),), *GOOD), GOOD)
    bench.ask(seconds=0.0)
    bench.ask(seconds=6.0)
    assert bench.attempts == [1, 2]
    bench.loop.advance(2.0)
    bench.ask()
    assert bench.attempts == [2, 2]


def test_when_all_said_retry_after_the_least_is_told() -> None:
    bench = DispatchBench(((RateLimited("slow", retry_after_s=7),),), ((Overloaded("full", retry_after_s=4),),))
    error = bench.ask(seconds=1.0).heard.error
    assert isinstance(error, Overloaded)
    assert error.retry_after_s == pytest.approx(4)
    later = bench.ask().heard.error
    assert isinstance(later, Overloaded)
    assert later.retry_after_s == pytest.approx(3)
    assert bench.attempts == [1, 1]


def test_the_deadline_ends_a_silent_request() -> None:
    bench = DispatchBench((("hang",),))
    asked = bench.ask(within=2.0, seconds=1.9)
    assert not asked.heard.over
    bench.loop.advance(0.2)
    assert isinstance(asked.heard.error, DeadlineExceeded)
    assert (bench.backends[0].running, bench.backends[0].cancelled, bench.outstanding) == (0, 1, 0)
    assert bench.loop.timers == 0


def test_the_deadline_ends_a_stream_under_way() -> None:
    bench = DispatchBench((((TextDelta("a"),), "hang"),))
    heard = bench.ask(within=2.0).heard
    assert isinstance(heard.error, DeadlineExceeded)


def test_no_attempt_is_made_past_the_deadline() -> None:
    bench = DispatchBench(((2.0, BackendUnavailable("gone")),), GOOD)
    assert isinstance(bench.ask(within=2.0).heard.error, DeadlineExceeded | BackendUnavailable)
    late = bench.ask(within=-1.0)
    assert isinstance(late.heard.error, DeadlineExceeded)
    assert bench.attempts == [1, 0]


def test_a_backend_that_keeps_to_the_deadline_is_not_blamed_for_it() -> None:
    bench = DispatchBench(((1.99, DeadlineExceeded("over")),), GOOD)
    assert isinstance(bench.ask(within=2.0).heard.error, DeadlineExceeded)
    assert bench.attempts == [1, 0]
    assert bench.endpoints[0].failures == 0


def test_each_attempt_is_told_what_is_left_of_the_time() -> None:
    bench = DispatchBench(((3.0, BackendUnavailable("gone")),), GOOD)
    bench.ask(within=10.0)
    first, second = bench.backends[0].requests[0], bench.backends[1].requests[0]
    assert (first.deadline_s, second.deadline_s) == (pytest.approx(10.0), pytest.approx(7.0))


def test_cancelling_stops_the_backend_and_nothing_more_is_heard() -> None:
    bench = DispatchBench((((TextDelta("a"),), 1.0, *whole("b")),))
    asked = bench.ask(seconds=0.5)
    asked.flow.cancel()
    asked.flow.cancel()
    bench.loop.advance(10.0)
    assert (asked.heard.text, asked.heard.over) == ("a", False)
    assert (bench.backends[0].cancelled, bench.outstanding) == (1, 0)


def test_cancelling_from_within_the_sink_ends_it_there() -> None:
    bench = DispatchBench((whole("a"),))
    asked = bench.start()
    asked.heard.on_feed = asked.flow.cancel
    bench.loop.advance(5.0)
    assert (asked.heard.batches, asked.heard.over, bench.outstanding) == (1, False, 0)


def test_no_attempt_follows_a_cancellation_in_the_backoff() -> None:
    bench = DispatchBench(((BackendUnavailable("gone"),),))
    asked = bench.start()
    bench.loop.advance()
    asked.flow.cancel()
    bench.loop.advance(5.0)
    assert bench.attempts == [1]
    assert not asked.heard.over


def test_a_paused_flow_stays_paused_on_the_next_backend() -> None:
    bench = DispatchBench(((1.0, BackendUnavailable("gone")),), GOOD)
    asked = bench.start()
    bench.loop.advance(0.9)
    bench.backends[0].flows[0].resume()
    asked.flow.pause()
    bench.backends[0].flows[0].resume()
    bench.loop.advance(1.0)
    assert bench.attempts == [1, 1]
    assert asked.heard.text == ""
    asked.flow.resume()
    bench.loop.advance(1.0)
    assert asked.heard.text == "Hello"


def test_the_request_is_shaped_for_each_backend_anew() -> None:
    seen: list[str] = []

    def shape(request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        seen.append(exchange.resolved.member.name)
        return msgspec.structs.replace(request, user_id=exchange.resolved.member.name)

    bench = DispatchBench(((BackendUnavailable("gone"),),), GOOD, shape=shape)
    bench.ask()
    assert seen == ["b0", "b1"]
    assert bench.backends[1].requests[0].user_id == "b1"


def test_what_the_shaping_refuses_is_told_after_the_start() -> None:
    refusal = InvalidRequest("no")

    def shape(_request: GenerateRequest, _exchange: Exchange) -> GenerateRequest:
        raise refusal

    bench = DispatchBench(GOOD, shape=shape)
    assert bench.ask().heard.error is refusal
    assert (bench.attempts, bench.outstanding) == ([0], 0)


def test_a_request_that_no_pool_serves_is_told_so_unless_it_is_cancelled_first() -> None:
    bench = DispatchBench(GOOD)

    bench.refusal = ModelNotFound("none")
    asked = bench.start()
    asked.flow.pause()
    asked.flow.resume()
    bench.loop.advance()
    assert isinstance(asked.heard.error, ModelNotFound)
    cancelled = bench.start()
    cancelled.flow.cancel()
    bench.loop.advance()
    assert not cancelled.heard.over


def test_a_member_that_is_away_is_asked_only_when_nobody_else_is_left() -> None:
    bench = DispatchBench(GOOD, GOOD)
    bench.endpoints[0].heard_of(bench.loop.time(), away=True)
    bench.ask()
    assert bench.attempts == [0, 1]
    bench.endpoints[1].heard_of(bench.loop.time(), away=True)
    assert bench.ask().heard.ended == 1
    assert bench.attempts == [1, 1]


def test_an_open_breaker_fails_at_once_and_lets_one_probe_through() -> None:
    policy = ResilienceSettings(attempts=1, breaker_failures=3, breaker_open_s=5.0)
    bench = DispatchBench(((BackendUnavailable("gone"),),), policy=policy)
    for _ in range(3):
        bench.ask(seconds=0.0)
    refused = bench.ask(seconds=0.0).heard.error
    assert isinstance(refused, BackendUnavailable)
    assert refused.retry_after_s == pytest.approx(5.0)
    assert bench.attempts == [3]
    bench.loop.advance(5.0)
    bench.backends[0].will(whole("back", after=1.0))
    probe, other = bench.start(), bench.start()
    bench.loop.advance(0.5)
    assert isinstance(other.heard.error, BackendUnavailable)
    bench.loop.advance(1.0)
    assert probe.heard.text == "back"
    assert bench.ask().heard.ended == 1
    assert bench.attempts == [5]


def test_a_dispatcher_that_is_closed_has_no_timer() -> None:
    bench = DispatchBench((("hang",),))
    bench.start()
    bench.dispatcher.close()
    assert bench.loop.timers == 0


def test_a_refusal_is_not_told_to_a_caller_that_has_gone() -> None:
    def shape(_request: GenerateRequest, _exchange: Exchange) -> GenerateRequest:
        raise InvalidRequest("no")

    bench = DispatchBench(GOOD, shape=shape)
    asked = bench.start()
    asked.flow.cancel()
    bench.loop.advance()
    assert not asked.heard.over


class Deaf:
    """A backend that goes on feeding, whatever it is told, from where the test says."""

    sink: EventSink

    def start(self, _request: GenerateRequest, sink: EventSink, /) -> Deaf:
        self.sink = sink
        return self

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def cancel(self) -> None: ...


def test_a_backend_that_does_not_stop_is_heard_no_more() -> None:
    bench, deaf = DispatchBench(GOOD, GOOD), Deaf()
    bench.endpoints[0].source = deaf
    cancelled = bench.start()
    deaf.sink.feed((TextDelta("a"),))
    cancelled.flow.cancel()
    failed = bench.start()
    for sink in (deaf.sink,):
        sink.feed((TextDelta("a"),))
        sink.feed((ErrorEvent("engine_crashed", "Boom."),))
        for _ in range(2):
            sink.feed((TextDelta("b"),))
            sink.feed(TAIL)
            sink.end()
            sink.fail(StreamInterrupted("again"))
    assert (cancelled.heard.text, cancelled.heard.over) == ("a", False)
    assert (failed.heard.text, failed.heard.error.code) == ("a", "engine_crashed")
    assert bench.outstanding == 0


@pytest.mark.parametrize("continued", ["off", "any"])
def test_what_is_over_waits_for_no_garbage_collector(continued: Literal["off", "any"]) -> None:
    for script in (whole("x"), (InvalidRequest("no"),), ((TextDelta("a"),), StreamInterrupted("cut"))):
        policy = ResilienceSettings(attempts=1, continue_streams=continued)
        bench = DispatchBench((script,), policy=policy, kind="openai")
        asked = bench.ask()
        asked.heard.on_feed = asked.flow.cancel
        sink = weakref.ref(asked.heard)
        gc.disable()
        bench.backends[0].flows.clear()
        del asked
        gone = sink() is None
        gc.enable()
        assert gone


def test_nothing_is_watched_that_is_over() -> None:
    bench = DispatchBench((("hang",),), GOOD)
    cancelled = bench.start()
    assert bench.dispatcher.watched == 1
    cancelled.flow.cancel()
    assert bench.dispatcher.watched == 0
    bench.ask(seconds=1.0)
    bench.endpoints[0].heard_of(bench.loop.time(), away=True)
    bench.ask(seconds=1.0)
    assert bench.dispatcher.watched == 1


def test_no_attempt_is_made_between_the_deadline_and_the_sweep_that_sees_it() -> None:
    bench = DispatchBench((("hang",), (2.005, BackendUnavailable("gone"))), GOOD)
    bench.start(within=1.99)
    late = bench.start(within=2.0)
    bench.loop.advance(5.0)
    assert late.heard.over
    assert bench.attempts == [2, 0]


def test_a_backoff_that_would_outlast_the_deadline_is_not_begun() -> None:
    gone = BackendUnavailable("gone")
    bench = DispatchBench(((gone,),), policy=ResilienceSettings(backoff_s=30.0, backoff_most_s=30.0))
    assert bench.ask(within=0.5, seconds=0.0).heard.error is gone


def test_a_pool_that_was_made_anew_replaces_the_old_one() -> None:
    bench, other = DispatchBench(GOOD), DispatchBench(GOOD)
    bench.ask()
    bench.selection = other.selection
    bench.dispatcher.start(REQUEST, Exchange(RequestRecord("r")), Heard())
    assert bench.endpoints[0].neighbours == []
    assert len(other.endpoints[0].neighbours) == 1
    assert [lane.requests for lane in bench.dispatcher.lanes()] == [2]


def test_a_client_that_reads_whole_answers_sees_no_failure_in_their_middle() -> None:
    broken: Script = ((TextDelta("Hal"),), StreamInterrupted("cut"))
    bench = DispatchBench((broken,), GOOD)
    asked = bench.ask(msgspec.structs.replace(REQUEST, stream=False))
    assert (asked.heard.text, asked.heard.ended, asked.exchange.record.attempts) == ("Hello", 1, 2)
    assert bench.outstanding == 0
