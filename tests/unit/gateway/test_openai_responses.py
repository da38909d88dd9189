"""What a body of ``POST /responses`` says arrives in the canonical request, and what cannot be served is refused by name."""

from __future__ import annotations

import contextlib
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import RequestError, SeekwayError
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
from seekway.gateway.dialects.openai_responses import ResponsesDelivery, read_response_request
from seekway.gateway.dialects.openai_responses_namespaces import flat_name
from seekway.gateway.dialects.openai_responses_reasoning import unwrap, wrap

Json = dict[str, object]
FUNCTION: Json = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
OTHER: Json = {"type": "function", "name": "g"}
CALL: Json = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c1", "output": "18 C"}
AGENTS: Json = {
    "type": "namespace",
    "name": "agents",
    "description": "Other agents.",
    "tools": [{**FUNCTION, "name": "spawn"}, {"type": "function", "name": "wait"}],
}
USER: Json = {"role": "user", "content": "hi"}


def read(**fields: object) -> tuple[GenerateRequest, ResponsesDelivery]:
    return read_response_request(msgspec.json.encode({"model": "m", "input": "hi", **fields}), "resp_1")


def as_json(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))


def messages(*items: Json, **fields: object) -> tuple[Message, ...]:
    return read(input=items, **fields)[0].messages


def test_every_field_has_its_place() -> None:
    request, delivery = read(
        instructions="Be brief.",
        stream=True,
        stream_options={"include_obfuscation": False},
        store=True,
        include=["reasoning.encrypted_content", "message.output_text.logprobs"],
        reasoning={"effort": "medium", "summary": "auto"},
        text={"format": {"type": "text"}, "verbosity": "low"},
        tools=[FUNCTION],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        max_tool_calls=3,
        max_output_tokens=5,
        temperature=0.5,
        top_p=0.9,
        top_logprobs=2,
        truncation="auto",
        metadata={"a": "b"},
        safety_identifier="s",
        user="u",
        prompt_cache_key="p",
        background=False,
        previous_response_id=None,
        something_new=[1],
    )
    assert request.messages == (Message("system", "Be brief."), Message("user", "hi"))
    assert request.sampling == Sampling(temperature=0.5, top_p=0.9, max_tokens=5, top_logprobs=2)
    assert request.tools == (Tool("f", "d", {"type": "object"}),)
    assert request.tool_choice == ToolChoice("named", "f")
    assert request.thinking == Thinking(None, "high")
    assert (request.id, request.user_id, request.stream) == ("resp_1", "s", True)
    assert request.extra == {
        "parallel_tool_calls": False,
        "prompt_cache_key": "p",
        "verbosity": "low",
        "something_new": [1],
    }
    assert (delivery.stream, delivery.encrypted_reasoning) == (True, True)
    assert as_json(delivery.echo) == {
        "background": False,
        "instructions": "Be brief.",
        "max_output_tokens": 5,
        "max_tool_calls": 3,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "prompt_cache_key": "p",
        "reasoning": {"effort": "medium", "summary": None},
        "safety_identifier": "s",
        "store": False,
        "temperature": 0.5,
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [{**FUNCTION, "strict": False}],
        "top_logprobs": 2,
        "top_p": 0.9,
        "truncation": "disabled",
        "user": "u",
    }


def test_chats_parameters_are_taken_too() -> None:
    request, _ = read(top_k=-1, min_p=0.1, frequency_penalty=1, presence_penalty=-1, stop="x", seed=7)
    assert request.sampling == Sampling(
        top_k=0, min_p=0.1, frequency_penalty=1, presence_penalty=-1, stop=("x",), seed=7
    )
    assert request.stream is False


def test_a_text_is_a_users_message() -> None:
    assert read()[0].messages == (Message("user", "hi"),)
    assert read(input=None, instructions="Go.")[0].messages == (Message("system", "Go."),)


def test_messages_of_every_role_and_part() -> None:
    assert messages(
        {"role": "developer", "content": "a"},
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "b"}]},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "c"},
                {"type": "input_image", "image_url": "http://i", "detail": "low"},
                {"type": "input_file", "file_id": "f1", "filename": "n"},
            ],
        },
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "d", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
    ) == (
        Message("system", "a"),
        Message("system", "b"),
        Message("user", (TextPart("c"), ImagePart("http://i", "low"), FilePart("f1", None, "n"))),
        Message("assistant", "dno"),
    )


def reasoning(text: str) -> Json:
    return {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}


def said(text: str) -> Json:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0)])
def test_the_items_of_one_turn_are_one_assistant_message(order: tuple[int, ...]) -> None:
    items = [reasoning("hm"), said("Wait."), CALL]
    expected = Message("assistant", "Wait.", reasoning="hm", tool_calls=(ToolCall("c1", "f", "{}"),))
    assert messages(USER, *(items[i] for i in order), OUTPUT) == (
        Message("user", "hi"),
        expected,
        Message("tool", "18 C", tool_call_id="c1"),
    )


def test_turns_stay_apart() -> None:
    second = {**CALL, "call_id": "c2"}
    assert messages(reasoning("a"), CALL, OUTPUT, second, {**OUTPUT, "call_id": "c2"}, said("x"), said("y")) == (
        Message("assistant", "", reasoning="a", tool_calls=(ToolCall("c1", "f", "{}"),)),
        Message("tool", "18 C", tool_call_id="c1"),
        Message("assistant", "", tool_calls=(ToolCall("c2", "f", "{}"),)),
        Message("tool", "18 C", tool_call_id="c2"),
        Message("assistant", "x"),
        Message("assistant", "y"),
    )
    assert messages(reasoning("a"), said("x"), reasoning("b"), said("y")) == (
        Message("assistant", "x", reasoning="a"),
        Message("assistant", "y", reasoning="b"),
    )


def test_reasoning_comes_back_by_content_or_by_what_was_wrapped() -> None:
    wrapped: Json = {"type": "reasoning", "summary": [], "encrypted_content": wrap("hm")}
    assert messages(wrapped, said("x"))[0].reasoning == "hm"
    assert messages({**wrapped, "content": None}, said("x"))[0].reasoning == "hm"
    assert messages({**reasoning("own"), "encrypted_content": "another server's"}, said("x"))[0].reasoning == "own"


def test_a_summary_is_no_reasoning_and_reasoning_alone_is_no_answer() -> None:
    summary: Json = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "s"}]}
    assert messages(summary, said("x")) == (Message("assistant", "x"),)
    assert messages(reasoning("a"), USER) == (Message("user", "hi"),)


def test_a_functions_output_may_come_in_parts() -> None:
    parts = [{"type": "input_text", "text": "18"}, {"type": "input_text", "text": " C"}]
    assert messages(CALL, {**OUTPUT, "output": parts})[1] == Message("tool", "18 C", tool_call_id="c1")


@given(st.text())
def test_wrapped_reasoning_unwraps(text: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    assert unwrap(wrap(text)) == text


@pytest.mark.parametrize("foreign", ["", "gAAAAA", "seekway-reasoning-1.%", "seekway-reasoning-1.gA==", "é"])
def test_what_was_not_wrapped_here_does_not_unwrap(foreign: str) -> None:
    assert unwrap(foreign) is None


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, Thinking()),
        ({"reasoning": {}}, Thinking()),
        ({"reasoning": {"effort": None}}, Thinking()),
        ({"reasoning": {"effort": "none"}}, Thinking(False, "none")),
        ({"reasoning": {"effort": "minimal"}}, Thinking(None, "low")),
        ({"reasoning": {"effort": "xhigh"}}, Thinking(None, "high")),
        ({"reasoning": {"effort": "max"}, "thinking": {"type": "enabled"}}, Thinking(True, "max")),
        ({"thinking": {"type": "disabled"}}, Thinking(False, None)),
    ],
)
def test_effort_is_thinking(fields: Json, thinking: Thinking) -> None:
    assert read(**fields)[0].thinking == thinking


def test_formats() -> None:
    schema: Json = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    wanted: Json = {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    request, delivery = read(text={"format": wanted})
    assert request.response_format == ResponseFormat("json_schema", schema, "n", True)
    assert as_json(delivery.echo.text) == {"format": wanted}
    request, _ = read(input="as JSON", text={"format": {"type": "json_object"}})
    assert request.response_format == ResponseFormat("json_object")
    request, delivery = read(text={})
    assert request.response_format == ResponseFormat()
    assert as_json(delivery.echo.text) == {"format": {"type": "text"}}


@pytest.mark.parametrize(
    ("choice", "expected", "tools"),
    [
        (None, ToolChoice(), "fg"),
        ("none", ToolChoice("none"), "fg"),
        ("required", ToolChoice("required"), "fg"),
        ({"type": "function", "name": "g"}, ToolChoice("named", "g"), "fg"),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]},
            ToolChoice("required"),
            "g",
        ),
    ],
)
def test_tool_choices(choice: object, expected: ToolChoice, tools: str) -> None:
    request, delivery = read(tools=[FUNCTION, OTHER], tool_choice=choice)
    assert request.tool_choice == expected
    assert "".join(tool.name for tool in request.tools) == tools
    assert [tool.name for tool in delivery.echo.tools] == ["f", "g"]
    assert as_json(delivery.echo.tool_choice) == (choice or "auto")


@pytest.mark.parametrize(
    ("fields", "top"),
    [
        ({}, None),
        ({"top_logprobs": 0}, None),
        ({"top_logprobs": 3}, 3),
        ({"include": ["message.output_text.logprobs"]}, 0),
    ],
)
def test_logprobs(fields: Json, top: int | None) -> None:
    assert read(**fields)[0].sampling.top_logprobs == top


ITEMS_MISSING = [{"type": "function_call", "call_id": "c", "name": "f"}]
BAD: list[tuple[str, Json, int, str, str | None]] = [
    ("no model", {"model": ""}, 422, "invalid_parameter", "model"),
    ("no input", {"input": None}, 422, "invalid_parameter", "input"),
    ("no items", {"input": []}, 422, "invalid_parameter", "input"),
    ("input of a wrong type", {"input": 3}, 422, "invalid_parameter", "input"),
    ("previous response", {"previous_response_id": "resp_0"}, 400, "unsupported_parameter", "previous_response_id"),
    ("conversation", {"conversation": "conv_1"}, 400, "unsupported_parameter", "conversation"),
    ("conversation object", {"conversation": {"id": "c"}}, 400, "unsupported_parameter", "conversation"),
    ("background", {"background": True}, 400, "unsupported_parameter", "background"),
    ("stored prompt", {"prompt": {"id": "pmpt"}}, 400, "unsupported_parameter", "prompt"),
    ("compaction", {"context_management": [{"type": "c"}]}, 400, "unsupported_parameter", "context_management"),
    ("moderation", {"moderation": {"model": "m"}}, 400, "unsupported_parameter", "moderation"),
    ("chat's messages", {"messages": []}, 400, "unsupported_parameter", "messages"),
    ("chat's limit", {"max_tokens": 4}, 400, "unsupported_parameter", "max_tokens"),
    ("chat's format", {"response_format": {}}, 400, "unsupported_parameter", "response_format"),
    ("web search", {"tools": [{"type": "web_search"}]}, 400, "unsupported_parameter", "tools[0].type"),
    ("mcp", {"tools": [FUNCTION, {"type": "mcp", "server_label": "s"}]}, 400, "unsupported_parameter", "tools[1].type"),
    ("custom tool", {"tools": [{"type": "custom", "name": "c"}]}, 400, "unsupported_parameter", "tools[0].type"),
    ("nested function", {"tools": [{"type": "function", "function": {"name": "f"}}]}, 422, "invalid_parameter", "tools[0].name"),
    ("bad name", {"tools": [{"type": "function", "name": "a b"}]}, 422, "invalid_parameter", "tools[0].name"),
    ("two of one name", {"tools": [FUNCTION, FUNCTION]}, 400, "invalid_request_error", "tools[1].name"),
    ("bad parameters", {"tools": [{**OTHER, "parameters": {"type": "array"}}]}, 400, "invalid_request_error", "tools[0].parameters"),
    ("loose strict tool", {"tools": [{**FUNCTION, "strict": True}]}, 400, "invalid_request_error", "tools[0].parameters"),
    ("mixed strictness", {"tools": [FUNCTION, {**OTHER, "strict": True}]}, 400, "invalid_request_error", "tools"),
    ("too many tools", {"tools": [FUNCTION] * 129}, 422, "invalid_parameter", "tools"),
    ("required of none", {"tool_choice": "required"}, 400, "invalid_request_error", "tool_choice"),
    ("unknown choice", {"tool_choice": "maybe"}, 422, "invalid_parameter", "tool_choice"),
    ("nameless choice", {"tool_choice": {"type": "function"}}, 422, "invalid_parameter", "tool_choice.name"),
    ("choice of none of them", {"tool_choice": {"type": "function", "name": "f"}}, 400, "invalid_request_error", "tool_choice"),
    ("choice of a built-in tool", {"tool_choice": {"type": "file_search"}}, 400, "unsupported_parameter", "tool_choice.type"),
    ("allowed without mode", {"tool_choice": {"type": "allowed_tools"}}, 422, "invalid_parameter", "tool_choice.mode"),
    ("allowed without tools", {"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, 422, "invalid_parameter", "tool_choice.tools"),
    (
        "allowed built-in",
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}},
        400,
        "unsupported_parameter",
        "tool_choice.tools[0].type",
    ),
    ("no schema", {"text": {"format": {"type": "json_schema", "name": "n"}}}, 422, "invalid_parameter", "text.format.schema"),
    ("unknown format", {"text": {"format": {"type": "xml"}}}, 422, "invalid_parameter", "text.format.type"),
    ("JSON unsaid", {"text": {"format": {"type": "json_object"}}}, 400, "invalid_request_error", "text.format"),
    (
        "loose strict schema",
        {"text": {"format": {"type": "json_schema", "schema": {"type": "object"}, "strict": True}}},
        400,
        "invalid_request_error",
        "text.format.schema",
    ),
    ("unknown effort", {"reasoning": {"effort": "much"}}, 422, "invalid_parameter", "reasoning.effort"),
    ("unknown include", {"include": ["everything"]}, 422, "invalid_parameter", "include[0]"),
    ("hot", {"temperature": 3}, 422, "invalid_parameter", "temperature"),
    ("no tokens", {"max_output_tokens": 0}, 422, "invalid_parameter", "max_output_tokens"),
    ("too many logprobs", {"top_logprobs": 21}, 422, "invalid_parameter", "top_logprobs"),
    ("metadata of numbers", {"metadata": {"a": 1}}, 422, "invalid_parameter", "metadata[...]"),
    ("unknown truncation", {"truncation": "some"}, 422, "invalid_parameter", "truncation"),
    ("long user", {"user": "u" * 513}, 422, "invalid_parameter", "user"),
    ("long identifier", {"safety_identifier": "u" * 513}, 422, "invalid_parameter", "safety_identifier"),
    (
        "thinking and none",
        {"thinking": {"type": "enabled"}, "reasoning": {"effort": "none"}},
        400,
        "invalid_request_error",
        "reasoning.effort",
    ),
    ("no role", {"input": [{"content": "x"}]}, 422, "invalid_parameter", "input[0].role"),
    ("unknown role", {"input": [{"role": "tool", "content": "x"}]}, 422, "invalid_parameter", "input[0].role"),
    ("no content", {"input": [USER, {"role": "user"}]}, 422, "invalid_parameter", "input[1].content"),
    ("no parts", {"input": [{"role": "user", "content": []}]}, 422, "invalid_parameter", "input[0].content"),
    ("chat's part", {"input": [{"role": "user", "content": [{"type": "image_url"}]}]}, 422, "invalid_parameter", "input[0].content[0].type"),
    ("part without text", {"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, 422, "invalid_parameter", "input[0].content[0].text"),
    ("image without address", {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, 422, "invalid_parameter", "input[0].content[0].image_url"),
    ("file by address", {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "f"}]}]}, 400, "unsupported_parameter", "input[0].content[0].file_url"),
    ("file of nothing", {"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, 422, "invalid_parameter", "input[0].content[0]"),
    ("image of the assistant", {"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": "x"}]}]}, 400, "invalid_request_error", "input[0].content[0]"),
    ("too many images", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}] * 601}]}, 400, "invalid_request_error", "input"),
    ("call without arguments", {"input": ITEMS_MISSING}, 422, "invalid_parameter", "input[0].arguments"),
    ("output of no call", {"input": [OUTPUT]}, 400, "invalid_request_error", "input[0].call_id"),
    ("output without id", {"input": [CALL, {"type": "function_call_output", "output": ""}]}, 422, "invalid_parameter", "input[1].call_id"),
    ("output of nothing", {"input": [CALL, {"type": "function_call_output", "call_id": "c1"}]}, 422, "invalid_parameter", "input[1].output"),
    ("image as output", {"input": [CALL, {**OUTPUT, "output": [{"type": "input_image", "image_url": "x"}]}]}, 400, "invalid_request_error", "input[1].output[0]"),
    ("reference", {"input": [{"type": "item_reference", "id": "msg_1"}]}, 400, "unsupported_parameter", "input[0]"),
    ("item of a built-in tool", {"input": [{"type": "web_search_call", "id": "w", "status": "completed"}]}, 400, "unsupported_parameter", "input[0].type"),
    (
        "another server's reasoning",
        {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAA"}]},
        400,
        "invalid_request_error",
        "input[0].encrypted_content",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "status", "code", "param"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_refused_by_name(fields: Json, status: int, code: str, param: str | None) -> None:
    with pytest.raises(SeekwayError) as caught:
        read(**fields)
    error = caught.value
    assert (error.status, error.code, error.param) == (status, code, param), error.message
    assert error.message.endswith(".")


@pytest.mark.parametrize("field", ["previous_response_id", "background", "conversation"])
def test_refused_state_says_to_send_the_items(field: str) -> None:
    with pytest.raises(SeekwayError, match="items"):
        read(**{field: True if field == "background" else "x"})


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 700) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "stop", "x")
)
ITEM = st.dictionaries(
    st.sampled_from(("type", "role", "content", "call_id", "name", "arguments", "output", "encrypted_content")),
    st.sampled_from(("message", "reasoning", "function_call", "function_call_output", "user", "assistant")) | JSONS,
)


@given(st.dictionaries(FIELDS, JSONS | st.lists(ITEM, max_size=4)))
def test_any_json_is_read_or_refused(fields: Json) -> None:
    try:
        body = msgspec.json.encode({"model": "m", "input": "hi"} | fields)
    except UnicodeEncodeError:
        return
    with contextlib.suppress(RequestError):
        request, _ = read_response_request(body, "r")
        assert request.messages


def test_the_functions_of_namespaces_stand_among_the_others() -> None:
    request, delivery = read(tools=[FUNCTION, AGENTS])
    assert [(tool.name, tool.description) for tool in request.tools] == [
        ("f", "d"),
        ("agents__spawn", "Other agents.\n\nd"),
        ("agents__wait", ""),
    ]
    assert delivery.namespaced == {"agents__spawn": ("agents", "spawn"), "agents__wait": ("agents", "wait")}
    (plain, group) = delivery.echo.tools
    assert as_json(plain)["name"] == "f"  # pyright: ignore[reportIndexIssue]
    inner: Json = {"strict": False, "parameters": {}, "description": None, "type": "function"}
    assert as_json(group) == {
        "type": "namespace",
        "name": "agents",
        "description": "Other agents.",
        "tools": [
            inner | {"name": "spawn", "description": "d", "parameters": {"type": "object"}},
            inner | {"name": "wait"},
        ],
    }


def test_a_call_that_is_sent_back_is_known_by_its_namespace() -> None:
    call: Json = {**CALL, "name": "wait", "namespace": "agents"}
    (_, said, _) = messages(USER, call, OUTPUT, tools=[AGENTS])
    assert said.tool_calls == (ToolCall("c1", "agents__wait", "{}"),)


def test_a_function_of_a_namespace_may_be_chosen() -> None:
    chosen: Json = {"type": "function", "name": "wait", "namespace": "agents"}
    request, delivery = read(tools=[AGENTS], tool_choice=chosen)
    assert request.tool_choice == ToolChoice("named", "agents__wait")
    assert as_json(delivery.echo.tool_choice) == chosen
    allowed: Json = {"type": "allowed_tools", "mode": "auto", "tools": [chosen]}
    request, delivery = read(tools=[AGENTS], tool_choice=allowed)
    assert [tool.name for tool in request.tools] == ["agents__wait"]
    assert as_json(delivery.echo.tool_choice) == allowed


@pytest.mark.parametrize(
    ("namespace", "name", "flat"),
    [
        ("crm", "list", "crm__list"),
        ("mcp__files__", "read", "mcp__files__read"),
        (None, "list", "list"),
    ],
)
def test_flat_names(namespace: str | None, name: str, flat: str) -> None:
    assert flat_name(namespace, name) == flat


@given(st.text(min_size=1), st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True), st.text(min_size=1))
def test_flat_names_are_names_and_apart_for_other_namespaces(one: str, name: str, other: str) -> None:
    flat = flat_name(one, name)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", flat)
    if f"{one}{name}".rstrip("_") != f"{other}{name}".rstrip("_") and one.rstrip("_") != other.rstrip("_"):
        assert flat_name(other, name) != flat


@pytest.mark.parametrize(
    ("tools", "code", "param"),
    [
        ([{**AGENTS, "tools": None}], "invalid_parameter", "tools[0].tools"),
        ([{**AGENTS, "name": None}], "invalid_parameter", "tools[0].name"),
        ([{**AGENTS, "tools": [{"type": "custom", "name": "x"}]}], "unsupported_parameter", "tools[0].tools[0].type"),
        ([AGENTS, AGENTS], "invalid_request_error", "tools[1].tools[0].name"),
        ([AGENTS, {"type": "function", "name": "agents__wait"}], "invalid_request_error", "tools[1].name"),
        ([{"type": "web_search"}], "unsupported_parameter", "tools[0].type"),
        ([{"type": "tool_search", "execution": "client"}], "unsupported_parameter", "tools[0].type"),
        ([{**AGENTS, "name": f"n{at}", "tools": [{"type": "function", "name": f"f{i}"} for i in range(100)]} for at in range(2)], "invalid_parameter", "tools"),
    ],
)  # fmt: skip
def test_namespaces_that_cannot_be_served_are_refused_by_name(tools: list[Json], code: str, param: str) -> None:
    with pytest.raises(SeekwayError) as caught:
        read(tools=tools)
    assert (caught.value.code, caught.value.param) == (code, param)
