"""What an Anthropic body says arrives in the canonical request, and what is wrong with it is said with its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seekway.core.errors import MalformedBody, RequestError
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
from seekway.gateway.dialects.anthropic_count_tokens import read_count_tokens
from seekway.gateway.dialects.anthropic_errors import anthropic_status, anthropic_type
from seekway.gateway.dialects.anthropic_messages import AnthropicDelivery, model_for, read_messages_request

Json = dict[str, Any]

ASK: Json = {"role": "user", "content": "hi"}
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Json = {"name": "f", "description": "d", "input_schema": SCHEMA}
CALL: Json = {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Köln", "n": 2**70}}


def read(**fields: object):
    body: Json = {"model": "m", "max_tokens": 9, "messages": [ASK], **fields}
    return read_messages_request(msgspec.json.encode(body), "msg_1")


def read_raw(**fields: str):
    body = {"model": '"m"', "max_tokens": "9", "messages": '[{"role":"user","content":"hi"}]', **fields}
    text = ",".join(f'"{name}":{value}' for name, value in body.items())
    return read_messages_request(f"{{{text}}}".encode(), "msg_1")


def messages(*turns: Json) -> tuple[Message, ...]:
    return read(messages=list(turns))[0].messages


def turn(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def test_every_field_has_its_place() -> None:
    request, delivery = read(
        temperature=1.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["a", "b"],
        stream=True,
        metadata={"user_id": "u"},
        tools=[TOOL],
        tool_choice={"type": "tool", "name": "f"},
        thinking={"type": "disabled"},
        output_config={"effort": "medium", "format": {"type": "json_schema", "schema": SCHEMA}},
    )
    assert request.sampling == Sampling(temperature=1.5, top_p=0.9, top_k=5, max_tokens=9, stop=("a", "b"))
    assert request.tools == (Tool("f", "d", SCHEMA),)
    assert request.tool_choice == ToolChoice("named", "f")
    assert request.thinking == Thinking(False, "high")
    assert request.response_format == ResponseFormat("json_schema", SCHEMA)
    assert (request.id, request.model, request.user_id, request.extra, request.stream) == ("msg_1", "m", "u", {}, True)
    assert delivery == AnthropicDelivery(True, True)


def test_what_is_not_said_is_left_to_the_model() -> None:
    request, delivery = read()
    assert request.sampling == Sampling(max_tokens=9)
    assert (request.thinking, request.tool_choice, request.tools) == (Thinking(), ToolChoice(), ())
    assert (request.stream, delivery) == (False, AnthropicDelivery())


def test_fields_that_deepseek_ignores_are_not_passed_on() -> None:
    request, _ = read(
        container="c",
        mcp_servers=[{"url": "x"}],
        service_tier="auto",
        cache_control={"type": "ephemeral"},
        betas=["b"],
        tools=[{**TOOL, "strict": True, "cache_control": {"type": "ephemeral"}, "type": "custom"}],
        messages=[turn("user", {**text("hi"), "cache_control": {"type": "ephemeral"}})],
        thinking={"type": "enabled", "budget_tokens": 2048},
    )
    assert request.extra == {}
    assert request.tools == (Tool("f", "d", SCHEMA),)
    assert request.messages == (Message("user", "hi"),)
    assert request.thinking == Thinking(True)


@pytest.mark.parametrize("system", ["be kind", [text("be"), text("kind")]])
def test_system_is_a_text_or_blocks(system: object) -> None:
    request, _ = read(system=system)
    assert request.messages[0].role == "system"
    assert str(request.messages[0].content).split() == ["be", "kind"]


@pytest.mark.parametrize("system", ["", [], None])
def test_an_empty_system_is_none(system: object) -> None:
    assert read(system=system)[0].messages == (Message("user", "hi"),)


def test_a_system_turn_stays_in_its_place() -> None:
    assert messages(ASK, {"role": "system", "content": "now"}, ASK) == (
        Message("user", "hi"),
        Message("system", "now"),
        Message("user", "hi"),
    )


def test_a_tools_round_trip() -> None:
    call, result, _ask = messages(
        turn("assistant", {"type": "thinking", "thinking": "hm", "signature": "s"}, text("look: "), CALL, text("!")),
        turn("user", {"type": "tool_result", "tool_use_id": "t1", "content": "18 C"}, text("well?")),
    )
    arguments = '{"city":"Köln","n":' + str(2**70) + "}"
    assert call == Message("assistant", "look: !", reasoning="hm", tool_calls=(ToolCall("t1", "f", arguments),))
    assert result == Message("tool", "18 C", tool_call_id="t1")
    assert _ask == Message("user", "well?")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (None, ""),
        ("x", "x"),
        ([], ""),
        ([text("a"), text("b")], "a\nb"),
    ],
)
@pytest.mark.parametrize("failed", [False, True])
def test_results_of_every_shape(content: object, wanted: str, failed: bool) -> None:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": failed}
    *_, result = messages(turn("assistant", CALL), turn("user", block))
    assert result == Message("tool", f"Error: {wanted}" if failed else wanted, tool_call_id="t1")


def test_several_results_come_before_what_is_said_beside_them() -> None:
    second = {**CALL, "id": "t2"}
    results = [{"type": "tool_result", "tool_use_id": name, "content": name} for name in ("t2", "t1")]
    found = messages(turn("assistant", CALL, second), turn("user", text("so"), *results))
    assert [(m.role, m.content) for m in found[1:]] == [("tool", "t2"), ("tool", "t1"), ("user", "so")]


def test_images_of_every_source() -> None:
    sources: list[Json] = [
        {"type": "base64", "media_type": "image/png", "data": "AA=="},
        {"type": "url", "url": "https://example.com/a.png"},
        {"type": "file", "file_id": "file_1"},
    ]
    (found,) = messages(turn("user", text("see"), *({"type": "image", "source": source} for source in sources)))
    assert found.content == (
        TextPart("see"),
        ImagePart("data:image/png;base64,AA=="),
        ImagePart("https://example.com/a.png"),
        FilePart("file_1"),
    )


def test_an_image_in_a_result_follows_it() -> None:
    image: Json = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    block: Json = {"type": "tool_result", "tool_use_id": "t1", "content": [text("a"), image]}
    found = messages(turn("assistant", CALL), turn("user", block, text("what is it?")))
    assert found[1] == Message("tool", "a\n[image]", tool_call_id="t1")
    assert found[2].content == (ImagePart("https://example.com/a.png"), TextPart("what is it?"))


def test_turns_of_one_role_are_one_turn() -> None:
    found = messages(ASK, turn("user", text("there")), {"role": "assistant", "content": "a"}, ASK)
    assert found[0].content == (TextPart("hi"), TextPart("there"))
    assert [m.role for m in found] == ["user", "assistant", "user"]


def test_a_last_assistant_turn_is_continued() -> None:
    found = messages(ASK, {"role": "assistant", "content": "The best answer is ("})
    assert found[-1] == Message("assistant", "The best answer is (", prefix=True)


def test_thoughts_come_back_and_redacted_ones_are_left_out() -> None:
    blocks: list[Json] = [
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "thinking", "thinking": "a", "signature": ""},
        {"type": "thinking", "thinking": "b"},
        text("c"),
    ]
    assert messages(turn("assistant", *blocks), ASK)[0] == Message("assistant", "c", reasoning="ab")
    assert messages(turn("assistant", blocks[0], text("c")), ASK)[0] == Message("assistant", "c")


@pytest.mark.parametrize(
    ("thinking", "choice", "wanted", "thinks"),
    [
        (None, None, ToolChoice(), None),
        (None, "auto", ToolChoice(), None),
        (None, "none", ToolChoice("none"), None),
        (None, "any", ToolChoice("required"), False),
        ("enabled", "any", ToolChoice("auto"), True),
        ("adaptive", "any", ToolChoice("auto"), None),
        ("disabled", "any", ToolChoice("required"), False),
        (None, "tool", ToolChoice("named", "f"), False),
        ("enabled", "tool", ToolChoice("named", "f"), True),
    ],
)
def test_tool_choices(thinking: str | None, choice: str | None, wanted: ToolChoice, thinks: bool | None) -> None:
    request, _ = read(
        tools=[TOOL],
        tool_choice=choice and {"type": choice, "name": "f"},
        thinking=thinking and {"type": thinking},
    )
    assert request.tool_choice == wanted
    assert request.thinking.enabled is thinks


def test_parallel_tools_can_be_forbidden() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert read(tools=[TOOL], tool_choice=choice)[0].extra == {"parallel_tool_calls": False}
    assert read(tool_choice=choice)[0].extra == {}


@pytest.mark.parametrize(
    ("effort", "wanted"), [("low", "low"), ("medium", "high"), ("high", "high"), ("xhigh", "high"), ("max", "max")]
)
def test_effort(effort: str, wanted: str) -> None:
    assert read(output_config={"effort": effort})[0].thinking.effort == wanted


def test_thoughts_can_be_kept_out_of_the_answer() -> None:
    assert not read(thinking={"type": "enabled", "display": "omitted"})[1].show_thinking


def test_claude_names_mean_deepseeks_models_unless_they_are_known() -> None:
    def nothing(_name: str) -> bool:
        return False

    assert model_for("claude-opus-4-5", nothing) == "deepseek-v4-pro"
    assert model_for("claude-haiku-4", nothing) == "deepseek-flash"
    assert model_for("qwen", nothing) == "qwen"
    assert model_for("claude-opus-4-5", lambda name: name == "claude-opus-4-5") == "claude-opus-4-5"


def test_a_count_reads_the_prompt_as_a_message_does() -> None:
    fields: Json = {"model": "m", "messages": [ASK], "system": "s", "tools": [TOOL], "thinking": {"type": "enabled"}}
    counted = read_count_tokens(msgspec.json.encode(fields), "msg_1")
    asked, _ = read(**fields)
    assert msgspec.structs.replace(asked, sampling=Sampling(), stream=True) == counted


BAD_SOURCE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "A"}}
BAD: list[tuple[Json, str]] = [
    ({"model": ""}, "model"),
    ({"model": 1}, "model"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "9"}, "max_tokens"),
    ({"max_tokens": 10**9}, "max_tokens"),
    ({"messages": []}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": [ASK, {"role": "tool", "content": "x"}]}, "messages[1].role"),
    ({"messages": [ASK, ASK, {"content": "x"}]}, "messages[2].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [ASK, turn("user", text("a"), {"type": "text"})]}, "messages[1].content[1].text"),
    ({"messages": [ASK, turn("user", text("a"), {"type": "text", "text": 1})]}, "messages[1].content[1].text"),
    ({"messages": [turn("user", {"text": "a"})]}, "messages[0].content[0].type"),
    ({"messages": [turn("user", {"type": "document", "source": {"type": "text"}})]}, "messages[0].content[0].type"),
    ({"messages": [turn("user", {"type": "search_result", "source": "s"})]}, "messages[0].content[0].type"),
    ({"messages": [turn("user", CALL)]}, "messages[0].content[0].type"),
    ({"messages": [turn("user", {"type": "thinking", "thinking": "a"})]}, "messages[0].content[0].type"),
    ({"messages": [turn("assistant", {"type": "image"})]}, "messages[0].content[0].type"),
    ({"messages": [turn("system", {"type": "image"})]}, "messages[0].content[0].type"),
    ({"messages": [turn("user", {"type": "image"})]}, "messages[0].content[0].source"),
    ({"messages": [turn("user", BAD_SOURCE)]}, "messages[0].content[0].source.media_type"),
    (
        {"messages": [turn("user", {"type": "image", "source": {"type": "url"}})]},
        "messages[0].content[0].source.url",
    ),
    (
        {"messages": [turn("user", {"type": "image", "source": {"type": "disk"}})]},
        "messages[0].content[0].source.type",
    ),
    ({"messages": [turn("assistant", {**CALL, "id": None}), ASK]}, "messages[0].content[0].id"),
    ({"messages": [turn("assistant", {**CALL, "name": None}), ASK]}, "messages[0].content[0].name"),
    ({"messages": [turn("assistant", {**CALL, "input": None}), ASK]}, "messages[0].content[0].input"),
    ({"messages": [turn("assistant", {**CALL, "input": "{}"}), ASK]}, "messages[0].content[0].input"),
    ({"messages": [turn("assistant", {"type": "thinking"}), ASK]}, "messages[0].content[0].thinking"),
    ({"messages": [turn("assistant", {"type": "redacted_thinking"}), ASK]}, "messages[0].content[0].data"),
    ({"messages": [turn("assistant", CALL)]}, "messages[0]"),
    ({"messages": [turn("user", {"type": "tool_result"})]}, "messages[0].content[0].tool_use_id"),
    (
        {"messages": [turn("user", {"type": "tool_result", "tool_use_id": "t9"})]},
        "messages[0].content[0].tool_use_id",
    ),
    (
        {
            "messages": [
                turn("assistant", CALL),
                turn(
                    "user", {"type": "tool_result", "tool_use_id": "t1", "content": [text("a"), {"type": "document"}]}
                ),
            ]
        },
        "messages[1].content[0].content[1].type",
    ),
    (
        {
            "messages": [
                turn("assistant", CALL),
                turn("user", {"type": "tool_result", "tool_use_id": "t1", "content": [text("a"), 7]}),
            ]
        },
        "messages[1].content[0].content[1]",
    ),
    (
        {
            "messages": [
                turn("assistant", CALL),
                turn("user", {"type": "tool_result", "tool_use_id": "t1", "content": {"a": 1}}),
            ]
        },
        "messages[1].content[0].content",
    ),
    ({"system": 1}, "system"),
    ({"system": [text("a"), {"type": "image"}]}, "system[1].type"),
    ({"temperature": 3}, "temperature"),
    ({"top_p": 2}, "top_p"),
    ({"top_k": -1}, "top_k"),
    ({"stop_sequences": "a"}, "stop_sequences"),
    ({"stop_sequences": ["a", ""]}, "stop_sequences[1]"),
    ({"stop_sequences": ["a"] * 17}, "stop_sequences"),
    ({"stream": "yes"}, "stream"),
    ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    ({"metadata": {"user_id": "ü" * 257}}, "metadata.user_id"),
    ({"thinking": {"type": "on"}}, "thinking.type"),
    ({"thinking": {"type": "enabled", "budget_tokens": -1}}, "thinking.budget_tokens"),
    ({"output_config": {"effort": "huge"}}, "output_config.effort"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"tools": [TOOL, {"name": "a b", "input_schema": {}}]}, "tools[1].name"),
    ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
    ({"tools": [{"name": "a"}]}, "tools[0].input_schema"),
    ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, "tools[0].input_schema.type"),
    ({"tools": [TOOL, TOOL]}, "tools[1].name"),
    ({"tools": [{"name": "web_search", "type": "web_search_20260209"}]}, "tools[0].type"),
    ({"tool_choice": {"type": "any"}}, "tool_choice.type"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "must"}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name"),
]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=[f"{i}-{param}" for i, (_, param) in enumerate(BAD)])
def test_what_is_wrong_is_a_400_that_names_its_place(fields: Json, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(**fields)
    error = caught.value
    assert (anthropic_status(error), anthropic_type(error)) == (400, "invalid_request_error")
    assert error.param == param
    assert param in error.message


def test_max_tokens_must_be_there() -> None:
    with pytest.raises(RequestError) as caught:
        read_messages_request(b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}', "msg_1")
    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"x"', b"\xff\xfe", b'{"model": "\xff"}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        read_messages_request(body, "msg_1")
    assert anthropic_status(caught.value) == 400


@pytest.mark.parametrize("field", ["tools", "unknown"])
def test_depth_is_refused(field: str) -> None:
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    with pytest.raises(MalformedBody):
        read_raw(**{field: f'[{{"name":"f","input_schema":{deep}}}]'})


def test_a_byte_order_mark_does_not_hide_the_place() -> None:
    with pytest.raises(RequestError) as caught:
        read_messages_request(b'\xef\xbb\xbf{"model": "m", "max_tokens": 1, "messages": [{"role": 1}]}', "msg_1")
    assert caught.value.param == "messages[0].role"
