"""What a chat body says arrives in the canonical request."""

from __future__ import annotations

import msgspec
import pytest

from seekway.core.types import (
    FilePart,
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
from seekway.gateway.dialects.openai_chat import Delivery, read_chat

Json = dict[str, object]


def read(**fields: object):
    body: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return read_chat(msgspec.json.encode(body), "id-1")


def test_every_field_has_its_place() -> None:
    function: Json = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    request, delivery = read(
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
        top_k=-1,
        min_p=0.1,
        frequency_penalty=1,
        presence_penalty=-1,
        stop=["a", "b"],
        seed=7,
        logprobs=True,
        top_logprobs=3,
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        stream=True,
        stream_options={"include_usage": True},
        user_id="u",
        user="other",
    )
    assert request.sampling == Sampling(0.5, 0.9, 0, 0.1, 1, -1, 5, ("a", "b"), 7, 3)
    assert request.tools == (Tool("f", "d", {"type": "object"}),)
    assert request.tool_choice == ToolChoice("named", "f")
    assert (request.id, request.user_id, request.extra) == ("id-1", "u", {})
    assert delivery == Delivery(True, True)


def test_messages_keep_everything() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
        {"type": "file", "file": {"file_id": "f1"}},
    ]
    request, _ = read(
        messages=[
            {"role": "developer", "content": "s"},
            {"role": "user", "content": parts, "name": "n"},
            {"role": "assistant", "content": None, "reasoning_content": "r", "tool_calls": [call]},
            {"role": "tool", "content": "1", "tool_call_id": "c"},
            {"role": "assistant", "content": "p", "prefix": True},
        ]
    )
    assert request.messages == (
        Message("system", "s"),
        Message("user", (TextPart("a"), ImagePart("data:x", "low"), FilePart("f1")), name="n"),
        Message("assistant", "", reasoning="r", tool_calls=(ToolCall("c", "f", "{}"),)),
        Message("tool", "1", tool_call_id="c"),
        Message("assistant", "p", prefix=True),
    )


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, Thinking()),
        ({"thinking": {"type": "enabled"}}, Thinking(True)),
        ({"thinking": {"type": "disabled"}, "enable_thinking": True}, Thinking(False)),
        ({"enable_thinking": False}, Thinking(False)),
        ({"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}, Thinking(True)),
        ({"reasoning_effort": "none"}, Thinking(False, "none")),
        ({"reasoning_effort": "minimal"}, Thinking(None, "low")),
        ({"reasoning_effort": "medium"}, Thinking(None, "high")),
        ({"reasoning_effort": "xhigh"}, Thinking(None, "high")),
        ({"reasoning_effort": "ultra"}, Thinking(None, "max")),
    ],
)
def test_every_spelling_of_thinking_is_one_switch(fields: Json, thinking: Thinking) -> None:
    request, _ = read(**fields)
    assert request.thinking == thinking
    assert request.extra == {}


def test_unknown_fields_are_kept() -> None:
    request, _ = read(chat_template_kwargs={"thinking": True, "a": 1}, logit_bias={"1": 2}, web_search=True)
    assert request.extra == {"chat_template_kwargs": {"a": 1}, "logit_bias": {"1": 2}, "web_search": True}


def test_response_formats() -> None:
    schema = {"type": "object"}
    request, _ = read(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})
    assert request.response_format == ResponseFormat("json_schema", schema, "n")
    spoken, _ = read(response_format={"type": "json_object"}, messages=[{"role": "user", "content": "as JSON"}])
    assert spoken.response_format == ResponseFormat("json_object")


def test_logprobs_alone_asks_for_the_chosen_token() -> None:
    assert read(logprobs=True)[0].sampling.top_logprobs == 0
    assert read(logprobs=False)[0].sampling.top_logprobs is None


def test_a_byte_order_mark_is_tolerated() -> None:
    request, _ = read_chat(b'\xef\xbb\xbf{"model":"m","messages":[{"role":"user","content":""}]}', "1")
    assert request.model == "m"


def test_a_strict_tool_with_a_closed_schema_is_taken() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/b"}]},
            "c": {"type": "array", "items": {"enum": [1]}},
        },
        "required": ["a", "c"],
        "additionalProperties": False,
        "$defs": {"b": {"type": ["number", "null"]}},
    }
    request, _ = read(tools=[{"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}])
    assert request.tools[0].strict
