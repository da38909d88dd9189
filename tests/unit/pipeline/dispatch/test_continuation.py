"""An answer that broke off goes on where it stopped, on a backend that can; where none can, it fails once."""

from __future__ import annotations

import msgspec
import pytest

from seekway.core.errors import BackendUnavailable, StreamInterrupted, UnsupportedParameter
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import (
    Finish,
    GenerateRequest,
    Message,
    ReasoningDelta,
    ResponseFormat,
    Sampling,
    TextDelta,
    Thinking,
    TokenLogprob,
    Tool,
    ToolCallDelta,
    ToolChoice,
    Usage,
)
from seekway.pipeline.directory import BackendKind
from tests.fakes.dispatch_bench import REQUEST, DispatchBench
from tests.fakes.push_backend import Script

CUT = StreamInterrupted("cut")
KNOWN = ResilienceSettings(continue_streams="known")
TAIL = (Usage(20, 2, cached_tokens=18), Finish("stop"))


def token(text: str) -> TextDelta:
    return TextDelta(text, (TokenLogprob(text, -0.1),))


BROKEN: Script = ((token("Once"),), (token(" upon"),), CUT)
REST: Script = ((token(" a"),), (token(" time"),), TAIL, "end")


def bench_of(
    first: Script = BROKEN, second: Script = REST, *, policy: ResilienceSettings = KNOWN, kind: BackendKind = "local"
) -> DispatchBench:
    return DispatchBench((first,), (second,), policy=policy, kind=kind)


def test_the_text_is_whole_and_the_next_backend_got_what_came() -> None:
    bench = bench_of()
    asked = bench.ask()
    assert asked.heard.text == "Once upon a time"
    assert asked.heard.ended == 1
    assert bench.backends[1].requests[0].messages == (*REQUEST.messages, Message("assistant", "Once upon", prefix=True))
    assert (asked.exchange.record.backend, asked.exchange.record.attempts, bench.outstanding) == ("b1", 2, 0)


def test_what_came_counts_as_completion_and_the_sum_stays_what_was_counted() -> None:
    usage = bench_of().ask().heard.usage
    assert usage == Usage(18, 4, cached_tokens=18)


def test_without_log_probabilities_tokens_are_estimated() -> None:
    bench = bench_of(((TextDelta("a" * 10), TextDelta("好" * 10)), CUT))
    assert bench.ask().heard.usage == Usage(11, 11, cached_tokens=11)


def test_the_limit_of_tokens_is_lowered_by_what_came() -> None:
    bench = bench_of()
    bench.ask(msgspec.structs.replace(REQUEST, sampling=Sampling(max_tokens=10), extra={"max_completion_tokens": 5}))
    sent = bench.backends[1].requests[0]
    assert (sent.sampling.max_tokens, sent.extra["max_completion_tokens"]) == (8, 3)


def test_an_answer_that_has_used_up_its_tokens_is_not_continued() -> None:
    bench = bench_of()
    heard = bench.ask(msgspec.structs.replace(REQUEST, sampling=Sampling(max_tokens=2))).heard
    assert (heard.error, bench.attempts) == (CUT, [1, 0])


def test_a_beginning_that_the_client_gave_comes_first() -> None:
    bench = bench_of()
    given = Message("assistant", "Tale: ", reasoning="hm", prefix=True)
    bench.ask(msgspec.structs.replace(REQUEST, messages=(*REQUEST.messages, given)))
    assert bench.backends[1].requests[0].messages[-1] == Message(
        "assistant", "Tale: Once upon", reasoning="hm", prefix=True
    )


def test_reasoning_goes_back_as_reasoning() -> None:
    bench = bench_of(((ReasoningDelta("let me"),), (TextDelta("Once"),), CUT))
    bench.ask()
    assert bench.backends[1].requests[0].messages[-1] == Message("assistant", "Once", reasoning="let me", prefix=True)
    assert bench.backends[1].requests[0].thinking == Thinking()


def test_a_server_does_not_begin_to_think_anew_once_it_speaks() -> None:
    bench = bench_of(kind="deepseek")
    bench.ask(msgspec.structs.replace(REQUEST, thinking=Thinking(enabled=True)))
    assert bench.backends[1].requests[0].thinking == Thinking(enabled=False)


@pytest.mark.parametrize(
    ("policy", "kind", "first"),
    [
        (ResilienceSettings(), "local", BROKEN),
        (KNOWN, "openai", BROKEN),
        (
            ResilienceSettings(continue_streams="any"),
            "openai",
            ((ReasoningDelta("hm"),), (TextDelta("Once"), TextDelta(" upon")), CUT),
        ),
        (ResilienceSettings(continue_streams="known", continue_characters=5), "local", BROKEN),
        (ResilienceSettings(continue_streams="known", attempts=1), "local", BROKEN),
        (ResilienceSettings(continue_streams="known", retry_minimum=0), "local", BROKEN),
    ],
)
def test_what_may_not_be_continued_fails_once(policy: ResilienceSettings, kind: BackendKind, first: Script) -> None:
    bench = bench_of(first, policy=policy, kind=kind)
    heard = bench.ask().heard
    assert (heard.text, heard.error, bench.attempts) == ("Once upon", CUT, [1, 0])


def test_any_server_continues_text_where_the_operator_says_so() -> None:
    bench = bench_of(policy=ResilienceSettings(continue_streams="any"), kind="openai")
    assert bench.ask().heard.text == "Once upon a time"


def test_a_tool_call_that_has_begun_is_not_continued() -> None:
    call = ToolCallDelta(0, "c", "look", '{"a"')
    bench = bench_of(((TextDelta("I look"),), (call,), CUT))
    heard = bench.ask(msgspec.structs.replace(REQUEST, tools=(Tool("look"),))).heard
    assert (heard.error, bench.attempts) == (CUT, [1, 0])
    assert [event for event in heard.events if isinstance(event, ToolCallDelta)] == [call]


@pytest.mark.parametrize(
    "request_",
    [
        msgspec.structs.replace(REQUEST, response_format=ResponseFormat("json_object")),
        msgspec.structs.replace(REQUEST, tools=(Tool("t"),), tool_choice=ToolChoice("required")),
        msgspec.structs.replace(REQUEST, messages=(), prompt="once"),
        msgspec.structs.replace(REQUEST, messages=(*REQUEST.messages, Message("assistant", (), prefix=True))),
    ],
)
def test_a_constrained_answer_is_not_continued(request_: GenerateRequest) -> None:
    bench = bench_of()
    assert bench.ask(request_).heard.error is CUT
    assert bench.attempts == [1, 0]


def test_a_second_break_is_continued_from_all_that_came() -> None:
    bench = DispatchBench(
        (BROKEN,), (((token(" a"),), CUT),), (((token(" time"),), TAIL, "end"),), policy=KNOWN, kind="local"
    )
    heard = bench.ask().heard
    assert heard.text == "Once upon a time"
    assert bench.backends[2].requests[0].messages[-1].content == "Once upon a"
    assert len(bench.backends[2].requests[0].messages) == 2
    assert heard.usage == Usage(17, 5, cached_tokens=17)


def test_text_that_came_with_the_break_is_neither_lost_nor_doubled() -> None:
    bench = bench_of(((token("Once"),), (token(" upon"), Usage(1, 1), Finish("stop")), CUT))
    heard = bench.ask().heard
    assert heard.text == "Once upon a time"
    assert sum(isinstance(event, Finish) for event in heard.events) == 1


def test_where_the_next_backend_refuses_the_break_is_told_and_not_the_refusal() -> None:
    for refusal in (UnsupportedParameter("no prefix"), BackendUnavailable("gone")):
        bench = bench_of(second=(refusal,), policy=ResilienceSettings(continue_streams="known", attempts=2))
        heard = bench.ask().heard
        assert (heard.text, heard.error, bench.outstanding) == ("Once upon", CUT, 0)


def test_a_backend_that_cannot_continue_is_passed_over() -> None:
    bench = DispatchBench((BROKEN,), (REST,), policy=KNOWN, kind="local")
    other = DispatchBench((REST,), policy=KNOWN, kind="openai")
    first, second = bench.selection.pool.choices
    unfit = other.selection.pool.choices[0]
    bench.selection.pool = type(bench.selection.pool)("m", (first, type(first)(unfit.endpoint, unfit.route), second))
    assert bench.ask().heard.text == "Once upon a time"
    assert other.attempts == [0]
