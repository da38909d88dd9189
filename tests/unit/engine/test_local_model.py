"""A local model streams canonical events from an engine's tokens, and frees the engine when it is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

from seekway.core.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    InternalError,
    InvalidParameter,
    InvalidRequest,
    UnsupportedParameter,
)
from seekway.core.types import (
    EmbedRequest,
    Event,
    Finish,
    GenerateRequest,
    Message,
    ReasoningDelta,
    ResponseFormat,
    Sampling,
    TextDelta,
    Thinking,
    TokenCount,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    Usage,
)
from seekway.engine.base import SampledToken, TokenChunk
from seekway.engine.gguf.tokenizer import TextTokenizer
from seekway.engine.local_model import LocalModel
from tests.fakes.engine import FakeEngine
from tests.fakes.local_model import THINKING_TEMPLATE, make_model, make_tokenizer, script

USER = (Message("user", "Hi"),)
TOOLS = (Tool("now", "Tells the time."),)


def chat(**fields: object) -> GenerateRequest:
    return GenerateRequest("1", "m", **({"messages": USER} | fields))  # pyright: ignore[reportArgumentType] - checked at run time by the struct


async def gather(model: LocalModel, request: GenerateRequest) -> list[Event]:
    return [event async for event in model.generate(request)]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def reasoning_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


async def test_text_usage_and_finish_come_in_that_order(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "Hello 世界 👩‍👧", cached=3))
    events = await gather(make_model(tmp_path, engine), chat())
    assert text_of(events) == "Hello 世界 👩‍👧"
    assert not any("\ufffd" in event.text for event in events if isinstance(event, TextDelta))
    prompt = engine.requests[0].prompt
    assert events[-2:] == [Usage(len(prompt), len(tokenizer.encode("Hello 世界 👩‍👧")), 3), Finish("stop")]
    assert engine.closed == 1
    assert engine.requests[0].stop_token_ids == {0, 2}


COUNTED: list[dict[str, object]] = [
    {},
    {"messages": (Message("system", "Be brief."), *USER, Message("assistant", "Well", prefix=True))},
    {"tools": TOOLS},
    {"tools": TOOLS, "tool_choice": ToolChoice("named", "now")},
    {"tools": TOOLS, "tool_choice": ToolChoice("none")},
    {"thinking": Thinking(True)},
    {"response_format": ResponseFormat("json_object")},
]


@pytest.mark.parametrize("fields", COUNTED)
async def test_a_count_is_what_the_prompt_turns_out_to_be(tmp_path: Path, fields: dict[str, object]) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "hm</think>{}"))
    model = make_model(tmp_path, engine, template=THINKING_TEMPLATE)
    counted = await model.count_tokens(chat(**fields))
    assert not engine.requests
    usage = next(event for event in await gather(model, chat(**fields)) if isinstance(event, Usage))
    assert counted == TokenCount(usage.prompt_tokens)


async def test_a_prompt_beyond_the_context_is_counted_but_not_one_without_hope(tmp_path: Path) -> None:
    engine = FakeEngine(context_length=10)
    model = make_model(tmp_path, engine)
    assert (await model.count_tokens(chat())).tokens > 10
    with pytest.raises(ContextLengthExceeded):
        await model.count_tokens(chat(messages=(Message("user", "x" * 100_000),)))


async def test_counting_keeps_to_the_deadline(tmp_path: Path) -> None:
    model = make_model(tmp_path, FakeEngine(context_length=1_000_000))
    with pytest.raises(DeadlineExceeded):
        await model.count_tokens(chat(messages=(Message("user", "x " * 40_000),), deadline_s=-1.0))


async def test_control_tokens_leave_no_trace_in_the_text(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    events = await gather(make_model(tmp_path, FakeEngine(script(tokenizer, "a<|im_start|>b"))), chat())
    assert text_of(events) == "ab"


async def test_reasoning_is_separated_and_counted(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "<think>\nhm\n</think>\n\n42"))
    events = await gather(make_model(tmp_path, engine, template=THINKING_TEMPLATE), chat())
    assert (reasoning_of(events), text_of(events)) == ("hm", "42")
    usage = next(event for event in events if isinstance(event, Usage))
    assert usage.reasoning_tokens == len(tokenizer.encode("<think>\nhm\n</think>"))


async def test_a_tag_split_over_tokens_is_still_a_tag(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    pieces = [tokenizer.encode(c)[0] for c in "hm</think>42"]
    engine = FakeEngine([*(TokenChunk((SampledToken(i),)) for i in pieces), TokenChunk((), "stop")])
    events = await gather(make_model(tmp_path, engine, template=THINKING_TEMPLATE), chat(thinking=Thinking(True)))
    assert (reasoning_of(events), text_of(events)) == ("hm", "42")


async def test_disabled_thinking_is_closed_in_the_prompt(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "42"))
    await gather(make_model(tmp_path, engine, template=THINKING_TEMPLATE), chat(thinking=Thinking(False)))
    prompt = b"".join(map(tokenizer.token_bytes, engine.requests[0].prompt)).decode()
    assert prompt.endswith("<think>\n\n</think>\n\n")


async def test_a_stop_string_ends_the_stream_and_the_engines_work(tmp_path: Path) -> None:
    engine = FakeEngine(script(make_tokenizer(tmp_path), "one STOP two"))
    events = await gather(make_model(tmp_path, engine), chat(sampling=Sampling(stop=("STOP", "two"))))
    assert text_of(events) == "one "
    assert events[-1] == Finish("stop", "STOP")
    assert engine.closed == 1


async def test_what_was_held_back_comes_at_the_end(tmp_path: Path) -> None:
    engine = FakeEngine(script(make_tokenizer(tmp_path), "one STO", finish="length"))
    events = await gather(make_model(tmp_path, engine), chat(sampling=Sampling(stop=("STOP",))))
    assert text_of(events) == "one STO"
    assert events[-1] == Finish("length")


async def test_tool_calls_are_read_and_finish_says_so(tmp_path: Path) -> None:
    engine = FakeEngine(
        script(make_tokenizer(tmp_path), 'Well<tool_call>{"name": "now", "arguments": {"a": 1}}</tool_call>')
    )
    events = await gather(make_model(tmp_path, engine), chat(tools=TOOLS))
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert calls[0].name == "now"
    assert "".join(call.arguments for call in calls) == '{"a": 1}'
    assert text_of(events) == "Well"
    assert events[-1] == Finish("tool_calls")


async def test_a_required_call_is_forced_by_a_schema(tmp_path: Path) -> None:
    engine = FakeEngine(script(make_tokenizer(tmp_path), '{"name": "now", "arguments": {}}'))
    model = make_model(tmp_path, engine, template=THINKING_TEMPLATE)
    events = await gather(model, chat(tools=TOOLS, tool_choice=ToolChoice("required")))
    assert engine.requests[0].constraint is not None
    assert events[-1] == Finish("tool_calls")
    with pytest.raises(InvalidRequest, match="thinking"):
        await gather(model, chat(tools=TOOLS, tool_choice=ToolChoice("required"), thinking=Thinking(True)))


async def test_json_after_thinking_is_constrained_once_the_reasoning_is_closed(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "hm</think>{"), script(tokenizer, '\n{"a": 1}', cached=7))
    request = chat(
        thinking=Thinking(True), response_format=ResponseFormat("json_object"), sampling=Sampling(max_tokens=50)
    )
    events = await gather(make_model(tmp_path, engine, template=THINKING_TEMPLATE), request)
    assert (reasoning_of(events), text_of(events)) == ("hm", '{"a": 1}')
    first, second = engine.requests
    assert (first.constraint, second.constraint is not None) == (None, True)
    assert second.prompt == first.prompt + tuple(tokenizer.encode("hm</think>"))
    assert second.max_tokens == 50 - 3
    assert engine.closed == 2


async def test_log_probabilities_stand_beside_their_text(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "a世", logprob=-0.5))
    events = await gather(make_model(tmp_path, engine), chat(sampling=Sampling(top_logprobs=0)))
    given = [entry for event in events if isinstance(event, TextDelta) for entry in event.logprobs]
    assert bytes(b for entry in given for b in entry.bytes).decode() == "a世"
    assert {entry.logprob for entry in given} == {-0.5}


async def test_more_alternatives_than_the_engine_has_are_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path, FakeEngine([]))
    with pytest.raises(UnsupportedParameter, match="llamacpp"):
        await gather(model, chat(sampling=Sampling(top_logprobs=3)))


async def test_a_prompt_that_fills_the_context_says_the_numbers(tmp_path: Path) -> None:
    model = make_model(tmp_path, FakeEngine([], context_length=20))
    with pytest.raises(ContextLengthExceeded, match=r"20 tokens and the prompt has \d+"):
        await gather(model, chat())


async def test_a_prompt_that_cannot_fit_by_its_length_is_refused_before_it_is_tokenized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(tmp_path, FakeEngine([], context_length=20))
    monkeypatch.setattr(TextTokenizer, "encode", None)
    with pytest.raises(ContextLengthExceeded, match=r"100000 characters are at least \d+"):
        await gather(model, chat(messages=(Message(role="user", content="x" * 100_000),)))


@pytest.mark.parametrize(("asked", "given"), [(None, "left"), (5, 5), (10**6, "left")])
async def test_max_tokens_is_at_most_what_is_left(tmp_path: Path, asked: int | None, given: int | str) -> None:
    engine = FakeEngine(script(make_tokenizer(tmp_path), "x"), context_length=100)
    await gather(make_model(tmp_path, engine), chat(sampling=Sampling(max_tokens=asked)))
    left = 100 - len(engine.requests[0].prompt)
    assert engine.requests[0].max_tokens == (left if given == "left" else given)


async def test_leaving_the_stream_closes_the_engines_iterator(tmp_path: Path) -> None:
    engine = FakeEngine(script(make_tokenizer(tmp_path), "hello", finish=None), hang=True)
    stream = cast("AsyncGenerator[Event]", make_model(tmp_path, engine).generate(chat()))
    await anext(stream)
    assert engine.closed == 0
    await stream.aclose()
    assert engine.closed == 1


async def test_cancelling_the_reader_closes_the_engines_iterator(tmp_path: Path) -> None:
    engine = FakeEngine([], hang=True)
    model = make_model(tmp_path, engine)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gather(model, chat()))
        await engine.asked.wait()
        task.cancel()
    assert engine.closed == 1


async def test_a_passed_deadline_ends_the_stream(tmp_path: Path) -> None:
    engine = FakeEngine([], hang=True)
    with pytest.raises(DeadlineExceeded):
        await gather(make_model(tmp_path, engine), chat(deadline_s=0.01))
    assert engine.closed == 1


async def test_an_engine_that_ends_without_a_reason_is_an_error(tmp_path: Path) -> None:
    engine = FakeEngine(script(make_tokenizer(tmp_path), "hello", finish=None))
    with pytest.raises(InternalError):
        await gather(make_model(tmp_path, engine), chat())


async def test_a_raw_completion_is_not_templated_and_can_be_echoed(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "\n\n upon"))
    events = await gather(make_model(tmp_path, engine), chat(messages=(), prompt="Once", echo=True))
    assert text_of(events) == "Once\n\n upon"
    assert list(engine.requests[0].prompt) == tokenizer.encode("Once")


async def test_token_prompts_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="token id"):
        await gather(make_model(tmp_path, FakeEngine([])), chat(messages=(), prompt=(1, 10**9)))


async def test_a_middle_is_filled_in_with_the_models_own_tokens(tmp_path: Path) -> None:
    names = ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")
    tokenizer = make_tokenizer(tmp_path, extra=names)
    engine = FakeEngine(script(tokenizer, "b"))
    await gather(make_model(tmp_path, engine, extra=names), chat(messages=(), prompt="a", suffix="c"))
    sent = b"".join(map(tokenizer.token_bytes, engine.requests[0].prompt)).decode()
    assert sent == "<｜fim▁begin｜>a<｜fim▁hole｜>c<｜fim▁end｜>"


async def test_a_model_without_such_tokens_refuses_a_suffix(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        await gather(make_model(tmp_path, FakeEngine([])), chat(messages=(), prompt="a", suffix="c"))
    assert caught.value.param == "suffix"


async def test_what_cannot_go_together_is_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path, FakeEngine([]))
    with pytest.raises(UnsupportedParameter):
        await gather(model, chat(tools=TOOLS, response_format=ResponseFormat("json_object")))
    with pytest.raises(InvalidParameter):
        await gather(model, chat(messages=(Message("user", "\ud800"),)))
    with pytest.raises(UnsupportedParameter):
        await model.embed(EmbedRequest("1", "m", ("a",)))


async def test_closing_the_model_closes_its_engine(tmp_path: Path) -> None:
    engine = FakeEngine([])
    model = make_model(tmp_path, engine)
    await model.close()
    await model.close()
    assert engine.shut
    assert (await model.models())[0].id == "m"


@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=1e-300), Sampling(top_p=0.0), Sampling(top_p=1e-300), Sampling(min_p=1.0)]
)
async def test_sampling_that_leaves_one_token_is_greedy(tmp_path: Path, sampling: Sampling) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "a"))
    await gather(make_model(tmp_path, engine), chat(sampling=sampling))
    asked = engine.requests[0]
    assert (asked.temperature, asked.top_p, asked.min_p) == (0.0, 1.0, 0.0)


async def test_deeply_nested_arguments_of_a_call_are_text(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    engine = FakeEngine(script(tokenizer, "a"), context_length=100_000)
    source = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
    call = Message("assistant", "", tool_calls=(ToolCall("c", "f", "[" * 20_000 + "]" * 20_000),))
    await gather(make_model(tmp_path, engine, template=source), chat(messages=(*USER, call, *USER)))
    assert len(engine.requests[0].prompt) >= 40_000
