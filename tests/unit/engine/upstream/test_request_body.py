"""The canonical request reaches each kind of server in that server's words."""

from __future__ import annotations

from typing import Any

import pytest

from seekway.core.errors import InvalidRequest, UnsupportedParameter
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import (
    FilePart,
    GenerateRequest,
    ImagePart,
    Message,
    ResponseFormat,
    Sampling,
    TextPart,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
)
from seekway.engine.upstream.request_body import beta_address, generate_request

DEEPSEEK = BackendSettings("cloud", "https://api.deepseek.com/", kind="deepseek")
VLLM = BackendSettings("vllm", "http://127.0.0.1:8000/v1")
OPENAI = BackendSettings("openai", "https://api.openai.com/v1")
ASK = (Message("user", "hi"),)


def body(settings: BackendSettings = VLLM, **members: Any) -> dict[str, Any]:
    members.setdefault("messages", ASK)
    return generate_request(GenerateRequest("r", "m", **members), settings).body


def url(settings: BackendSettings, **members: Any) -> str:
    return generate_request(GenerateRequest("r", "m", **members), settings).url


def test_the_least_request_says_no_more_than_asked() -> None:
    assert body() == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_every_sampling_parameter_is_sent_also_when_zero() -> None:
    sampling = Sampling(0.0, 0.0, 0, 0.0, 0.0, 0.0, 5, ("a", "b"), 0, 3)
    assert body(sampling=sampling).items() >= {
        "temperature": 0.0, "top_p": 0.0, "top_k": 0, "min_p": 0.0, "frequency_penalty": 0.0, "presence_penalty": 0.0,
        "max_tokens": 5, "stop": ["a", "b"], "seed": 0, "logprobs": True, "top_logprobs": 3,
    }.items()  # fmt: skip


def test_the_chosen_tokens_logprobs_alone_ask_for_no_others() -> None:
    asked = body(sampling=Sampling(top_logprobs=0))
    assert asked["logprobs"] is True
    assert "top_logprobs" not in asked
    assert body(messages=(), prompt="p", sampling=Sampling(top_logprobs=2))["logprobs"] == 2


def test_the_token_limit_goes_by_the_servers_name_for_it() -> None:
    sampling = Sampling(max_tokens=5)
    assert body(DEEPSEEK, sampling=sampling)["max_tokens"] == 5
    asked = body(OPENAI, sampling=sampling)
    assert (asked["max_completion_tokens"], "max_tokens" in asked) == (5, False)
    own = body(sampling=sampling, extra={"max_completion_tokens": 9})
    assert (own["max_completion_tokens"], "max_tokens" in own) == (9, False)


def test_extra_parameters_pass_untouched_and_take_nothing_over() -> None:
    extra = {"repetition_penalty": 1.1, "deep": {"a": [None]}, "model": "other", "stream": False}
    asked = body(extra=extra)
    assert (asked["repetition_penalty"], asked["deep"]) == (1.1, {"a": [None]})
    assert (asked["model"], asked["stream"]) == ("m", True)
    assert extra["stream"] is False


def test_stream_options_are_kept_and_usage_always_asked_for() -> None:
    asked = body(extra={"stream_options": {"include_usage": False, "continuous_usage_stats": True}})
    assert asked["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


def test_thinking_in_each_servers_words() -> None:
    thinking = Thinking(True, "max")
    deepseek = body(DEEPSEEK, thinking=thinking)
    assert (deepseek["thinking"], deepseek["reasoning_effort"]) == ({"type": "enabled"}, "max")
    assert body(DEEPSEEK, thinking=Thinking(False))["thinking"] == {"type": "disabled"}
    vllm = body(thinking=thinking, extra={"chat_template_kwargs": {"thinking": False, "x": 1}})
    assert vllm["chat_template_kwargs"] == {"thinking": False, "enable_thinking": True, "x": 1}
    assert (vllm["reasoning_effort"], "thinking" in vllm) == ("high", False)
    assert not body(OPENAI, thinking=thinking).keys() & {"thinking", "chat_template_kwargs"}
    assert not body(thinking=Thinking()).keys() & {"thinking", "chat_template_kwargs", "reasoning_effort"}


def test_the_user_goes_by_the_servers_name() -> None:
    assert body(DEEPSEEK, user_id="u")["user_id"] == "u"
    assert body(user_id="u")["user"] == "u"


@pytest.mark.parametrize(
    "base", ["https://api.deepseek.com", "https://api.deepseek.com/v1/", "https://api.deepseek.com/beta"]
)
def test_the_beta_address_is_found_from_every_base(base: str) -> None:
    assert beta_address(base) == "https://api.deepseek.com/beta"


def test_deepseeks_beta_features_go_to_its_beta_address() -> None:
    beta = "https://api.deepseek.com/beta"
    prefix = (*ASK, Message("assistant", "Sure", reasoning="hm", prefix=True))
    assert url(DEEPSEEK, messages=ASK) == "https://api.deepseek.com/chat/completions"
    assert url(DEEPSEEK, messages=prefix) == f"{beta}/chat/completions"
    assert url(DEEPSEEK, messages=ASK, tools=(Tool("f", strict=True),)) == f"{beta}/chat/completions"
    assert url(DEEPSEEK, messages=ASK, tools=(Tool("f"),)) == "https://api.deepseek.com/chat/completions"
    assert url(DEEPSEEK, prompt="a", suffix="b") == f"{beta}/completions"
    assert url(VLLM, prompt="a", suffix="b") == "http://127.0.0.1:8000/v1/completions"


def test_a_prefix_is_continued_where_the_server_can() -> None:
    prefix = (*ASK, Message("assistant", "Sure", reasoning="hm", prefix=True))
    asked = body(DEEPSEEK, messages=prefix)
    assert asked["messages"][-1] == {
        "role": "assistant", "content": "Sure", "reasoning_content": "hm", "prefix": True,
    }  # fmt: skip
    assert "continue_final_message" not in asked
    vllm = body(messages=prefix)
    assert (vllm["continue_final_message"], vllm["add_generation_prompt"]) == (True, False)
    with pytest.raises(UnsupportedParameter):
        body(OPENAI, messages=prefix)


def test_fill_in_the_middle_carries_prompt_suffix_and_echo() -> None:
    asked = body(DEEPSEEK, messages=(), prompt="a", suffix="b", echo=True)
    assert (asked["prompt"], asked["suffix"], asked["echo"]) == ("a", "b", True)
    assert body(messages=(), prompt=(1, 2))["prompt"] == [1, 2]
    with pytest.raises(UnsupportedParameter):
        body(DEEPSEEK, messages=(), prompt=(1, 2))


def test_a_whole_tool_conversation_is_told() -> None:
    tool = Tool("add", "adds", {"type": "object"}, strict=True)
    asked = body(
        messages=(
            Message("user", (TextPart("look"), ImagePart("data:x", "low"), FilePart(file_id="f"))),
            Message("assistant", tool_calls=(ToolCall("c1", "add", '{"a":1}'),)),
            Message("tool", "3", tool_call_id="c1", name="add"),
        ),
        tools=(tool,),
        tool_choice=ToolChoice("named", "add"),
    )
    function = {"name": "add", "description": "adds", "parameters": {"type": "object"}, "strict": True}
    assert asked["tools"] == [{"type": "function", "function": function}]
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert asked["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
                {"type": "file", "file": {"file_id": "f"}},
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "content": "3", "name": "add", "tool_call_id": "c1"},
    ]
    assert body(tools=(tool,), tool_choice=ToolChoice("required"))["tool_choice"] == "required"


def test_response_formats() -> None:
    assert body(response_format=ResponseFormat("json_object"))["response_format"] == {"type": "json_object"}
    schema = ResponseFormat("json_schema", {"type": "object"}, "point", strict=True)
    assert body(response_format=schema)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "point", "schema": {"type": "object"}, "strict": True},
    }


def test_what_cannot_be_answered_is_refused_before_it_is_sent() -> None:
    with pytest.raises(UnsupportedParameter):
        body(extra={"n": 2})
    with pytest.raises(InvalidRequest):
        body(messages=())
