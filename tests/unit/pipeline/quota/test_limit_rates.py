"""The stage turns away with the time to wait, tells how much is left, and settles what was really used."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Sequence

import pytest

from seekway.core.caller import Caller
from seekway.core.errors import RateLimited
from seekway.core.sections.limits import LimitRule
from seekway.core.types import (
    Event,
    Finish,
    GenerateRequest,
    ImagePart,
    Message,
    ReasoningDelta,
    Sampling,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.quota.buckets import Plan
from seekway.pipeline.quota.estimate import output_tokens, prompt_tokens
from seekway.pipeline.quota.limit_rates import LimitRates, MeterOutput
from seekway.pipeline.quota.local import LocalQuota
from seekway.pipeline.quota.refusal import rate_headers
from seekway.pipeline.quota.rules import LimitBook
from tests.fakes.clock import SteppedClock

CALLER = Caller("k1", "t1")
REQUEST = GenerateRequest("1", "m", (Message("user", "x" * 100),), sampling=Sampling(max_tokens=20))
PROMPT = prompt_tokens(REQUEST)


class Stage:
    def __init__(self, *rules: LimitRule, reserve: int = 512, headers: bool = True) -> None:
        self.clock = SteppedClock()
        self.book = LimitBook(rules, clock=self.clock)
        self.stage = LimitRates(self.book, LocalQuota(self.clock), reserve_output_tokens=reserve, headers=headers)

    def admit(self, request: GenerateRequest = REQUEST, exchange: Exchange | None = None) -> Exchange:
        exchange = exchange or Exchange(RequestRecord("1"), caller=CALLER)
        assert self.stage(request, exchange) is request
        return exchange

    def level(self) -> tuple[float, int]:
        (bucket,) = self.book.plan(CALLER, None, "m").every
        return bucket.leak(self.clock.now), bucket.held


def tokens_stage() -> Stage:
    return Stage(LimitRule(name="r", tokens_per_minute=6000))


def sent(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode().removeprefix("x-ratelimit-"): value.decode() for name, value in headers}


def test_the_backends_count_is_what_counts() -> None:
    one = tokens_stage()
    exchange = one.admit()
    assert one.level() == (0.0, PROMPT + 20)
    exchange.record.usage = Usage(11, 5)
    exchange.ended()
    assert one.level() == (16.0, 0)


def test_an_answer_that_the_client_broke_off_counts_as_far_as_it_came() -> None:
    one = tokens_stage()
    exchange = one.admit()
    meter = MeterOutput().open(REQUEST, exchange)
    assert meter is not None
    events: tuple[Event, ...] = (TextDelta("a"), ReasoningDelta("b" * 100), ToolCallDelta(0, arguments="知识"))
    assert meter.feed(events) is events
    exchange.record.error = "cancelled"
    exchange.ended()
    assert one.level() == (PROMPT + int(1 + 30 + 1.2), 0)


@pytest.mark.parametrize(
    ("error", "counted"), [("cancelled", True), ("backend_unavailable", False), ("overloaded", False)]
)
def test_a_prompt_that_no_backend_read_is_not_counted(error: str, counted: bool) -> None:
    one = tokens_stage()
    exchange = one.admit()
    exchange.record.error = error
    exchange.ended()
    assert one.level() == (PROMPT if counted else 0.0, 0)


def test_an_answer_of_a_stage_takes_no_tokens() -> None:
    one = tokens_stage()
    exchange = one.admit()
    exchange.answer, exchange.record.usage = (TextDelta("a"),), Usage(9, 9)
    assert MeterOutput().open(REQUEST, exchange) is None
    exchange.ended()
    assert one.level() == (0.0, 0)


@pytest.mark.parametrize(("asked", "held"), [(None, 512), (9, 9), (100_000, 512)])
def test_no_more_output_is_held_than_the_settings_say(asked: int | None, held: int) -> None:
    one = tokens_stage()
    one.admit(GenerateRequest("1", "m", (Message("user", "x" * 100),), sampling=Sampling(max_tokens=asked)))
    assert one.level() == (0.0, PROMPT + held)


def test_an_exchange_settles_once() -> None:
    one = Stage(LimitRule(name="r", concurrent=1))
    exchange = one.admit()
    exchange.ended()
    exchange.ended()
    assert one.level() == (0.0, 0)


def test_a_trial_takes_nothing() -> None:
    one = Stage(LimitRule(name="r", concurrent=1))
    one.admit(exchange=Exchange(RequestRecord("1"), caller=CALLER, trial=True))
    assert one.level() == (0.0, 0)


def test_a_model_is_limited_under_its_resolved_name() -> None:
    one = Stage(LimitRule(name="r", per=("model",), concurrent=1))
    one.admit(exchange=Exchange(RequestRecord("1", model="m"), caller=CALLER))
    with pytest.raises(RateLimited):
        one.admit(GenerateRequest("2", "m@1", prompt="p"), Exchange(RequestRecord("2", model="m"), caller=CALLER))


def test_headers_tell_limit_rest_and_reset() -> None:
    one = Stage(
        LimitRule(name="wide", per=("tenant",), requests_per_minute=600),
        LimitRule(name="tight", requests_per_minute=3, tokens_per_minute=1000),
    )
    assert sent(one.admit().response_headers) == {
        "limit-requests": "3",
        "remaining-requests": "2",
        "reset-requests": "20s",
        "limit-tokens": "1000",
        "remaining-tokens": str(1000 - PROMPT - 20),
        "reset-tokens": "3.3s",
    }


def test_a_refusal_carries_the_headers_and_the_time_to_wait() -> None:
    one = Stage(LimitRule(name="r", requests_per_minute=1))
    one.admit()
    exchange = Exchange(RequestRecord("1"), caller=CALLER)
    with pytest.raises(RateLimited) as caught:
        one.admit(exchange=exchange)
    assert caught.value.retry_after_s == pytest.approx(60.0)
    assert sent(exchange.response_headers) == {
        "limit-requests": "1",
        "remaining-requests": "0",
        "reset-requests": "1m0s",
    }


def test_headers_can_be_left_out() -> None:
    assert not Stage(LimitRule(name="r", requests_per_minute=1), headers=False).admit().response_headers


def test_a_short_reset_is_told_in_milliseconds() -> None:
    one = Stage(LimitRule(name="r", requests_per_second=100))
    assert sent(rate_headers(one.book.plan(CALLER, None, "m")))["reset-requests"] == "0ms"
    assert sent(one.admit().response_headers)["reset-requests"] == "10ms"


def test_everything_of_a_prompt_is_guessed() -> None:
    def tokens(*messages: Message) -> int:
        return prompt_tokens(GenerateRequest("1", "m", messages))

    assert tokens(Message("user", "知" * 100)) == 65
    assert tokens(Message("user", "x" * 100)) == 35
    assert tokens(Message("user", (TextPart("x" * 100), ImagePart("data:")))) == 35 + 1024
    call = ToolCall("1", "find", "x" * 96)
    assert tokens(Message("assistant", "", reasoning="x" * 100, tool_calls=(call,))) == 65
    assert prompt_tokens(GenerateRequest("1", "m", prompt=(1, 2, 3))) == 4
    assert prompt_tokens(GenerateRequest("1", "m", prompt="x" * 100, suffix="x" * 100)) == 61
    assert output_tokens([Usage(1, 2)]) == 0.0


def test_a_long_user_id_is_not_kept() -> None:
    one = Stage(LimitRule(name="r", per=("user",), concurrent=1))
    one.admit(GenerateRequest("1", "m", prompt="p", user_id="u" * 1_000_000))
    with pytest.raises(RateLimited):
        one.admit(GenerateRequest("1", "m", prompt="p", user_id="u" * 1_000_000))
    (bucket,) = one.book.buckets()
    assert len(bucket.id) < 200


class SlowStore:
    """A store whose verdicts come when the test gives them."""

    def __init__(self) -> None:
        self.verdicts: list[asyncio.Future[None]] = []
        self.settled: list[tuple[int, int]] = []

    def admit(self, plan: Plan, tokens: int) -> asyncio.Future[None]:
        self.verdicts.append(asyncio.get_running_loop().create_future())
        return self.verdicts[-1]

    def settle(self, plan: Plan, held: int, used: int) -> None:
        self.settled.append((held, used))


def slow_stage() -> tuple[LimitRates, SlowStore, Exchange]:
    store = SlowStore()
    book = LimitBook([LimitRule(name="r", concurrent=1)])
    stage = LimitRates(book, store, reserve_output_tokens=1, headers=True)
    return stage, store, Exchange(RequestRecord("1"), caller=CALLER)


async def test_a_verdict_that_takes_time_is_waited_for() -> None:
    stage, store, exchange = slow_stage()
    waiting = stage(REQUEST, exchange)
    assert isinstance(waiting, Awaitable)
    store.verdicts[0].set_result(None)
    assert await waiting is REQUEST
    exchange.ended()
    assert store.settled == [(0, 0)]


async def test_a_request_that_is_refused_late_is_not_settled() -> None:
    stage, store, exchange = slow_stage()
    waiting = stage(REQUEST, exchange)
    assert isinstance(waiting, Awaitable)
    store.verdicts[0].set_exception(RateLimited("no", retry_after_s=1))
    with pytest.raises(RateLimited):
        await waiting
    exchange.ended()
    assert not store.settled


@pytest.mark.parametrize("granted", [True, False])
async def test_a_client_that_leaves_before_anybody_waits_holds_nothing(granted: bool) -> None:
    """The pipeline closes a coroutine that it never began."""
    stage, store, exchange = slow_stage()
    waiting = stage(REQUEST, exchange)
    assert inspect.iscoroutine(waiting)
    if granted:
        store.verdicts[0].set_result(None)
    waiting.close()
    exchange.ended()
    assert store.verdicts[0].cancelled() is not granted
    assert len(store.settled) == granted


async def test_embeddings_pass_the_same_limits() -> None:
    one = tokens_stage()
    exchange = Exchange(RequestRecord("1"), caller=CALLER)
    await one.stage.admit(exchange, user=None, model="m", tokens=100)
    assert one.level() == (0.0, 100)
    exchange.record.usage = Usage(60, 0)
    exchange.ended()
    assert one.level() == (60.0, 0)


def test_the_backends_count_stands_when_a_later_stage_refuses_the_answer() -> None:
    one = tokens_stage()
    exchange = one.admit()
    meter = MeterOutput().open(REQUEST, exchange)
    assert meter is not None
    meter.feed((TextDelta("a"), Usage(11, 5), Finish("stop")))
    exchange.record.error = "content_blocked"
    exchange.ended()
    assert one.level() == (16.0, 0)
