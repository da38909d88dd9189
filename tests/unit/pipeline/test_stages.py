"""Each stage changes what it says and nothing else."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from seekway.core.errors import InvalidRequest
from seekway.core.types import GenerateRequest, Message, Sampling, Thinking, Tool, ToolCall, ToolChoice
from seekway.observability.record import RequestRecord
from seekway.pipeline.directory import BackendKind, Member, Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.stages.apply_defaults import ApplyDefaults
from seekway.pipeline.stages.prune_reasoning import PruneReasoning
from seekway.pipeline.stages.thinking_rules import ThinkingRules
from tests.fakes.backend import FakeBackend, model_info

USER = Message("user", "hi")


def exchange(*, thinks: bool = True, kind: BackendKind = "local", context: int = 0) -> Exchange:
    capabilities = ("chat", "reasoning") if thinks else ("chat",)
    info = msgspec.structs.replace(model_info("m"), capabilities=capabilities, context_length=context)
    return Exchange(RequestRecord("r"), route=Route(Member("b", FakeBackend(), kind), info, "m"))


def ask(
    *messages: Message,
    thinking: Thinking | None = None,
    sampling: Sampling | None = None,
    tools: tuple[Tool, ...] = (),
    choice: Literal["auto", "required"] = "auto",
) -> GenerateRequest:
    return GenerateRequest(
        "1",
        "m",
        messages or (USER,),
        sampling=sampling or Sampling(),
        thinking=thinking or Thinking(),
        tools=tools,
        tool_choice=ToolChoice(choice),
    )


@pytest.mark.parametrize(
    ("thinking", "thinks", "context", "asked", "given"),
    [
        (Thinking(), False, 0, None, 8192),
        (Thinking(True), False, 0, None, 8192),
        (Thinking(), True, 0, None, 65536),
        (Thinking(False), True, 0, None, 8192),
        (Thinking(True, "max"), True, 0, None, 131072),
        (Thinking(), True, 4096, None, 4096),
        (Thinking(), True, 4096, 9999, 4096),
        (Thinking(), True, 4096, 5, 5),
    ],
)
def test_output_has_deepseeks_length_within_the_context(
    thinking: Thinking, thinks: bool, context: int, asked: int | None, given: int
) -> None:
    request = ask(thinking=thinking, sampling=Sampling(max_tokens=asked))
    done = ApplyDefaults()(request, exchange(thinks=thinks, context=context))
    assert done.sampling.max_tokens == given


@pytest.mark.parametrize("kind", ["openai", "deepseek"])
def test_other_servers_keep_their_own_defaults(kind: BackendKind) -> None:
    request = ask()
    assert ApplyDefaults()(request, exchange(kind=kind, context=4096)) is request


def test_temperature_is_ignored_while_thinking_was_asked_for() -> None:
    request = ask(thinking=Thinking(True), sampling=Sampling(temperature=0.2, top_p=0.5, seed=1))
    done = ThinkingRules()(request, exchange())
    assert done.sampling == Sampling(temperature=None, top_p=0.95, seed=1)
    for thinking, where in (
        (Thinking(), exchange()),
        (Thinking(False), exchange()),
        (Thinking(True), exchange(thinks=False)),
        (Thinking(True), exchange(kind="deepseek")),
    ):
        untouched = ask(thinking=thinking, sampling=request.sampling)
        assert ThinkingRules()(untouched, where) is untouched


def test_a_forced_tool_while_thinking_is_refused() -> None:
    forced = ask(thinking=Thinking(True), tools=(Tool("f"),), choice="required")
    with pytest.raises(InvalidRequest, match="tool_choice"):
        ThinkingRules()(forced, exchange())
    assert ThinkingRules()(forced, exchange(thinks=False)) is forced


def test_earlier_reasoning_is_dropped_without_tools() -> None:
    thought = Message("assistant", "a", reasoning="hm")
    continued = Message("assistant", "b", reasoning="so", prefix=True)
    done = PruneReasoning()(ask(USER, thought, USER, continued), exchange())
    assert [message.reasoning for message in done.messages] == [None, None, None, "so"]


def test_earlier_reasoning_is_kept_with_tools() -> None:
    thought = Message("assistant", "a", reasoning="hm")
    request = ask(USER, thought, USER, tools=(Tool("f"),))
    assert PruneReasoning()(request, exchange()) is request


def test_deepseeks_cloud_must_get_reasoning_back_with_tools() -> None:
    called = Message("assistant", "", tool_calls=(ToolCall("c", "f", "{}"),))
    request = ask(USER, called, Message("tool", "1", tool_call_id="c"))
    with pytest.raises(InvalidRequest, match="`reasoning_content` in the thinking mode must be passed back") as refused:
        PruneReasoning()(request, exchange(kind="deepseek"))
    assert (refused.value.type, refused.value.code) == ("invalid_request_error", "invalid_request_error")
    assert PruneReasoning()(request, exchange()) is request
    silent = ask(*request.messages, thinking=Thinking(False))
    assert PruneReasoning()(silent, exchange(kind="deepseek")) is silent
